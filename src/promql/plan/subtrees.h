// Finds parts of a plan that occur more than once, so that they are evaluated once.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "promql/engine/steps.h"
#include "promql/plan/plan.h"

namespace epi::promql {

// The steps at which each node of a plan is evaluated differ inside subqueries and step-invariant parts; only nodes
// with equal steps are equal.
class RepeatedSubtrees {
 public:
  // The plan outlives this.
  RepeatedSubtrees(const PlanNode& plan, const StepGrid& grid);

  static constexpr uint32_t kOnce = ~uint32_t{0};
  // A number for what `node` computes, shared by all its occurrences; kOnce when it occurs once or is not worth
  // keeping.
  uint32_t Find(const PlanNode& node) const;
  // Whether no occurrence of what `node` computes needs all of its labels.
  bool LabelsProjected(const PlanNode& node) const;

 private:
  uint32_t Classify(const PlanNode& node, const StepGrid& grid);
  void CountUses(const PlanNode& node);

  std::unordered_map<std::string, uint32_t> classes_;  // by what makes nodes equal
  std::unordered_map<const PlanNode*, uint32_t> class_of_;
  std::vector<bool> reads_;             // per class: whether it reads from storage
  std::vector<bool> needs_all_labels_;  // per class: whether any occurrence does
  std::vector<uint32_t> uses_;
};

// The steps of a subquery inside an evaluation over `outer`, and of a part that is the same at every step.
StepGrid SubqueryGrid(const PlanNode& subquery, const StepGrid& outer);
StepGrid InvariantGrid(const StepGrid& outer);

}  // namespace epi::promql
