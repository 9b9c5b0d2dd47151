// The remote-read server: answers a request from storage, as one message of samples or as a stream of chunks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"
#include "model/labels.h"
#include "remote/read_request.h"
#include "storage/storage.h"
#include "telemetry/metrics.h"

namespace epi::remote {

struct ReadServerOptions {
  int64_t sample_limit = 50'000'000;       // --storage.remote.read-sample-limit; of one query, samples only; 0 = none
  size_t concurrent_limit = 10;            // --storage.remote.read-concurrent-limit; others wait; 0 = none
  size_t max_bytes_in_frame = 1u << 20;    // --storage.remote.read-max-bytes-in-frame; its last chunk goes past it
  uint64_t max_decoded_bytes = 32u << 20;  // of the request
};

// Where the answer goes.
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  // Once, before the first Write; an error may follow it even then. `content_encoding` may be empty.
  virtual void Begin(std::string_view content_type, std::string_view content_encoding) = 0;
  virtual Result<void> Write(std::string_view bytes) = 0;
};

// Thread-safe.
class ReadServer {
 public:
  // `storage` and `metrics` outlive the server.
  ReadServer(ReadServerOptions options, const Storage& storage, MetricRegistry& metrics);
  // Added to every answer and taken out of the matchers; replaced as a whole on reload.
  void SetExternalLabels(Labels labels);
  // Errors before the first Write: kInvalid (400), kLimit (503, no room in `budget`), others (500); after it the stream
  // just ends. `body` is snappy-compressed. Memory is charged to `budget`. `storage`, where given, is read instead of
  // the server's own: a part of it.
  Result<void> Read(std::string_view body, std::stop_token stop, Budget& budget, ReadSink& sink,
                    const Storage* storage = nullptr);

 private:
  class Slot;
  Result<void> Samples(const Storage& storage, const ReadRequest& request, const Labels& external, std::stop_token stop,
                       Budget& budget, ReadSink& sink);
  Result<void> Chunks(const Storage& storage, const ReadRequest& request, const Labels& external, std::stop_token stop,
                      Budget& budget, ReadSink& sink);

  ReadServerOptions options_;
  const Storage& storage_;
  epi::Gauge& queries_;  // running or waiting
  std::mutex mutex_;
  std::condition_variable_any freed_;
  size_t active_ = 0;                       // guarded by mutex_
  std::shared_ptr<const Labels> external_;  // guarded by mutex_
};

}  // namespace epi::remote
