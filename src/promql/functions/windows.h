// Which samples of a series each step of a range function sees.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "promql/engine/steps.h"

namespace epi::promql {

// A range selector without its labels: at time T it covers (T - offset - range, T - offset], or, with @, the same
// window at every step. anchored and smoothed look further out; see Lower and Upper.
struct WindowSpec {
  int64_t range_ms = 0;
  int64_t offset_ms = 0;
  std::optional<TimestampMs> at;  // the @ time
  int64_t lookback_ms = 0;        // how far anchored and smoothed look beyond the range
  bool anchored = false;
  bool smoothed = false;

  bool extended() const { return anchored || smoothed; }
  // The range's own end and start (exclusive) for an evaluation at `time`.
  TimestampMs RangeEnd(TimestampMs time) const { return at.value_or(time) - offset_ms; }
  TimestampMs RangeStart(TimestampMs time) const { return RangeEnd(time) - range_ms; }
  // The bounds of the samples handed over: lower exclusive, upper inclusive.
  TimestampMs Lower(TimestampMs time) const { return RangeStart(time) - (extended() ? lookback_ms : 0); }
  TimestampMs Upper(TimestampMs time) const { return RangeEnd(time) + (smoothed ? lookback_ms : 0); }
};

// Index ranges [lo, hi) into a column of ascending times, one a step.
struct Windows {
  std::vector<uint32_t> lo;
  std::vector<uint32_t> hi;

  // `time_of(i)` gives the i-th of `count` times.
  template <typename TimeOf>
  void Compute(size_t count, TimeOf time_of, const StepGrid& grid, const WindowSpec& spec) {
    lo.resize(grid.count);
    hi.resize(grid.count);
    uint32_t low = 0;
    uint32_t high = 0;
    for (size_t k = 0; k < grid.count; ++k) {
      const TimestampMs lower = spec.Lower(grid.Time(k));
      const TimestampMs upper = spec.Upper(grid.Time(k));
      while (high < count && time_of(high) <= upper) ++high;
      while (low < high && time_of(low) <= lower) ++low;
      lo[k] = low;
      hi[k] = high;
    }
  }
};

}  // namespace epi::promql
