// Vector selectors and metrics.
#include "model/labels.h"
#include "promql/parser/expression_parser.h"
#include "promql/parser/literal_values.h"

namespace epi::promql {
namespace {

constexpr std::string_view kMatching = "label matching";
constexpr std::string_view kSet = "label set";
constexpr std::string_view kCommaOrBrace = "\",\" or \"}\"";

bool IsMatchOperator(TokenType type) {
  return type == TokenType::kEqual || type == TokenType::kNotEqual || type == TokenType::kEqualRegex ||
         type == TokenType::kNotEqualRegex;
}

MatchType MatchTypeOf(TokenType type) {
  switch (type) {
    case TokenType::kNotEqual:
      return MatchType::kNotEqual;
    case TokenType::kEqualRegex:
      return MatchType::kRegexp;
    case TokenType::kNotEqualRegex:
      return MatchType::kNotRegexp;
    default:
      return MatchType::kEqual;
  }
}

}  // namespace

std::optional<std::vector<Matcher>> ExpressionParser::ParseWholeSelector() {
  Tree tree;
  if (tokens_.At(TokenType::kLeftBrace)) {
    tree = Selector(nullptr);
  } else if (IsMetricIdentifier(tokens_.PeekType())) {
    const Token name = tokens_.Take();
    tree = Selector(&name);
  }
  if (!ExpectEnd(static_cast<bool>(tree))) return std::nullopt;
  return std::move(tree.expr->As<VectorSelector>()->matchers);
}

// The name, when there is one, was taken.
ExpressionParser::Tree ExpressionParser::Selector(const Token* name) {
  VectorSelector selector;
  PositionRange pos = name != nullptr ? name->range() : tokens_.Peek().range();
  if (tokens_.At(TokenType::kLeftBrace) && !LabelMatchers(selector.matchers, pos.end)) return {};
  if (name != nullptr) {
    selector.name = std::string(name->text);
    selector.matchers.push_back(Matcher::Equal(std::string(kMetricName), selector.name));
  }
  Tree out;
  out.expr = MakeExpr(pos, std::move(selector));
  return out;
}

bool ExpressionParser::LabelMatchers(std::vector<Matcher>& out, int32_t& end) {
  tokens_.Take();  // "{"
  bool first = true;
  bool want_matcher = !tokens_.At(TokenType::kRightBrace);
  while (true) {
    if (want_matcher) {
      if (!first && tokens_.At(TokenType::kRightBrace)) break;  // a comma may be last
      if (!LabelMatcher(out)) return false;
      first = false;
      want_matcher = false;
    } else if (tokens_.At(TokenType::kRightBrace)) {
      break;
    } else if (tokens_.At(TokenType::kComma)) {
      tokens_.Take();
      want_matcher = true;
    } else if (!tokens_.SyntaxError() && !tokens_.Recover(kMatching, kCommaOrBrace)) {
      return false;
    }
  }
  end = tokens_.Take().range().end;
  return true;
}

bool ExpressionParser::LabelMatcher(std::vector<Matcher>& out) {
  while (!tokens_.At(TokenType::kIdentifier) && !tokens_.At(TokenType::kString)) {
    if (!tokens_.SyntaxError()) return tokens_.Recover(kMatching, "identifier or \"}\"");
  }
  const Token label = tokens_.Take();
  const bool quoted = label.type == TokenType::kString;
  std::string name = quoted ? Unquote(label.text) : std::string(label.text);
  while (!IsMatchOperator(tokens_.PeekType())) {
    if (quoted) {
      out.push_back(Matcher::Equal(std::string(kMetricName), std::move(name)));
      return true;
    }
    if (!tokens_.SyntaxError()) return tokens_.Recover(kMatching, "label matching operator");
  }
  const Token op = tokens_.Take();
  while (!tokens_.At(TokenType::kString)) {
    if (!tokens_.SyntaxError()) return tokens_.Recover(kMatching, "string");
  }
  AddMatcher(label, std::move(name), op, tokens_.Take(), out);
  return true;
}

void ExpressionParser::AddMatcher(const Token& label, std::string name, const Token& op, const Token& value,
                                  std::vector<Matcher>& out) {
  auto matcher = Matcher::Make(MatchTypeOf(op.type), std::move(name), Unquote(value.text));
  if (matcher) {
    out.push_back(std::move(*matcher));
  } else {
    tokens_.AddError({label.pos, value.range().end}, matcher.error().message());
  }
}

std::optional<Labels> ExpressionParser::ParseWholeMetric() {
  auto labels = ParseMetric();
  if (!ExpectEnd(labels.has_value())) return std::nullopt;
  return labels;
}

std::optional<Labels> ExpressionParser::ParseMetric() {
  std::string name;
  if (IsMetricIdentifier(tokens_.PeekType())) name = std::string(tokens_.Take().text);
  std::vector<std::pair<std::string, std::string>> pairs;
  if (tokens_.At(TokenType::kLeftBrace) && !LabelSet(pairs)) return std::nullopt;
  LabelsBuilder builder;
  for (const auto& [label, value] : pairs) builder.Set(label, value);
  if (!name.empty()) builder.Set(kMetricName, name);
  return builder.Build();
}

bool ExpressionParser::LabelSet(std::vector<std::pair<std::string, std::string>>& out) {
  tokens_.Take();  // "{"
  bool first = true;
  bool want_item = !tokens_.At(TokenType::kRightBrace);
  while (true) {
    if (want_item) {
      if (!first && tokens_.At(TokenType::kRightBrace)) break;
      if (!LabelSetItem(out)) return false;
      first = false;
      want_item = false;
    } else if (tokens_.At(TokenType::kRightBrace)) {
      break;
    } else if (tokens_.At(TokenType::kComma)) {
      tokens_.Take();
      want_item = true;
    } else if (!tokens_.SyntaxError() && !tokens_.Recover(kSet, kCommaOrBrace)) {
      return false;
    }
  }
  tokens_.Take();
  return true;
}

bool ExpressionParser::LabelSetItem(std::vector<std::pair<std::string, std::string>>& out) {
  while (!tokens_.At(TokenType::kIdentifier) && !tokens_.At(TokenType::kString)) {
    if (!tokens_.SyntaxError()) return tokens_.Recover(kSet, "identifier or \"}\"");
  }
  const Token label = tokens_.Take();
  const bool quoted = label.type == TokenType::kString;
  std::string name = quoted ? Unquote(label.text) : std::string(label.text);
  while (!tokens_.At(TokenType::kEqual)) {
    if (quoted) {
      out.emplace_back(std::string(kMetricName), std::move(name));
      return true;
    }
    if (!tokens_.SyntaxError()) return tokens_.Recover(kSet, "\"=\"");
  }
  tokens_.Take();
  while (!tokens_.At(TokenType::kString)) {
    if (!tokens_.SyntaxError()) return tokens_.Recover(kSet, "string");
  }
  out.emplace_back(std::move(name), Unquote(tokens_.Take().text));
  return true;
}

}  // namespace epi::promql
