#include "promql/parser/parser.h"

#include <algorithm>

#include "promql/parser/expression_parser.h"
#include "promql/parser/type_checker.h"

namespace epi::promql {
namespace {

Error FirstError(const std::vector<ParseError>& errors, std::string_view text) {
  // As Prometheus, which knows no position in a text without any.
  if (text.empty()) return Error(ErrorCode::kInvalid, "unknown position: parse error: " + errors.front().message);
  return Error(ErrorCode::kInvalid, FormatParseError(errors.front(), text));
}

Result<void> CheckSize(std::string_view text, const ParseOptions& options) {
  if (text.size() <= options.max_bytes) return {};
  return Fail(ErrorCode::kInvalid,
              "1:1: parse error: expression is longer than " + std::to_string(options.max_bytes) + " bytes");
}

}  // namespace

ParseOptions ParseOptions::AllEnabled() {
  ParseOptions out;
  out.experimental_functions = true;
  out.extended_range_selectors = true;
  out.binop_fill_modifiers = true;
  return out;
}

std::string FormatPosition(std::string_view query, int32_t offset, int line_offset) {
  if (offset < 0 || static_cast<size_t>(offset) > query.size()) return "invalid position";
  const std::string_view before = query.substr(0, static_cast<size_t>(offset));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1 + line_offset;
  const size_t last_break = before.rfind('\n');
  const size_t column = before.size() - (last_break == std::string_view::npos ? 0 : last_break + 1) + 1;
  return std::to_string(line) + ":" + std::to_string(column);
}

std::string FormatParseError(const ParseError& error, std::string_view query, int line_offset) {
  return FormatPosition(query, error.pos.start, line_offset) + ": parse error: " + error.message;
}

ParseOutcome ParseExprCollectingErrors(std::string_view text, const ParseOptions& options) {
  ParseOutcome out;
  if (text.size() > options.max_bytes) {
    out.errors.push_back({{}, "expression is longer than " + std::to_string(options.max_bytes) + " bytes"});
    return out;
  }
  TokenStream tokens(text);
  ExpressionParser parser(tokens, options);
  out.expr = parser.ParseWhole();
  out.errors = std::move(tokens.errors());
  if (out.errors.empty()) CheckTypes(*out.expr, text, out.errors);
  // Whoever walks a tree may recurse, but up to here nothing does.
  if (out.errors.empty() && parser.height() > options.max_depth) {
    out.errors.push_back({{}, "expression is nested too deeply"});
  }
  if (!out.errors.empty()) out.expr.reset();
  return out;
}

Result<ExprPtr> ParseExpr(std::string_view text, const ParseOptions& options) {
  ParseOutcome outcome = ParseExprCollectingErrors(text, options);
  if (!outcome.errors.empty()) return Fail(FirstError(outcome.errors, text));
  return std::move(outcome.expr);
}

Result<std::vector<Matcher>> ParseMetricSelector(std::string_view text, const ParseOptions& options) {
  EPI_TRY(CheckSize(text, options));
  TokenStream tokens(text);
  auto matchers = ExpressionParser(tokens, options).ParseWholeSelector();
  if (!tokens.errors().empty()) return Fail(FirstError(tokens.errors(), text));
  return std::move(*matchers);
}

Result<std::vector<std::vector<Matcher>>> ParseMetricSelectors(const std::vector<std::string>& selectors,
                                                               const ParseOptions& options) {
  std::vector<std::vector<Matcher>> out;
  for (const std::string& text : selectors) {
    EPI_ASSIGN(out.emplace_back(), ParseMetricSelector(text, options));
  }
  for (const auto& matchers : out) {
    if (std::all_of(matchers.begin(), matchers.end(), [](const Matcher& m) { return m.MatchesEmpty(); })) {
      return Fail(ErrorCode::kInvalid, "match[] must contain at least one non-empty matcher");
    }
  }
  return out;
}

Result<Labels> ParseMetric(std::string_view text, const ParseOptions& options) {
  EPI_TRY(CheckSize(text, options));
  TokenStream tokens(text);
  auto labels = ExpressionParser(tokens, options).ParseWholeMetric();
  if (!tokens.errors().empty()) return Fail(FirstError(tokens.errors(), text));
  return std::move(*labels);
}

std::vector<std::vector<Matcher>> ExtractSelectors(const Expr& expr) {
  std::vector<std::vector<Matcher>> out;
  Walk(expr, [&](const Expr& node) {
    if (const auto* selector = node.As<VectorSelector>()) out.push_back(selector->matchers);
    if (const auto* matrix = node.As<MatrixSelector>()) out.push_back(matrix->selector.matchers);
  });
  return out;
}

}  // namespace epi::promql
