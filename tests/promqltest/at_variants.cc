#include "promqltest/at_variants.h"

#include <algorithm>
#include <array>

#include "promql/parser/function_signatures.h"
#include "promql/parser/parser.h"
#include "promql/parser/printer.h"
#include "promqltest/script.h"

namespace epi::promqltest {
namespace {

using promql::Expr;
using promql::FunctionId;

// Their results depend on when they are evaluated even with fixed input.
constexpr std::array kTimeDependent = {
    FunctionId::kDaysInMonth, FunctionId::kDayOfMonth, FunctionId::kDayOfWeek,     FunctionId::kDayOfYear,
    FunctionId::kHour,        FunctionId::kMinute,     FunctionId::kMonth,         FunctionId::kYear,
    FunctionId::kTime,        FunctionId::kTimestamp,  FunctionId::kPredictLinear, FunctionId::kStart,
    FunctionId::kEnd,         FunctionId::kRange,      FunctionId::kStep,
};

void Fix(promql::TimeModifiers& modifiers, TimestampMs time) {
  if (modifiers.timestamp_ms) return;
  modifiers.timestamp_ms = time;
  modifiers.at = promql::AtPreprocessor::kNone;
}

// Fixes the times under `expr`. False when it meets a function that depends on the time.
bool FixTimes(Expr& expr, TimestampMs time) {
  if (auto* selector = expr.As<promql::VectorSelector>()) Fix(selector->time, time);
  if (auto* matrix = expr.As<promql::MatrixSelector>()) Fix(matrix->selector.time, time);
  if (auto* subquery = expr.As<promql::Subquery>()) {
    Fix(subquery->time, time);
    return true;  // with its time fixed, the subquery's inside is left alone
  }
  if (const auto* call = expr.As<promql::Call>()) {
    if (std::find(kTimeDependent.begin(), kTimeDependent.end(), call->function->id) != kTimeDependent.end())
      return false;
  }
  for (Expr* child : Children(expr)) {
    if (!FixTimes(*child, time)) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<QueryAt>> AtVariants(const std::string& expr, TimestampMs time) {
  EPI_ASSIGN(const promql::ExprPtr parsed, promql::ParseExpr(expr, ScriptParseOptions()));
  std::vector<QueryAt> out;
  if (!FixTimes(*parsed, time)) return out;
  const std::string fixed = promql::ToString(*parsed);
  const std::vector<TimestampMs> times = time == 0 ? std::vector<TimestampMs>{-1000, 0, 1000}
                                                   : std::vector<TimestampMs>{-10 * time, 0, time / 5, time, 10 * time};
  for (const TimestampMs t : times) out.push_back({fixed, t});
  return out;
}

}  // namespace epi::promqltest
