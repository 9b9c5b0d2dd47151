// A summary: count and sum of all that was observed, quantiles of the last ten minutes.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace epi {

// Thread-safe. As client_golang's summaries with their default age: five steps of two minutes each, the newest still
// filling. Counts values from a nanosecond up in buckets of 1/32 of an octave, so that a quantile is of exactly the
// right rank and at most 1.6 % off; values outside 2^-30 to 2^40 share the buckets at the ends.
class SummaryWindow {
 public:
  explicit SummaryWindow(std::vector<double> quantiles) : quantiles_(std::move(quantiles)) {}
  // `now` is to go on; a step back counts as no step. No quantile knows of a NaN.
  void Observe(double value, MonotonicNs now);
  struct Shown {
    uint64_t count = 0;
    double sum = 0;
    std::vector<double> quantiles;  // those asked for, in their order; NaN when nothing was observed in the window
  };
  Shown Show(MonotonicNs now);

 private:
  struct Step {
    std::vector<uint32_t> counts;  // of the buckets from `first` on
    uint32_t first = 0;
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();
  };
  static constexpr size_t kSteps = 5;
  static constexpr MonotonicNs kStepNs = 120'000'000'000;

  void Advance(MonotonicNs now);
  static void Count(Step& step, uint32_t bucket);

  const std::vector<double> quantiles_;
  std::mutex mutex_;
  uint64_t count_ = 0;                      // guarded by mutex_
  double sum_ = 0;                          // guarded by mutex_
  std::array<Step, kSteps> steps_;          // guarded by mutex_; a ring
  size_t current_ = 0;                      // guarded by mutex_
  std::optional<MonotonicNs> current_end_;  // guarded by mutex_; none before the first observation
};

}  // namespace epi
