// The sparse exponential buckets of a native histogram: https://prometheus.io/docs/specs/native_histograms.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "telemetry/metric_family.h"

namespace epi {

// Thread-safe. Neighbouring bounds differ by a factor of 2^(1/8), the widest that stays below the 1.1 that Prometheus
// asks for. While more than 100 buckets are filled they are shown joined, two by two, until they are not: nothing that
// was counted is ever given up.
class NativeBuckets {
 public:
  void Observe(double value);
  // Sets the native members of `out`.
  void Collect(MetricHistogram& out) const;

 private:
  using Side = std::map<int32_t, uint64_t>;  // index of the bucket and count; bounds (base^(i-1), base^i]

  mutable std::mutex mutex_;
  Side positive_, negative_;  // guarded by mutex_
  uint64_t zero_count_ = 0;   // guarded by mutex_
};

}  // namespace epi
