// Values of duration expressions, known once a query's step and range are.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "promql/parser/ast.h"

namespace epi::promql {

struct DurationContext {
  int64_t step_ms = 0;   // step() of the query; 0 for instant queries
  int64_t range_ms = 0;  // end - start of the query
};

// Truncated to milliseconds. kInvalid with Prometheus's text: division or modulo by zero, NaN, out of range, or not
// positive unless `allow_negative`.
Result<int64_t> EvaluateDuration(const DurationExpr& expr, const DurationContext& context, bool allow_negative);

// Fills range_ms, step_ms and offset_ms from the expressions beside them, everywhere in the tree. The expressions stay,
// so the tree still prints as written.
Result<void> ResolveDurations(Expr& expr, const DurationContext& context);

}  // namespace epi::promql
