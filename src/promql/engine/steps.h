// The times at which a part of a query is evaluated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace epi::promql {

// start, start + interval, …: `count` times. Subqueries have grids of their own; an instant evaluation has one step.
struct StepGrid {
  TimestampMs start = 0;
  int64_t interval = 1;  // > 0
  size_t count = 1;      // may be 0 (a subquery whose range holds no step)

  TimestampMs Time(size_t step) const { return start + static_cast<int64_t>(step) * interval; }
  TimestampMs Last() const { return Time(count == 0 ? 0 : count - 1); }
  bool instant() const { return count == 1; }
  friend bool operator==(const StepGrid&, const StepGrid&) = default;

  static StepGrid Instant(TimestampMs at) { return {at, 1, 1}; }
  static StepGrid Range(TimestampMs start, TimestampMs end, int64_t interval) {
    // Unsigned, because the difference of two far times does not fit otherwise.
    const uint64_t length = static_cast<uint64_t>(end) - static_cast<uint64_t>(start);
    return {start, interval, end < start ? 0 : static_cast<size_t>(length / static_cast<uint64_t>(interval)) + 1};
  }
};

}  // namespace epi::promql
