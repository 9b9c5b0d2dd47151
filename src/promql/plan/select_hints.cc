// What each selector reads from storage.
#include <limits>

#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

using Path = std::vector<const PlanNode*>;

// Offsets and ranges of the subqueries round a selector, from the innermost @ inwards.
struct SubqueryTimes {
  int64_t offset = 0;
  int64_t range = 0;
  std::optional<TimestampMs> at;
};

SubqueryTimes TimesOf(const Path& path) {
  SubqueryTimes times;
  for (const PlanNode* node : path) {
    if (node->kind != PlanKind::kSubquery) continue;
    if (node->at) times = {0, 0, node->at};
    times.offset += node->offset_ms;
    times.range += node->range_ms;
  }
  return times;
}

TimeRange RangeFor(const PlanNode& selector, const Path& path, const PlanContext& context) {
  TimestampMs start = context.start;
  TimestampMs end = context.end;
  const SubqueryTimes subqueries = TimesOf(path);
  if (subqueries.at) start = end = *subqueries.at;
  if (selector.at) {
    start = end = *selector.at;
  } else {
    start -= subqueries.offset + subqueries.range;
    end -= subqueries.offset;
  }
  // Windows are open on the left, so the first millisecond is not needed.
  const bool range_selector = selector.kind == PlanKind::kRangeSelector;
  const bool extended = selector.anchored || selector.smoothed;
  if (range_selector) start -= selector.range_ms - 1;
  if (!range_selector) start -= context.lookback_ms - 1;
  if (range_selector && extended) start -= context.lookback_ms;
  if (selector.smoothed) end += context.lookback_ms;
  return {start - selector.offset_ms, end - selector.offset_ms};
}

// The function or aggregation whose argument the selector is, looking through everything but binary operators.
std::string FunctionOf(const Path& path) {
  for (auto at = path.rbegin(); at != path.rend(); ++at) {
    switch ((*at)->kind) {
      case PlanKind::kAggregate:
        return std::string(AggregateOpName((*at)->aggregate));
      case PlanKind::kCall:
        return std::string((*at)->function->name);
      case PlanKind::kBinary:
        return {};
      default:
        break;
    }
  }
  return {};
}

void Assign(PlanNode& node, Path& path, const PlanContext& context) {
  if (node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector) {
    SelectHints& hints = node.hints;
    hints.range = RangeFor(node, path, context);
    hints.step_ms = context.step_ms;
    for (const PlanNode* outer : path) {
      if (outer->kind == PlanKind::kSubquery) hints.step_ms = outer->step_ms;
    }
    hints.range_ms = node.range_ms;
    hints.function = FunctionOf(path);
    const PlanNode* parent = path.empty() ? nullptr : path.back();
    if (parent != nullptr && parent->kind == PlanKind::kAggregate) {
      hints.by = !parent->without;
      hints.grouping = parent->grouping;
    }
  }
  const bool transparent = node.kind == PlanKind::kStepInvariant;
  if (!transparent) path.push_back(&node);
  for (auto& child : node.children) Assign(*child, path, context);
  if (!transparent) path.pop_back();
}

}  // namespace

void AssignSelectHints(PlanNode& plan, const PlanContext& context) {
  Path path;
  Assign(plan, path, context);
}

}  // namespace epi::promql
