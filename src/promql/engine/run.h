// One evaluation: plan to result.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "promql/engine/query_state.h"
#include "promql/engine/result.h"
#include "promql/engine/steps.h"
#include "promql/plan/plan.h"

namespace epi::promql {

inline double SecondsBetween(MonotonicNs from, MonotonicNs to) { return static_cast<double>(to - from) / 1e9; }

// `text` is the query as written, for the positions of annotations. An instant query gives a vector, scalar, string or,
// for range vectors, a matrix; a range query a matrix. Timings of the phases inside are filled in.
Result<QueryResult> RunPlan(const PlanNode& plan, const StepGrid& grid, bool instant, std::string_view text,
                            bool per_step_stats, QueryState& state);

}  // namespace epi::promql
