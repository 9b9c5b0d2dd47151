// Delta temporality turned into cumulative, in memory: lost when the server restarts, as with any collector.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "remote/otlp/export_request.h"

namespace epi::remote::otlp {

struct DeltaLimits {
  int64_t stale_after_ms = 5 * 60 * 1000;  // a stream without points is forgotten
  size_t max_streams = 1'000'000;          // points of further streams are dropped
  int64_t max_bytes = int64_t{512} << 20;  // of histograms' states, likewise
};

// The running totals of every stream: one set of attributes of one metric of one scope of one resource. Thread-safe.
class DeltaStreams {
 public:
  explicit DeltaStreams(DeltaLimits limits = {});
  ~DeltaStreams();
  // Adds every delta point to its stream and puts the total in its place, with the stream's first start time. Dropped
  // are points that are not newer than the stream's last one, that start before the stream, that say "no value
  // recorded" (which ends the stream), and metrics left without points. Returns how many points were dropped.
  size_t ToCumulative(ExportRequest& request, TimestampMs now);
  size_t streams() const;

 private:
  struct Key {
    uint64_t high, low;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return key.low; }
  };
  struct Stream;

  bool Accumulate(const Key& key, Kind kind, DataPoint& point, TimestampMs now);
  void Forget(TimestampMs now);
  static Key KeyOf(const ResourceMetrics& resource, const ScopeMetrics& scope, const Metric& metric,
                   const DataPoint& point);

  const DeltaLimits limits_;
  mutable std::mutex mutex_;
  boost::unordered_flat_map<Key, std::unique_ptr<Stream>, KeyHash> streams_;  // guarded by mutex_
  int64_t bytes_ = 0;                                                         // guarded by mutex_
  TimestampMs last_sweep_ = 0;                                                // guarded by mutex_
};

}  // namespace epi::remote::otlp
