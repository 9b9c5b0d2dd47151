// Finds what has the same value at every step.
#include <algorithm>
#include <array>

#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

using Id = FunctionId;

// Functions that look at the evaluation time although their arguments do not depend on it.
constexpr std::array kTimeDependent = {Id::kDaysInMonth, Id::kDayOfMonth, Id::kDayOfWeek,    Id::kDayOfYear,
                                       Id::kHour,        Id::kMinute,     Id::kMonth,        Id::kYear,
                                       Id::kTime,        Id::kTimestamp,  Id::kPredictLinear};

struct Verdict {
  bool invariant = false;
  bool worth_wrapping = false;  // not for literals and range selectors, which their users evaluate once anyway
};

class InvariantFinder {
 public:
  size_t wrapped() const { return wrapped_; }
  Verdict Examine(PlanNode& node);
  void Wrap(PlanPtr& node);

 private:
  Verdict ExamineAll(PlanNode& node, bool invariant);
  Verdict ExamineCall(PlanNode& node);
  size_t wrapped_ = 0;
};

void InvariantFinder::Wrap(PlanPtr& node) {
  ++wrapped_;
  auto wrapper = std::make_unique<PlanNode>();
  wrapper->kind = PlanKind::kStepInvariant;
  wrapper->type = node->type;
  wrapper->pos = node->pos;
  wrapper->children.push_back(std::move(node));
  node = std::move(wrapper);
}

// Wraps the children that are worth it, unless all of them and the node itself are invariant.
Verdict InvariantFinder::ExamineAll(PlanNode& node, bool invariant) {
  std::vector<Verdict> verdicts;
  for (auto& child : node.children) {
    verdicts.push_back(Examine(*child));
    invariant = invariant && verdicts.back().invariant;
  }
  if (invariant) return {true, true};
  for (size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].worth_wrapping) Wrap(node.children[i]);
  }
  return {};
}

Verdict InvariantFinder::ExamineCall(PlanNode& node) {
  const Id id = node.function->id;
  const bool time_dependent = std::find(kTimeDependent.begin(), kTimeDependent.end(), id) != kTimeDependent.end();
  // The time of a sample that is fixed by @ is fixed too.
  const bool fixed_timestamp = id == Id::kTimestamp && node.children[0]->kind == PlanKind::kSelector;
  return ExamineAll(node, !time_dependent || fixed_timestamp);
}

Verdict InvariantFinder::Examine(PlanNode& node) {
  switch (node.kind) {
    case PlanKind::kNumber:
    case PlanKind::kString:
      return {true, false};
    case PlanKind::kSelector:
      return {node.at.has_value(), node.at.has_value()};
    case PlanKind::kRangeSelector:
      return {node.at.has_value(), false};
    case PlanKind::kSubquery:
      // Its own steps are another grid: what is the same at all of them is wrapped inside, whatever stands outside.
      if (Examine(*node.children[0]).invariant) Wrap(node.children[0]);
      return {node.at.has_value(), false};
    case PlanKind::kAggregate:
      // Only the expression counts, as in Prometheus; a parameter may still vary by step.
      return Examine(*node.children[0]);
    case PlanKind::kNegate:
      return Examine(*node.children[0]);
    case PlanKind::kBinary:
      return ExamineAll(node, true);
    case PlanKind::kCall:
      return ExamineCall(node);
    case PlanKind::kStepInvariant:
      return {true, false};
  }
  return {};
}

}  // namespace

size_t WrapStepInvariants(PlanPtr& plan) {
  InvariantFinder finder;
  if (finder.Examine(*plan).worth_wrapping) finder.Wrap(plan);
  return finder.wrapped();
}

}  // namespace epi::promql
