// Finds what is only grouped by some of its labels. Operators below need not make label sets without the metric name
// then, and those that check whether two of them have become equal have nothing to check where there is one name.
#include <algorithm>

#include "model/label_names.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

using Needed = std::optional<std::vector<std::string>>;  // nothing: all labels

// Aggregations that say nothing about their input but its groups.
bool LooksAtGroupsOnly(const PlanNode& node) {
  if (node.kind != PlanKind::kAggregate || node.without) return false;
  if (HasParameter(node.aggregate) && node.aggregate != AggregateOp::kQuantile) return false;
  return std::none_of(node.grouping.begin(), node.grouping.end(), [](const std::string& label) {
    return label == kMetricName || label == "__type__" || label == "__unit__";
  });
}

size_t Project(PlanNode& node, const Needed& needed) {
  node.needed_labels = needed;
  const bool reads = node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector;
  size_t projected = reads && needed ? 1 : 0;
  Needed of_groups;
  const bool groups_only = LooksAtGroupsOnly(node);
  if (groups_only) of_groups = node.grouping;
  // What a subquery's points are called is told in annotations about it.
  const PlanNode* mapped = node.kind == PlanKind::kSubquery ? nullptr : MappedChild(node);
  for (auto& child : node.children) {
    const Needed* passed = nullptr;
    if (groups_only && child->type == ValueType::kVector) passed = &of_groups;
    if (child.get() == mapped) passed = &needed;
    projected += Project(*child, passed == nullptr ? Needed() : *passed);
  }
  return projected;
}

}  // namespace

size_t ProjectLabels(PlanNode& plan) { return Project(plan, std::nullopt); }

}  // namespace epi::promql
