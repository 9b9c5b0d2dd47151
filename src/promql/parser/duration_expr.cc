#include "promql/parser/duration_expr.h"

#include <cmath>
#include <string>

namespace epi::promql {
namespace {

using Op = DurationExpr::Op;

// Seconds.
Result<double> Value(const DurationExpr& expr, const DurationContext& context) {
  double lhs = 0;
  double rhs = 0;
  if (expr.lhs != nullptr) {
    EPI_ASSIGN(lhs, Value(*expr.lhs, context));
  }
  if (expr.rhs != nullptr) {
    EPI_ASSIGN(rhs, Value(*expr.rhs, context));
  }
  const bool sign = expr.lhs == nullptr;
  switch (expr.op) {
    case Op::kNumber:
      return expr.value;
    case Op::kStep:
      return static_cast<double>(context.step_ms) / 1000;
    case Op::kRange:
      return static_cast<double>(context.range_ms) / 1000;
    case Op::kAdd:
      return sign ? rhs : lhs + rhs;
    case Op::kSub:
      return sign ? -rhs : lhs - rhs;
    case Op::kMul:
      return lhs * rhs;
    case Op::kDiv:
      if (rhs == 0) return Fail(ErrorCode::kInvalid, "division by zero");
      return lhs / rhs;
    case Op::kMod:
      if (rhs == 0) return Fail(ErrorCode::kInvalid, "modulo by zero");
      return std::fmod(lhs, rhs);
    case Op::kPow:
      return std::pow(lhs, rhs);
    case Op::kMinOf:
      return std::fmin(lhs, rhs);
    case Op::kMaxOf:
      return std::fmax(lhs, rhs);
  }
  return 0;
}

Error At(PositionRange pos, std::string_view message) {
  return Error(ErrorCode::kInvalid,
               std::to_string(pos.start) + ":" + std::to_string(pos.end) + ": " + std::string(message));
}

Result<void> Resolve(const DurationExprPtr& expr, const DurationContext& context, bool allow_negative, int64_t& out) {
  if (expr == nullptr) return {};
  EPI_ASSIGN(out, EvaluateDuration(*expr, context, allow_negative));
  return {};
}

Result<void> ResolveNode(Expr& expr, const DurationContext& context) {
  TimeModifiers* time = nullptr;
  if (auto* selector = expr.As<VectorSelector>()) {
    time = &selector->time;
  } else if (auto* matrix = expr.As<MatrixSelector>()) {
    EPI_TRY(Resolve(matrix->range_expr, context, false, matrix->range_ms));
    time = &matrix->selector.time;
  } else if (auto* subquery = expr.As<Subquery>()) {
    EPI_TRY(Resolve(subquery->range_expr, context, false, subquery->range_ms));
    EPI_TRY(Resolve(subquery->step_expr, context, false, subquery->step_ms));
    time = &subquery->time;
  }
  if (time == nullptr) return {};
  return Resolve(time->offset_expr, context, true, time->offset_ms);
}

}  // namespace

Result<int64_t> EvaluateDuration(const DurationExpr& expr, const DurationContext& context, bool allow_negative) {
  EPI_ASSIGN(const double seconds, Value(expr, context));
  if (std::isnan(seconds) || std::isinf(seconds)) return Fail(At(expr.pos, "duration is NaN or infinite"));
  if (seconds <= 0 && !allow_negative) return Fail(At(expr.pos, "duration must be greater than 0"));
  constexpr double kLimit = 0x1p63 / 1e9;  // of Go's nanoseconds
  if (seconds > kLimit || seconds < -kLimit) return Fail(At(expr.pos, "duration is out of range"));
  return static_cast<int64_t>(seconds * 1000);
}

Result<void> ResolveDurations(Expr& expr, const DurationContext& context) {
  EPI_TRY(ResolveNode(expr, context));
  for (Expr* child : Children(expr)) {
    EPI_TRY(ResolveDurations(*child, context));
  }
  return {};
}

}  // namespace epi::promql
