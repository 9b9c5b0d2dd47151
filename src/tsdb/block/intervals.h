// Deleted stretches of time of one series: closed intervals, sorted, none touching another.
#pragma once

#include <span>
#include <vector>

#include "model/sample.h"

namespace epi::tsdb {

using Intervals = std::vector<TimeRange>;

// Adds a stretch, joining it with what it overlaps or directly follows. Requires added.min <= added.max.
void AddInterval(Intervals& intervals, TimeRange added);
// Whether [range.min, range.max] lies wholly within one interval.
bool CoveredBy(const Intervals& intervals, TimeRange range);
bool OverlapsAny(const Intervals& intervals, TimeRange range);
// Whether `t` is deleted.
bool IsDeleted(const Intervals& intervals, TimestampMs t);

}  // namespace epi::tsdb
