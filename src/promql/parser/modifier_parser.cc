// What may stand behind an expression: ranges, subqueries, offset, @, anchored, smoothed.
#include <algorithm>
#include <cmath>

#include "model/number_format.h"
#include "promql/parser/expression_parser.h"

namespace epi::promql {
namespace {

// Prometheus keeps nanoseconds and counts in whole milliseconds.
int64_t MillisecondsOf(double seconds) {
  const double ns = std::round(seconds * 1e9);
  constexpr double kLimit = 0x1p63;
  if (!(ns < kLimit && ns >= -kLimit)) return ns > 0 ? INT64_MAX / 1'000'000 : INT64_MIN / 1'000'000;
  return static_cast<int64_t>(ns) / 1'000'000;
}

// Splits a parsed duration into milliseconds of a literal, or the expression.
void Store(DurationExprPtr from, int64_t& ms, DurationExprPtr& expr) {
  if (from->op == DurationExpr::Op::kNumber) {
    ms = MillisecondsOf(from->value);
  } else {
    expr = std::move(from);
  }
}

}  // namespace

bool ExpressionParser::RangeOrSubquery(Tree& tree) {
  const Token open = tokens_.Take();
  DurationTree range = PositiveDuration();
  if (!range) return tokens_.Recover("subquery or range selector", "number, duration, step(), or range()");
  while (!tokens_.At(TokenType::kRightBracket) && !tokens_.At(TokenType::kColon)) {
    if (!tokens_.SyntaxError()) return tokens_.Recover("subquery or range", "\":\" or \"]\"");
  }
  if (tokens_.At(TokenType::kRightBracket)) {
    MakeMatrix(tree, open, tokens_.Take(), std::move(range));
    return true;
  }
  tokens_.Take();
  DurationTree step;
  if (!tokens_.At(TokenType::kRightBracket)) {
    step = PositiveDuration();
    if (!step) return tokens_.Recover("subquery selector", "number, duration, step(), range(), or \"]\"");
    while (!tokens_.At(TokenType::kRightBracket)) {
      if (!tokens_.SyntaxError()) return tokens_.Recover("subquery selector", "\"]\"");
    }
  }
  MakeSubquery(tree, tokens_.Take().range().end, std::move(range), std::move(step));
  return true;
}

void ExpressionParser::MakeMatrix(Tree& tree, const Token& open, const Token& close, DurationTree range) {
  auto* selector = tree.expr->As<VectorSelector>();
  std::string_view problem;
  if (selector == nullptr) {
    problem = "ranges only allowed for vector selectors";
  } else if (selector->time.offset_ms != 0 || selector->time.offset_expr != nullptr) {
    problem = "no offset modifiers allowed before range";
  } else if (selector->time.timestamp_ms || selector->time.at != AtPreprocessor::kNone) {
    problem = "no @ modifiers allowed before range";
  }
  if (!problem.empty()) tokens_.AddError({open.pos, close.range().end}, std::string(problem));
  tree.height = std::max(tree.height, range.height) + 1;
  MatrixSelector matrix;
  if (selector != nullptr) matrix.selector = std::move(*selector);
  matrix.selector_pos = tree.expr->pos;
  Store(std::move(range.expr), matrix.range_ms, matrix.range_expr);
  tree.expr = MakeExpr({tree.expr->pos.start, close.range().end}, std::move(matrix));
  if (selector == nullptr) bad_matrices_.push_back(tree.expr.get());
}

void ExpressionParser::MakeSubquery(Tree& tree, int32_t end, DurationTree range, DurationTree step) {
  tree.height = std::max({tree.height, range.height, step.height}) + 1;
  Subquery subquery;
  const PositionRange pos{tree.expr->pos.start, end};
  subquery.expr = std::move(tree.expr);
  Store(std::move(range.expr), subquery.range_ms, subquery.range_expr);
  if (step) Store(std::move(step.expr), subquery.step_ms, subquery.step_expr);
  tree.expr = MakeExpr(pos, std::move(subquery));
}

bool ExpressionParser::Offset(Tree& tree) {
  tokens_.Take();
  DurationTree offset = OffsetDuration();
  if (!offset) return tokens_.Recover("offset", "number, duration, step(), or range()");
  tree.height = std::max(tree.height, offset.height) + 1;
  SetOffset(*tree.expr, std::move(offset.expr));
  return true;
}

void ExpressionParser::SetOffset(Expr& expr, DurationExprPtr offset) {
  TimeModifiers* time = nullptr;
  if (auto* selector = expr.As<VectorSelector>()) {
    time = &selector->time;
  } else if (auto* matrix = expr.As<MatrixSelector>()) {
    if (std::find(bad_matrices_.begin(), bad_matrices_.end(), &expr) != bad_matrices_.end()) {
      tokens_.AddError(expr.pos, "ranges only allowed for vector selectors");
      return;
    }
    time = &matrix->selector.time;
  } else if (auto* subquery = expr.As<Subquery>()) {
    time = &subquery->time;
  } else {
    tokens_.AddError(
        expr.pos,
        "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    return;
  }
  if (time->offset_ms != 0 || time->offset_expr != nullptr) {
    tokens_.AddError(expr.pos, "offset may not be set multiple times");
  } else {
    Store(std::move(offset), time->offset_ms, time->offset_expr);
  }
  expr.pos.end = tokens_.last_closing();
}

std::optional<double> ExpressionParser::SignedNumber() {
  bool minus = false;
  if (tokens_.At(TokenType::kAdd) || tokens_.At(TokenType::kSub)) minus = tokens_.Take().type == TokenType::kSub;
  while (!tokens_.At(TokenType::kNumber) && !tokens_.At(TokenType::kDuration)) {
    if (!tokens_.SyntaxError()) return std::nullopt;
  }
  const Token token = tokens_.Take();
  const double value = token.type == TokenType::kDuration ? DurationValue(token) : NumberValue(token);
  return minus ? -value : value;
}

bool ExpressionParser::AtModifier(Tree& tree) {
  constexpr std::string_view kExpected = "timestamp";
  tokens_.Take();
  if (tokens_.At(TokenType::kStart) || tokens_.At(TokenType::kEndKeyword)) {
    const bool start = tokens_.Take().type == TokenType::kStart;
    if (!tokens_.Expect(TokenType::kLeftParen) || !tokens_.Expect(TokenType::kRightParen)) {
      return tokens_.Recover("@", kExpected);
    }
    SetPreprocessor(*tree.expr, start ? AtPreprocessor::kStart : AtPreprocessor::kEnd);
    return true;
  }
  const auto seconds = SignedNumber();
  if (!seconds) return tokens_.Recover("@", kExpected);
  SetTimestamp(*tree.expr, *seconds);
  return true;
}

// Where the @ of this expression goes; null, and reported, when it may have none.
TimeModifiers* ExpressionParser::AtTarget(Expr& expr) {
  TimeModifiers* time = nullptr;
  if (auto* selector = expr.As<VectorSelector>()) {
    time = &selector->time;
  } else if (auto* matrix = expr.As<MatrixSelector>()) {
    if (std::find(bad_matrices_.begin(), bad_matrices_.end(), &expr) != bad_matrices_.end()) {
      tokens_.AddError(expr.pos, "ranges only allowed for vector selectors");
      return nullptr;
    }
    time = &matrix->selector.time;
  } else if (auto* subquery = expr.As<Subquery>()) {
    time = &subquery->time;
  } else {
    tokens_.AddError(
        expr.pos, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    return nullptr;
  }
  if (time->timestamp_ms || time->at != AtPreprocessor::kNone) {
    tokens_.AddError(expr.pos, "@ <timestamp> may not be set multiple times");
    return nullptr;
  }
  return time;
}

void ExpressionParser::SetTimestamp(Expr& expr, double seconds) {
  constexpr double kLimit = 0x1p63;
  const bool in_bounds = seconds < kLimit && seconds > -kLimit;
  if (!in_bounds) {
    tokens_.AddError(expr.pos, "timestamp out of bounds for @ modifier: " + FormatFloatPrecision(seconds, 'f', 6));
  }
  TimeModifiers* time = AtTarget(expr);
  if (time == nullptr) return;
  const double ms = std::round(seconds * 1000);
  time->timestamp_ms = ms < kLimit && ms >= -kLimit ? static_cast<int64_t>(ms) : (seconds > 0 ? INT64_MAX : INT64_MIN);
  expr.pos.end = tokens_.last_closing();
}

void ExpressionParser::SetPreprocessor(Expr& expr, AtPreprocessor at) {
  TimeModifiers* time = AtTarget(expr);
  if (time == nullptr) return;
  time->at = at;
  expr.pos.end = tokens_.last_closing();
}

void ExpressionParser::ExtendedRange(Tree& tree, bool anchored) {
  Expr& expr = *tree.expr;
  const std::string name = anchored ? "anchored" : "smoothed";
  if (!options_.extended_range_selectors) {
    tokens_.AddError(expr.pos, name + " modifier is experimental and not enabled");
    return;
  }
  VectorSelector* selector = expr.As<VectorSelector>();
  if (auto* matrix = expr.As<MatrixSelector>()) {
    if (std::find(bad_matrices_.begin(), bad_matrices_.end(), &expr) != bad_matrices_.end()) return;
    selector = &matrix->selector;
  }
  if (selector == nullptr) {
    const bool subquery = expr.As<Subquery>() != nullptr;
    tokens_.AddError(expr.pos,
                     name + (subquery ? " modifier is not supported for subqueries" : " modifier not implemented"));
    return;
  }
  (anchored ? selector->anchored : selector->smoothed) = true;
  if (selector->anchored && selector->smoothed) {
    tokens_.AddError(expr.pos, "anchored and smoothed modifiers cannot be used together");
  }
}

}  // namespace epi::promql
