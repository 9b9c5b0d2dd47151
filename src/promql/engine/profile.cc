#include "promql/engine/profile.h"

#include <algorithm>
#include <utility>

#include "promql/engine/operator.h"

namespace epi::promql {

size_t QueryProfile::Enter(std::string description, size_t steps, bool shared) {
  OperatorProfile& added = operators.emplace_back();
  added.description = std::move(description);
  added.depth = depth_++;
  added.steps = static_cast<int64_t>(steps);
  added.shared = shared;
  return operators.size() - 1;
}

void QueryProfile::Leave(size_t number, Operator* op) {
  --depth_;
  if (op == nullptr) return;
  auto stats = std::make_shared<OperatorStats>();
  op->Attach(stats);
  watched_.push_back({number, op, std::move(stats)});
}

void QueryProfile::NotePrepared() {
  const auto shared = std::count_if(operators.begin(), operators.end(), [](const auto& op) { return op.shared; });
  passes.push_back({"common subexpressions", static_cast<size_t>(shared)});
  for (auto& watched : watched_) {
    if (watched.op == nullptr) continue;
    OperatorProfile& to = operators[watched.number];
    const StepGrid& grid = watched.op->grid();
    to.estimated_series = static_cast<int64_t>(watched.op->series().size());
    to.estimated_samples = to.estimated_series * static_cast<int64_t>(grid.count);
    const size_t row = grid.count * sizeof(double) + WordsFor(grid.count) * sizeof(uint64_t);
    to.estimated_bytes = to.estimated_series * static_cast<int64_t>(row);
    watched.op = nullptr;
  }
}

void QueryProfile::NoteDone() {
  for (const auto& watched : watched_) operators[watched.number].actual = *watched.stats;
}

}  // namespace epi::promql
