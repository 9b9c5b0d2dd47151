// The OTLP metrics receiver: a request's bytes in, one batch into storage, an answer out.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::remote {

class AppendLanes;
class SentSeries;
namespace otlp {
class DeltaStreams;
}

struct OtlpReceiverOptions {
  enum class Deltas : unsigned char {
    kRefuse,
    kToCumulative,  // --enable-feature=otlp-deltatocumulative
    kStore,         // --enable-feature=otlp-native-delta-ingestion
  };
  Deltas deltas = Deltas::kRefuse;
  uint64_t max_decoded_bytes = 32u << 20;  // Prometheus's limit
  int64_t max_future_ms = 10 * 60 * 1000;  // samples further ahead of our clock are refused
  int64_t lookback_delta_ms = 300'000;     // target_info is written twice as often
  bool type_and_unit_labels = false;       // --enable-feature=type-and-unit-labels
  bool append_metadata = false;            // --enable-feature=metadata-wal-records
  bool start_time_zero_samples = false;    // --enable-feature=created-timestamp-zero-ingestion
  bool store_start_times = false;          // --enable-feature=st-storage
  size_t max_cached_series = 4'000'000;    // label hash to series; emptied when full
};

struct OtlpAnswer {
  int status = 200;
  std::string body;  // text, ending with a newline, for errors
};

// Thread-safe: requests are independent; each is stored whole or not at all.
class OtlpReceiver {
 public:
  // All outlive the receiver.
  OtlpReceiver(OtlpReceiverOptions options, Storage& storage, Clock& clock, MetricRegistry& metrics, Logger logger);
  ~OtlpReceiver();
  // The `otlp` part of the configuration; replaced as a whole on reload.
  void SetConfig(config::OtlpConfig config);
  // Memory beyond the body is charged to `budget`.
  OtlpAnswer Receive(std::string_view content_type, std::string_view content_encoding, std::string_view body,
                     Budget& budget);

 private:
  class Batch;

  OtlpReceiverOptions options_;
  Clock& clock_;
  MetricRegistry& metrics_;
  Logger logger_;
  Counter& late_exemplars_;
  Counter& without_metadata_;
  std::unique_ptr<AppendLanes> lanes_;
  std::unique_ptr<SentSeries> known_;
  std::unique_ptr<otlp::DeltaStreams> deltas_;
  std::mutex mutex_;
  std::shared_ptr<const config::OtlpConfig> config_;  // guarded by mutex_
};

}  // namespace epi::remote
