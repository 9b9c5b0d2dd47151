// Finds selectors of whose native histograms only count and sum are used.
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

// What the nodes round a selector, from the inside out, say about the buckets of its histograms.
enum class Needs : unsigned char { kNothingYet, kStatsOnly, kBuckets };

Needs Combine(const PlanNode& outer, Needs inner) {
  if (inner == Needs::kBuckets) return inner;
  switch (outer.kind) {
    case PlanKind::kSubquery:
      return Needs::kBuckets;  // counter resets have to be found again between its points
    case PlanKind::kBinary:
      return outer.op == BinaryOp::kTrimUpper || outer.op == BinaryOp::kTrimLower ? Needs::kBuckets : inner;
    case PlanKind::kCall:
      break;
    default:
      return inner;
  }
  switch (outer.function->id) {
    case FunctionId::kHistogramCount:
    case FunctionId::kHistogramSum:
    case FunctionId::kHistogramAvg:
      return Needs::kStatsOnly;
    case FunctionId::kHistogramQuantile:
    case FunctionId::kHistogramQuantiles:
    case FunctionId::kHistogramFraction:
      return Needs::kBuckets;
    default:
      return inner;
  }
}

size_t Mark(PlanNode& node, std::vector<const PlanNode*>& path) {
  size_t marked = 0;
  if (node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector) {
    // From the inside out; the first node that needs buckets ends the search, and what was said before it is void.
    Needs needs = Needs::kNothingYet;
    for (auto outer = path.rbegin(); outer != path.rend(); ++outer) needs = Combine(**outer, needs);
    node.histogram_stats = needs == Needs::kStatsOnly;
    marked += node.histogram_stats ? 1 : 0;
  }
  path.push_back(&node);
  for (auto& child : node.children) marked += Mark(*child, path);
  path.pop_back();
  return marked;
}

}  // namespace

size_t MarkHistogramStats(PlanNode& plan) {
  std::vector<const PlanNode*> path;
  return Mark(plan, path);
}

}  // namespace epi::promql
