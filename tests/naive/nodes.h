// Evaluation of the nodes that combine whole vectors; see evaluator.h.
#pragma once

#include <string>
#include <vector>

#include "naive/table.h"
#include "promql/parser/ast.h"

namespace epi::naive {

// `param` is the number parameter at each step, `text` the label of count_values.
Result<Table> Aggregate(const promql::AggregateExpr& node, const Table& input, const std::vector<double>& param,
                        const std::string& text, size_t steps, Notes& notes);

Result<Table> BinaryVectors(const promql::BinaryExpr& node, const Table& lhs, const Table& rhs, size_t steps,
                            Notes& notes);
// `swap`: the scalar stands on the left.
Result<Table> BinaryVectorScalar(const promql::BinaryExpr& node, const Table& vector, const std::vector<double>& scalar,
                                 bool swap, Notes& notes);
double BinaryScalars(promql::BinaryOp op, double lhs, double rhs);

}  // namespace epi::naive
