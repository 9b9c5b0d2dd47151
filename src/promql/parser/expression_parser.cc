#include "promql/parser/expression_parser.h"

#include <array>

#include "base/escaping.h"
#include "model/labels.h"
#include "promql/parser/function_signatures.h"
#include "promql/parser/literal_values.h"

namespace epi::promql {
namespace {

struct OperatorRow {
  TokenType token;
  BinaryOp op;
  int precedence;
};
constexpr int kMulPrecedence = 5;
constexpr int kPowPrecedence = 6;
constexpr std::array<OperatorRow, 18> kOperators{{
    {TokenType::kOr, BinaryOp::kOr, 1},
    {TokenType::kAnd, BinaryOp::kAnd, 2},
    {TokenType::kUnless, BinaryOp::kUnless, 2},
    {TokenType::kEqualEqual, BinaryOp::kEqual, 3},
    {TokenType::kNotEqual, BinaryOp::kNotEqual, 3},
    {TokenType::kLess, BinaryOp::kLess, 3},
    {TokenType::kLessEqual, BinaryOp::kLessEqual, 3},
    {TokenType::kGreater, BinaryOp::kGreater, 3},
    {TokenType::kGreaterEqual, BinaryOp::kGreaterEqual, 3},
    {TokenType::kTrimUpper, BinaryOp::kTrimUpper, 3},
    {TokenType::kTrimLower, BinaryOp::kTrimLower, 3},
    {TokenType::kAdd, BinaryOp::kAdd, 4},
    {TokenType::kSub, BinaryOp::kSub, 4},
    {TokenType::kMul, BinaryOp::kMul, kMulPrecedence},
    {TokenType::kDiv, BinaryOp::kDiv, kMulPrecedence},
    {TokenType::kMod, BinaryOp::kMod, kMulPrecedence},
    {TokenType::kAtan2, BinaryOp::kAtan2, kMulPrecedence},
    {TokenType::kPow, BinaryOp::kPow, kPowPrecedence},
}};

const OperatorRow* FindOperator(TokenType token) {
  for (const OperatorRow& row : kOperators) {
    if (row.token == token) return &row;
  }
  return nullptr;
}

// In the order of the tokens.
constexpr std::array kAggregations{
    AggregateOp::kAvg, AggregateOp::kBottomk, AggregateOp::kCount,    AggregateOp::kCountValues, AggregateOp::kGroup,
    AggregateOp::kMax, AggregateOp::kMin,     AggregateOp::kQuantile, AggregateOp::kStddev,      AggregateOp::kStdvar,
    AggregateOp::kSum, AggregateOp::kTopk,    AggregateOp::kLimitk,   AggregateOp::kLimitRatio,
};
static_assert(kAggregations.size() ==
              static_cast<size_t>(TokenType::kLimitRatio) - static_cast<size_t>(TokenType::kAvg) + 1);
AggregateOp AggregationOf(TokenType token) {
  return kAggregations[static_cast<size_t>(token) - static_cast<size_t>(TokenType::kAvg)];
}

// Words that name a function when "(" follows.
bool CanNameFunction(TokenType type) {
  return type == TokenType::kIdentifier || (type >= TokenType::kStart && type <= TokenType::kMinOf);
}

// Words that are labels in lists like by (…), although some have a meaning elsewhere. Prometheus leaves one out.
bool CanBeGroupingLabel(TokenType type) {
  if (type == TokenType::kWithout) return false;
  return type == TokenType::kIdentifier || type == TokenType::kMetricIdentifier || IsAggregatorToken(type) ||
         IsKeywordToken(type) || type >= TokenType::kStart || type == TokenType::kAnd || type == TokenType::kOr ||
         type == TokenType::kUnless || type == TokenType::kAtan2;
}

PositionRange Merge(const Expr& first, const Expr& last) { return {first.pos.start, last.pos.end}; }

}  // namespace

bool IsMetricIdentifier(TokenType type) {
  switch (type) {
    case TokenType::kBool:
    case TokenType::kOn:
    case TokenType::kIgnoring:
    case TokenType::kGroupLeft:
    case TokenType::kGroupRight:
    case TokenType::kAtan2:
      return false;
    case TokenType::kWithout:
      return true;
    default:
      return CanBeGroupingLabel(type);
  }
}

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser), ok_(true) {
  // One level of text takes several frames of the parser, one level of tree a frame or two of whoever walks it.
  constexpr uint32_t kFramesPerLevel = 4;
  if (++parser_.nesting_ <= parser_.options_.max_depth / kFramesPerLevel) return;
  ok_ = false;
  parser_.tokens_.Abort(parser_.tokens_.last_token_range(), "expression is nested too deeply");
}

ExprPtr ExpressionParser::ParseWhole() {
  if (tokens_.At(TokenType::kEnd)) {
    tokens_.AddError({}, "no expression found in input");
    return nullptr;
  }
  Tree tree = Binary(0);
  height_ = tree.height;
  return ExpectEnd(static_cast<bool>(tree)) ? std::move(tree.expr) : nullptr;
}

bool ExpressionParser::ExpectEnd(bool parsed) {
  while (parsed && !tokens_.At(TokenType::kEnd)) parsed = tokens_.SyntaxError();
  if (!parsed) tokens_.Recover({}, {});
  return parsed;
}

double ExpressionParser::NumberValue(const Token& token) {
  auto value = ParseNumberToken(token.text);
  if (value) return *value;
  tokens_.AddError(token.range(), "error parsing number: " + value.error().message());
  return 0;
}

double ExpressionParser::DurationValue(const Token& token) {
  auto value = ParseDurationToken(token.text);
  if (value) return *value;
  tokens_.AddError(token.range(), value.error().message());
  return 0;
}

bool ExpressionParser::StartsExpression() {
  const TokenType type = tokens_.PeekType();
  switch (type) {
    case TokenType::kNumber:
    case TokenType::kDuration:
    case TokenType::kString:
    case TokenType::kLeftParen:
    case TokenType::kLeftBrace:
    case TokenType::kAdd:
    case TokenType::kSub:
      return true;
    default:
      return IsMetricIdentifier(type);
  }
}

ExpressionParser::Tree ExpressionParser::Binary(int min_precedence) {
  const Level level(*this);
  if (!level.ok()) return {};
  Tree lhs = Unary();
  while (lhs) {
    const OperatorRow* row = FindOperator(tokens_.PeekType());
    if (row == nullptr || row->precedence < min_precedence) break;
    tokens_.Take();
    BinaryModifiers modifiers;
    if (!Modifiers(modifiers)) return {};
    const bool right_associative = row->op == BinaryOp::kPow;
    Tree rhs = Binary(right_associative ? row->precedence : row->precedence + 1);
    if (!rhs) return {};
    lhs = MakeBinary(row->op, std::move(lhs), std::move(rhs), std::move(modifiers));
  }
  return lhs;
}

ExpressionParser::Tree ExpressionParser::MakeBinary(BinaryOp op, Tree lhs, Tree rhs, BinaryModifiers modifiers) {
  Tree out;
  out.height = std::max(lhs.height, rhs.height) + 1;
  const PositionRange pos = Merge(*lhs.expr, *rhs.expr);
  const bool fills = modifiers.matching.fill_left || modifiers.matching.fill_right;
  if (fills && !options_.binop_fill_modifiers) {
    tokens_.AddError(pos, "binop fill modifiers are experimental and not enabled");
  }
  BinaryExpr binary;
  binary.op = op;
  binary.lhs = std::move(lhs.expr);
  binary.rhs = std::move(rhs.expr);
  binary.return_bool = modifiers.return_bool;
  binary.matching = std::make_unique<VectorMatching>(std::move(modifiers.matching));
  out.expr = MakeExpr(pos, std::move(binary));
  return out;
}

ExpressionParser::Tree ExpressionParser::Unary() {
  if (!tokens_.At(TokenType::kAdd) && !tokens_.At(TokenType::kSub)) return Postfix();
  const Token sign = tokens_.Take();
  // A sign binds like a product, so only powers (and what stands behind an operand) are part of its operand.
  Tree operand = Binary(kPowPrecedence);
  if (!operand) return {};
  const bool minus = sign.type == TokenType::kSub;
  if (auto* number = operand.expr->As<NumberLiteral>()) {
    if (minus) number->value = -number->value;
    operand.expr->pos.start = sign.pos;
    return operand;
  }
  Tree out;
  out.height = operand.height + 1;
  const PositionRange pos{sign.pos, operand.expr->pos.end};
  UnaryExpr unary;
  unary.op = minus ? UnaryOp::kMinus : UnaryOp::kPlus;
  unary.expr = std::move(operand.expr);
  out.expr = MakeExpr(pos, std::move(unary));
  return out;
}

ExpressionParser::Tree ExpressionParser::Postfix() {
  Tree tree = Primary();
  while (tree) {
    switch (tokens_.PeekType()) {
      case TokenType::kLeftBracket:
        if (!RangeOrSubquery(tree)) return {};
        break;
      case TokenType::kOffset:
        if (!Offset(tree)) return {};
        break;
      case TokenType::kAt:
        if (!AtModifier(tree)) return {};
        break;
      case TokenType::kAnchored:
      case TokenType::kSmoothed:
        ExtendedRange(tree, tokens_.Take().type == TokenType::kAnchored);
        break;
      default:
        return tree;
    }
  }
  return tree;
}

ExpressionParser::Tree ExpressionParser::Primary() {
  while (!StartsExpression()) {
    if (!tokens_.SyntaxError()) return {};
  }
  switch (tokens_.PeekType()) {
    case TokenType::kNumber:
    case TokenType::kDuration:
      return Number();
    case TokenType::kString:
      return String();
    case TokenType::kLeftParen:
      return Paren();
    case TokenType::kLeftBrace:
      return Selector(nullptr);
    case TokenType::kAdd:
    case TokenType::kSub:
      return Unary();  // only behind tokens that were dropped
    default:
      break;
  }
  const Token name = tokens_.Take();
  const TokenType next = tokens_.PeekType();
  if (CanNameFunction(name.type) && next == TokenType::kLeftParen) return CallOf(name);
  if (IsAggregatorToken(name.type) &&
      (next == TokenType::kLeftParen || next == TokenType::kBy || next == TokenType::kWithout)) {
    return Aggregation(name);
  }
  return Selector(&name);
}

ExpressionParser::Tree ExpressionParser::Number() {
  const Token token = tokens_.Take();
  NumberLiteral literal;
  literal.is_duration = token.type == TokenType::kDuration;
  literal.value = literal.is_duration ? DurationValue(token) : NumberValue(token);
  Tree out;
  out.expr = MakeExpr(token.range(), literal);
  return out;
}

ExpressionParser::Tree ExpressionParser::String() {
  const Token token = tokens_.Take();
  Tree out;
  StringLiteral literal;
  literal.value = Unquote(token.text);
  out.expr = MakeExpr(token.range(), std::move(literal));
  return out;
}

ExpressionParser::Tree ExpressionParser::Paren() {
  const Token open = tokens_.Take();
  Tree inner = Binary(0);
  if (!inner) return {};
  while (!tokens_.At(TokenType::kRightParen)) {
    if (!tokens_.SyntaxError()) return {};
  }
  const Token close = tokens_.Take();
  Tree out;
  out.height = inner.height + 1;
  ParenExpr paren;
  paren.expr = std::move(inner.expr);
  out.expr = MakeExpr({open.pos, close.range().end}, std::move(paren));
  return out;
}

// The "(" of arguments is next.
bool ExpressionParser::CallArguments(std::vector<Tree>& args, int32_t& end) {
  if (!tokens_.Expect(TokenType::kLeftParen)) return false;
  while (!StartsExpression() && !tokens_.At(TokenType::kRightParen)) {
    if (!tokens_.SyntaxError()) return false;
  }
  if (!tokens_.At(TokenType::kRightParen)) {
    args.push_back(Binary(0));
    if (!args.back()) return false;
  }
  while (!tokens_.At(TokenType::kRightParen)) {
    if (args.empty() || !tokens_.At(TokenType::kComma)) {
      if (!tokens_.SyntaxError()) return false;
      continue;
    }
    const Token comma = tokens_.Take();
    if (!StartsExpression()) {
      tokens_.AddError(comma.range(), "trailing commas not allowed in function call args");
      continue;
    }
    args.push_back(Binary(0));
    if (!args.back()) return false;
  }
  end = tokens_.Take().range().end;
  return true;
}

ExpressionParser::Tree ExpressionParser::CallOf(const Token& name) {
  std::vector<Tree> args;
  int32_t end = 0;
  if (!CallArguments(args, end)) return {};
  Call call;
  call.function = FindFunction(name.text);
  if (call.function == nullptr) {
    tokens_.AddError(name.range(), "unknown function with name " + Quoted(name.text));
  } else if (call.function->experimental && !options_.experimental_functions) {
    tokens_.AddError(name.range(), "function " + Quoted(name.text) + " is not enabled");
  }
  Tree out;
  uint32_t below = 0;
  for (Tree& arg : args) {
    below = std::max(below, arg.height);
    call.args.push_back(std::move(arg.expr));
  }
  out.height = below + 1;
  out.expr = MakeExpr({name.pos, end}, std::move(call));
  return out;
}

bool ExpressionParser::AggregationParts(AggregateExpr& aggregate, std::vector<Tree>& args, int32_t& end) {
  const auto modifier = [&] {
    const Token word = tokens_.Take();
    auto labels = GroupingLabels();
    if (!labels) return false;
    aggregate.grouping = std::move(*labels);
    aggregate.without = word.type == TokenType::kWithout;
    end = tokens_.last_closing();
    return true;
  };
  const auto at_modifier = [&] { return tokens_.At(TokenType::kBy) || tokens_.At(TokenType::kWithout); };
  if (at_modifier()) return modifier() && CallArguments(args, end);
  if (!CallArguments(args, end)) return false;
  return !at_modifier() || modifier();
}

ExpressionParser::Tree ExpressionParser::Aggregation(const Token& op) {
  AggregateExpr aggregate;
  std::vector<Tree> args;
  int32_t end = 0;
  if (!AggregationParts(aggregate, args, end)) {
    if (!tokens_.Recover("aggregation", {})) return {};
    return MakeAggregation(op, {}, {}, tokens_.last_closing());
  }
  return MakeAggregation(op, std::move(aggregate), std::move(args), end);
}

ExpressionParser::Tree ExpressionParser::MakeAggregation(const Token& op, AggregateExpr aggregate,
                                                         std::vector<Tree> args, int32_t end) {
  const PositionRange pos{op.pos, end};
  aggregate.op = AggregationOf(op.type);
  Tree out;
  const size_t wanted = HasParameter(aggregate.op) ? 2 : 1;
  if (args.empty()) {
    tokens_.AddError(pos, "no arguments for aggregate expression provided");
  } else if (IsExperimental(aggregate.op) && !options_.experimental_functions) {
    tokens_.AddError(pos,
                     std::string(AggregateOpName(aggregate.op)) +
                         "() is experimental and must be enabled with --enable-feature=promql-experimental-functions");
  } else if (args.size() != wanted) {
    tokens_.AddError(pos, "wrong number of arguments for aggregate expression provided, expected " +
                              std::to_string(wanted) + ", got " + std::to_string(args.size()));
  } else {
    uint32_t below = args.back().height;
    if (wanted == 2) {
      below = std::max(below, args.front().height);
      aggregate.param = std::move(args.front().expr);
    }
    out.height = below + 1;
    aggregate.expr = std::move(args.back().expr);
  }
  out.expr = MakeExpr(pos, std::move(aggregate));
  return out;
}

bool ExpressionParser::Modifiers(BinaryModifiers& out) {
  if (tokens_.At(TokenType::kBool)) {
    tokens_.Take();
    out.return_bool = true;
  }
  if (tokens_.At(TokenType::kOn) || tokens_.At(TokenType::kIgnoring)) {
    out.matching.on = tokens_.Take().type == TokenType::kOn;
    auto labels = GroupingLabels();
    if (!labels) return false;
    out.matching.labels = std::move(*labels);
    if (tokens_.At(TokenType::kGroupLeft) || tokens_.At(TokenType::kGroupRight)) {
      const bool left = tokens_.Take().type == TokenType::kGroupLeft;
      out.matching.card = left ? MatchCardinality::kManyToOne : MatchCardinality::kOneToMany;
      // Without a list, the right-hand side or a fill modifier follows; anything else is taken for a broken list.
      if (tokens_.At(TokenType::kLeftParen) || !StartsExpression()) {
        auto include = GroupingLabels();
        if (!include) return false;
        out.matching.include = std::move(*include);
      }
    }
  }
  return FillModifiers(out.matching);
}

bool ExpressionParser::FillModifiers(VectorMatching& out) {
  if (tokens_.At(TokenType::kFill)) {
    tokens_.Take();
    out.fill_left = out.fill_right = FillValue();
    return out.fill_left.has_value();
  }
  const auto one_side = [&](TokenType word, std::optional<double>& side) {
    if (side || !tokens_.At(word)) return true;
    tokens_.Take();
    side = FillValue();
    return side.has_value();
  };
  return one_side(TokenType::kFillLeft, out.fill_left) && one_side(TokenType::kFillRight, out.fill_right) &&
         one_side(TokenType::kFillLeft, out.fill_left);
}

std::optional<double> ExpressionParser::FillValue() {
  if (!tokens_.Expect(TokenType::kLeftParen)) return std::nullopt;
  bool minus = false;
  if (tokens_.At(TokenType::kAdd) || tokens_.At(TokenType::kSub)) minus = tokens_.Take().type == TokenType::kSub;
  while (!tokens_.At(TokenType::kNumber) && !tokens_.At(TokenType::kDuration)) {
    if (!tokens_.SyntaxError()) return std::nullopt;
  }
  const Token token = tokens_.Take();
  const double value = token.type == TokenType::kDuration ? DurationValue(token) : NumberValue(token);
  if (!tokens_.Expect(TokenType::kRightParen)) return std::nullopt;
  return minus ? -value : value;
}

std::optional<std::vector<std::string>> ExpressionParser::GroupingLabels() {
  constexpr std::string_view kContext = "grouping opts";
  std::vector<std::string> labels;
  if (!tokens_.Expect(TokenType::kLeftParen)) {
    if (!tokens_.Recover(kContext, "\"(\"")) return std::nullopt;
    return labels;
  }
  bool want_label = !tokens_.At(TokenType::kRightParen);
  while (true) {
    if (want_label) {
      if (tokens_.At(TokenType::kRightParen) && !labels.empty()) break;  // a comma may be last
      labels.push_back(GroupingLabel());
      if (tokens_.unwinding()) return std::nullopt;
      want_label = false;
    } else if (tokens_.At(TokenType::kRightParen)) {
      break;
    } else if (tokens_.At(TokenType::kComma)) {
      tokens_.Take();
      want_label = true;
    } else if (!tokens_.SyntaxError() && !tokens_.Recover(kContext, "\",\" or \")\"")) {
      return std::nullopt;
    }
  }
  tokens_.Take();
  return labels;
}

// Empty when the label was reported as wrong; check for unwinding.
std::string ExpressionParser::GroupingLabel() {
  constexpr std::string_view kContext = "grouping opts";
  while (!CanBeGroupingLabel(tokens_.PeekType()) && !tokens_.At(TokenType::kString)) {
    if (tokens_.SyntaxError()) continue;
    tokens_.Recover(kContext, "label");
    return {};
  }
  const Token token = tokens_.Take();
  if (token.type == TokenType::kString) {
    std::string name = Unquote(token.text);
    if (name.empty() || !IsValidUtf8(name)) {
      tokens_.AddError(token.range(), "invalid label name for grouping: " + Quoted(name));
    }
    return name;
  }
  return std::string(token.text);
}

}  // namespace epi::promql
