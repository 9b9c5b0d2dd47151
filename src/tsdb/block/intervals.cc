#include "tsdb/block/intervals.h"

#include <algorithm>
#include <limits>

namespace epi::tsdb {
namespace {

// The first interval that ends at or behind `t`.
template <typename List>
auto FirstEndingFrom(List& intervals, TimestampMs t) {
  return std::lower_bound(intervals.begin(), intervals.end(), t,
                          [](const TimeRange& range, TimestampMs at) { return range.max < at; });
}

TimestampMs Before(TimestampMs t) { return t == std::numeric_limits<TimestampMs>::min() ? t : t - 1; }
TimestampMs After(TimestampMs t) { return t == std::numeric_limits<TimestampMs>::max() ? t : t + 1; }

}  // namespace

void AddInterval(Intervals& intervals, TimeRange added) {
  const auto first = FirstEndingFrom(intervals, Before(added.min));
  auto last = first;
  while (last != intervals.end() && last->min <= After(added.max)) {
    added.min = std::min(added.min, last->min);
    added.max = std::max(added.max, last->max);
    ++last;
  }
  intervals.insert(intervals.erase(first, last), added);
}

bool CoveredBy(const Intervals& intervals, TimeRange range) {
  const auto at = FirstEndingFrom(intervals, range.max);
  return at != intervals.end() && at->min <= range.min;
}

bool OverlapsAny(const Intervals& intervals, TimeRange range) {
  const auto at = FirstEndingFrom(intervals, range.min);
  return at != intervals.end() && at->min <= range.max;
}

bool IsDeleted(const Intervals& intervals, TimestampMs t) { return OverlapsAny(intervals, {t, t}); }

}  // namespace epi::tsdb
