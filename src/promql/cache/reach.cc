#include "promql/cache/reach.h"

#include <algorithm>
#include <array>
#include <limits>

namespace epi::promql {
namespace {

using Id = FunctionId;

constexpr std::array kBoundFunctions = {Id::kStart, Id::kEnd, Id::kRange};
constexpr std::array kWholeRangeFunctions = {Id::kLabelReplace, Id::kLabelJoin, Id::kInfo};

bool SpeaksOfRange(const DurationExpr* duration) {
  if (duration == nullptr) return false;
  return duration->op == DurationExpr::Op::kRange || SpeaksOfRange(duration->lhs.get()) ||
         SpeaksOfRange(duration->rhs.get());
}

bool SpeaksOfBounds(const TimeModifiers& time) {
  return time.at != AtPreprocessor::kNone || SpeaksOfRange(time.offset_expr.get());
}

// The plan has these as numbers already.
bool DependsOnBounds(const Expr& expr) {
  bool depends = false;
  Walk(expr, [&](const Expr& node) {
    if (const auto* call = node.As<Call>()) {
      depends |= std::find(kBoundFunctions.begin(), kBoundFunctions.end(), call->function->id) != kBoundFunctions.end();
    }
    if (const auto* selector = node.As<VectorSelector>()) depends |= SpeaksOfBounds(selector->time);
    if (const auto* selector = node.As<MatrixSelector>()) {
      depends |= SpeaksOfBounds(selector->selector.time) || SpeaksOfRange(selector->range_expr.get());
    }
    if (const auto* subquery = node.As<Subquery>()) {
      depends |= SpeaksOfBounds(subquery->time) || SpeaksOfRange(subquery->range_expr.get()) ||
                 SpeaksOfRange(subquery->step_expr.get());
    }
  });
  return depends;
}

bool NamesOneMetric(const PlanNode& selector) {
  return std::any_of(selector.matchers.begin(), selector.matchers.end(), [](const Matcher& m) {
    return m.type() == MatchType::kEqual && m.name() == kMetricName && !m.value().empty();
  });
}

class ReachFinder {
 public:
  ReachFinder(TimestampMs start, TimestampMs end) : start_(start), end_(end) {}

  // `fixed`: inside a subquery with @.
  void Visit(const PlanNode& node, bool fixed) {
    switch (node.kind) {
      case PlanKind::kSelector:
      case PlanKind::kRangeSelector:
        VisitSelector(node, fixed || node.at.has_value());
        break;
      case PlanKind::kSubquery:
        subquery_ = true;
        break;
      case PlanKind::kNegate:
        negate_ = true;
        break;
      case PlanKind::kCall:
        whole_range_ |= std::find(kWholeRangeFunctions.begin(), kWholeRangeFunctions.end(), node.function->id) !=
                        kWholeRangeFunctions.end();
        break;
      case PlanKind::kBinary:
        union_ |= node.op == BinaryOp::kOr;
        break;
      default:
        break;
    }
    const bool inside = fixed || (node.kind == PlanKind::kSubquery && node.at.has_value());
    for (const auto& child : node.children) Visit(*child, inside);
  }

  std::optional<Reach> Take() {
    if (whole_range_ || reach_.selectors.empty() || (union_ && (negate_ || subquery_))) return std::nullopt;
    return std::move(reach_);
  }

 private:
  void VisitSelector(const PlanNode& node, bool fixed) {
    if (node.anchored || node.smoothed || node.is_info_labels || node.histogram_stats || !NamesOneMetric(node)) {
      whole_range_ = true;
      return;
    }
    const TimeRange read = node.hints.range;
    reach_.selectors.push_back(read);
    if (fixed) {
      reach_.fixed.min = reach_.standing ? std::min(reach_.fixed.min, read.min) : read.min;
      reach_.fixed.max = reach_.standing ? std::max(reach_.fixed.max, read.max) : read.max;
      reach_.standing = true;
      return;
    }
    const int64_t low = read.min - start_;
    const int64_t high = read.max - end_;
    reach_.low = reach_.moving ? std::min(reach_.low, low) : low;
    reach_.high = reach_.moving ? std::max(reach_.high, high) : high;
    reach_.moving = true;
  }

  const TimestampMs start_;
  const TimestampMs end_;
  Reach reach_;
  bool whole_range_ = false;
  bool subquery_ = false;
  bool negate_ = false;
  bool union_ = false;
};

// Beyond these, sums of times and durations could overflow.
constexpr TimestampMs kFarTime = std::numeric_limits<TimestampMs>::max() / 8;
bool NearInTime(TimeRange range) { return range.min > -kFarTime && range.max < kFarTime; }

}  // namespace

TimeRange Reach::Read(TimestampMs first, TimestampMs last) const {
  TimeRange read = standing ? fixed : TimeRange{first + low, last + high};
  if (moving) {
    read.min = std::min(read.min, first + low);
    read.max = std::max(read.max, last + high);
  }
  return read;
}

TimestampMs Reach::LastStepBefore(TimestampMs time) const {
  if (standing && fixed.max >= time) return std::numeric_limits<TimestampMs>::min();
  if (!moving || time >= kFarTime) return kFarTime;
  return time - 1 - high;
}

std::optional<Reach> FindReach(const Expr& expr, const PlanNode& plan, TimestampMs start, TimestampMs end,
                               const FeatureSwitches& features) {
  if (features.delayed_name_removal || features.type_and_unit_labels || features.use_start_timestamps) {
    return std::nullopt;
  }
  if (!NearInTime({start, end}) || DependsOnBounds(expr)) return std::nullopt;
  ReachFinder finder(start, end);
  finder.Visit(plan, false);
  auto reach = finder.Take();
  if (reach && !std::all_of(reach->selectors.begin(), reach->selectors.end(), NearInTime)) return std::nullopt;
  return reach;
}

}  // namespace epi::promql
