// From the plan of a query to the operators that run it.
#pragma once

#include "promql/engine/operator.h"
#include "promql/functions/windows.h"
#include "promql/plan/plan.h"

namespace epi::promql {

// Operators for `plan`, which is no range vector, over the steps of `grid`. The plan and the query outlive them.
// kExecution for arguments that make no sense, with Prometheus's texts.
Result<OperatorPtr> BuildOperators(const PlanNode& plan, const StepGrid& grid, QueryState& query);

// The windows of a range selector or subquery.
WindowSpec WindowsOf(const PlanNode& range, const QueryState& query);

// The end of a query: names whose removal was delayed go now.
OperatorPtr RemoveNames(OperatorPtr root, QueryState& query);

}  // namespace epi::promql
