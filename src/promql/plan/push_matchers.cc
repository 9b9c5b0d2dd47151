// `a{zone="x"} * on (zone, pod) b`: no series of b outside zone x has a match, so b is read with zone="x" too.
//
// What a query answers stays as it is, errors included, so matchers go only where series that fail them can do nothing
// but find no match:
//   - `and` takes them both ways, `unless` from left to right; neither can fail.
//   - Arithmetic and comparison refuse two series for one match group, matched or not. So one side must be such that
//     its labels alone rule that out: grouped by no more than the labels that are matched, or one metric matched by all
//     its labels. Fill values need the series that do not match: nothing is handed over.
//   - Below, down to the selectors, series with other values of the label are never mixed, compared or renamed; where
//     names are dropped there is one name, so that no two series can become the same. (__type__ and __unit__, which
//     are dropped with the name, could still make a difference: with the feature for them on, matchers stay.)
//   - Nothing below says anything about samples that are then no longer read. Nearly all that can be said is about
//     native histograms, so where there are none only few functions are left alone.
// Statistics count what is read.
#include <algorithm>
#include <array>

#include "model/label_names.h"
#include "promql/engine/binary_kernels.h"
#include "promql/functions/range_kernel.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

using Matchers = std::vector<Matcher>;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsMetadata(const std::string& name) { return name == kMetricName || name == "__type__" || name == "__unit__"; }

// Whether two series match only if they have the same value of this label.
bool IsMatched(const VectorMatching& matching, const std::string& label) {
  return matching.on ? Contains(matching.labels, label) : !Contains(matching.labels, label);
}

bool KeepsLabel(const PlanNode& aggregate, const std::string& label) {
  return Contains(aggregate.grouping, label) != aggregate.without;
}

bool Folds(const PlanNode& node) { return node.kind == PlanKind::kAggregate && !HasParameter(node.aggregate); }

// What every series that the node can put out satisfies.
Matchers FactsOf(const PlanNode& node) {
  switch (node.kind) {
    case PlanKind::kSelector:
    case PlanKind::kRangeSelector: {
      Matchers out;
      for (const auto& matcher : node.matchers) {
        if (!IsMetadata(matcher.name())) out.push_back(matcher);
      }
      return out;
    }
    case PlanKind::kAggregate: {
      if (node.aggregate == AggregateOp::kCountValues) return {};
      Matchers out = FactsOf(*node.children[0]);
      // topk and its like put out elements as they are.
      const bool chooses = HasParameter(node.aggregate) && node.aggregate != AggregateOp::kQuantile;
      if (!chooses) std::erase_if(out, [&](const Matcher& matcher) { return !KeepsLabel(node, matcher.name()); });
      return out;
    }
    case PlanKind::kBinary: {
      if (!node.matching) break;
      if (node.op == BinaryOp::kOr || node.matching->fill_left || node.matching->fill_right) return {};
      const bool many_is_right = node.matching->card == MatchCardinality::kOneToMany;
      Matchers out = FactsOf(*node.children[many_is_right ? 1 : 0]);
      if (node.matching->card == MatchCardinality::kManyToMany) return out;
      const bool one_to_one = node.matching->card == MatchCardinality::kOneToOne;
      std::erase_if(out, [&](const Matcher& matcher) {
        return (one_to_one && !IsMatched(*node.matching, matcher.name())) ||
               Contains(node.matching->include, matcher.name());
      });
      return out;
    }
    default:
      break;
  }
  const PlanNode* mapped = MappedChild(node);
  return mapped == nullptr ? Matchers() : FactsOf(*mapped);
}

// Whether no two series that the node can put out belong to the same match group.
bool IsUnique(const PlanNode& node, const VectorMatching& matching, const PlanContext& context) {
  if (Folds(node)) {
    const auto& grouping = node.grouping;
    if (!node.without) {
      return std::all_of(grouping.begin(), grouping.end(),
                         [&](const std::string& label) { return IsMatched(matching, label) && !IsMetadata(label); });
    }
    return !matching.on && std::all_of(matching.labels.begin(), matching.labels.end(),
                                       [&](const std::string& label) { return Contains(grouping, label); });
  }
  if (const PlanNode* mapped = MappedChild(node)) return IsUnique(*mapped, matching, context);
  // By all labels but the name, and there is one name.
  return !context.type_and_unit_labels && !matching.on && matching.labels.empty() && HasOneName(node);
}

class MatcherPusher {
 public:
  explicit MatcherPusher(const PlanContext& context) : context_(context) {}

  size_t Visit(PlanNode& node) {
    size_t pushed = 0;
    if (node.kind == PlanKind::kBinary && node.matching) pushed += AcrossJoin(node);
    for (auto& child : node.children) pushed += Visit(*child);
    return pushed;
  }

 private:
  size_t AcrossJoin(PlanNode& join) {
    const VectorMatching& matching = *join.matching;
    if (join.op == BinaryOp::kOr || matching.fill_left || matching.fill_right) return 0;
    PlanNode& left = *join.children[0];
    PlanNode& right = *join.children[1];
    bool to_left = join.op != BinaryOp::kUnless;
    if (!IsSetOperator(join.op)) {
      const PlanNode& one = matching.card == MatchCardinality::kOneToMany ? left : right;
      if (!IsUnique(one, matching, context_)) return 0;
      to_left = true;
    }
    const Matchers of_left = FactsOf(left);
    const Matchers of_right = FactsOf(right);
    size_t pushed = Hand(of_left, matching, right);
    if (to_left) pushed += Hand(of_right, matching, left);
    return pushed;
  }

  size_t Hand(const Matchers& facts, const VectorMatching& matching, PlanNode& to) {
    size_t handed = 0;
    for (const Matcher& matcher : facts) {
      if (IsMatched(matching, matcher.name()) && Accepts(to, matcher.name())) handed += Add(to, matcher);
    }
    return handed;
  }

  // Whether fewer series of other values of `label` may be read below without anything else changing.
  bool Accepts(const PlanNode& node, const std::string& label) const {
    switch (node.kind) {
      case PlanKind::kSelector:
      case PlanKind::kRangeSelector:
        return !node.anchored && !node.smoothed && node.matchers.size() < kMostMatchers;
      case PlanKind::kAggregate:
        if (context_.native_histograms && node.aggregate != AggregateOp::kCount &&
            node.aggregate != AggregateOp::kGroup) {
          return false;
        }
        return Folds(node) && KeepsLabel(node, label) && Accepts(*node.children[0], label);
      case PlanKind::kBinary:
        // Only what is on the left of these comes out.
        if (node.op == BinaryOp::kAnd || node.op == BinaryOp::kUnless) return Accepts(*node.children[0], label);
        if (context_.native_histograms || (!IsArithmetic(node.op) && !IsComparison(node.op))) return false;
        break;
      case PlanKind::kCall:
        if (!AcceptsCall(node)) return false;
        break;
      default:
        break;
    }
    const PlanNode* mapped = MappedChild(node);
    if (mapped == nullptr) return false;
    if (node.kind != PlanKind::kStepInvariant && !StaysDistinct(*mapped)) return false;
    return Accepts(*mapped, label);
  }

  // Whether no two of the series can become the same by losing their names.
  bool StaysDistinct(const PlanNode& node) const {
    if (Folds(node) && !node.without) return std::none_of(node.grouping.begin(), node.grouping.end(), IsMetadata);
    if (const PlanNode* mapped = MappedChild(node)) return StaysDistinct(*mapped);
    return !context_.type_and_unit_labels && HasOneName(node);
  }

  // Whether the function says nothing about what it is given, whatever kind of samples that is.
  static bool IsQuiet(const PlanNode& call) {
    switch (call.function->id) {
      case FunctionId::kChanges:
      case FunctionId::kCountOverTime:
      case FunctionId::kFirstOverTime:
      case FunctionId::kLastOverTime:
      case FunctionId::kPresentOverTime:
        return true;
      default:
        return FindRangeFunction(call.function->id) == nullptr;  // elements of the wrong kind are left out silently
    }
  }

  bool AcceptsCall(const PlanNode& node) const {
    if ((context_.native_histograms || context_.use_start_timestamps) && !IsQuiet(node)) return false;
    const FunctionId id = node.function->id;
    // These complain about their arguments, once there is a series.
    if (id == FunctionId::kQuantileOverTime || id == FunctionId::kDoubleExponentialSmoothing) return false;
    if (id != FunctionId::kRate && id != FunctionId::kIncrease) return true;
    // The name is looked at where the range is a selector.
    const PlanNode* range = MappedChild(node);
    if (range == nullptr || range->kind != PlanKind::kRangeSelector) return false;
    constexpr std::array<std::string_view, 4> kCounterEndings = {"_total", "_sum", "_count", "_bucket"};
    return std::any_of(range->matchers.begin(), range->matchers.end(), [&](const Matcher& matcher) {
      return matcher.name() == kMetricName && matcher.type() == MatchType::kEqual &&
             std::any_of(kCounterEndings.begin(), kCounterEndings.end(),
                         [&](std::string_view ending) { return matcher.value().ends_with(ending); });
    });
  }

  static size_t Add(PlanNode& node, const Matcher& matcher) {
    if (node.kind == PlanKind::kSelector || node.kind == PlanKind::kRangeSelector) {
      if (std::find(node.matchers.begin(), node.matchers.end(), matcher) != node.matchers.end()) return 0;
      node.matchers.push_back(matcher);
      ++node.pushed;
      return 1;
    }
    const PlanNode* mapped = MappedChild(node);
    for (auto& child : node.children) {
      // Aggregations and joins, which map no child, take it in their first.
      if (mapped == nullptr || child.get() == mapped) return Add(*child, matcher);
    }
    return 0;
  }

  static constexpr size_t kMostMatchers = 32;
  const PlanContext& context_;
};

}  // namespace

size_t PushMatchers(PlanNode& plan, const PlanContext& context) { return MatcherPusher(context).Visit(plan); }

}  // namespace epi::promql
