// How long something took, for a summary or a histogram.
#pragma once

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace epi {

// Observes, in seconds, how long it lived. Clock and observer outlive it.
class Stopwatch {
 public:
  Stopwatch(const Clock& clock, Observer& seconds) : clock_(clock), seconds_(seconds), start_(clock.Monotonic()) {}
  ~Stopwatch() { seconds_.Observe(static_cast<double>(clock_.Monotonic() - start_) * 1e-9); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const Clock& clock_;
  Observer& seconds_;
  const MonotonicNs start_;
};

}  // namespace epi
