// The remote-write receiver: a request's bytes in, one batch into storage, an answer out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/budget.h"
#include "base/clock.h"
#include "base/result.h"
#include "remote/write_request.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::remote {

class AppendLanes;
class SentSeries;

struct WriteReceiverOptions {
  std::vector<WriteMessage> accepted = {WriteMessage::kV1, WriteMessage::kV2};
  uint64_t max_decoded_bytes = 32u << 20;  // Prometheus's limit
  int64_t max_future_ms = 10 * 60 * 1000;  // samples further ahead of our clock are refused
  bool type_and_unit_labels = false;       // --enable-feature=type-and-unit-labels
  bool append_metadata = false;            // --enable-feature=metadata-wal-records
  bool start_time_zero_samples = false;    // --enable-feature=created-timestamp-zero-ingestion
  bool store_start_times = false;          // --enable-feature=st-storage
  size_t max_cached_series = 4'000'000;    // label hash to series; emptied when full
};

struct WriteAnswer {
  int status = 204;
  std::string body;  // text, ending with a newline, for errors
  // Version 2.0 only: what the X-Prometheus-Remote-Write-*-Written headers say.
  bool has_written = false;
  uint64_t samples_written = 0;
  uint64_t histograms_written = 0;
  uint64_t exemplars_written = 0;
};

// Thread-safe: requests are independent; each goes into storage as one batch, whole in order of its series.
class WriteReceiver {
 public:
  // All outlive the receiver.
  WriteReceiver(WriteReceiverOptions options, Storage& storage, Clock& clock, MetricRegistry& metrics, Logger logger);
  ~WriteReceiver();
  // The body is snappy-compressed. What it becomes is charged to `budget`: 503 when there is no room, as it may come
  // again; 400 when it would never fit.
  WriteAnswer Receive(std::string_view content_type, std::string_view content_encoding, std::string_view body,
                      Budget& budget);

 private:
  class Request;
  WriteReceiverOptions options_;
  Clock& clock_;
  Logger logger_;
  Counter& invalid_labels_;
  std::unique_ptr<AppendLanes> lanes_;
  std::unique_ptr<SentSeries> cache_;
};

}  // namespace epi::remote
