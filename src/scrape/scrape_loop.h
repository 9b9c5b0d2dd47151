// One target's life: when it is scraped, what becomes of each answer, and what is known of its health.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "net/http_client.h"
#include "scrape/failure_log.h"
#include "scrape/inflate.h"
#include "scrape/ingest.h"
#include "scrape/scheduler.h"
#include "scrape/scrape_job.h"
#include "scrape/scrape_metrics.h"
#include "scrape/status.h"
#include "scrape/target.h"
#include "storage/storage.h"
#include "telemetry/log.h"

namespace epi::scrape {

class InflaterPool;

// Counts scrapes under way, so that whoever stops can wait for them. Thread-safe.
class InFlight {
 public:
  void Enter();
  void Leave();
  void AwaitNone();

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_ = 0;  // guarded by mutex_
};

// What every loop needs; owned by the manager, outlives the loops.
struct ScrapeContext {
  Storage& storage;
  net::HttpClient& http;
  Clock& clock;
  Logger logger;
  ScrapeMetrics& metrics;
  Scheduler& scheduler;
  ThreadPool& workers;
  InflaterPool& inflaters;
  InFlight& in_flight;
  std::shared_ptr<MetadataInterner> interner;
  TextHashKey hash_key;
  uint64_t offset_seed = 0;
  bool align_timestamps = true;
  int64_t timestamp_tolerance_ns = 2'000'000;
  // Bodies are never larger than this, compressed or not, whatever body_size_limit says.
  uint64_t body_hard_cap = uint64_t{256} << 20;
};

// What the loops of one pool share. Immutable; a reload makes a new one.
struct PoolSettings {
  ScrapeJob job;
  SampleRules rules;
  std::shared_ptr<const net::HttpProfile> profile;
  std::string accept;
  std::shared_ptr<FailureLog> failure_log;
};

struct TargetState {
  TargetHealth health = TargetHealth::kUnknown;
  std::string last_error;
  int64_t last_scrape_ns = 0;  // wall clock; 0 before the first scrape
  double last_duration_seconds = 0;
  uint64_t refused_new_series = 0;  // by the last scrape
};

// Thread-safe. Start once; after Stop it lives on until its stale markers are written.
class ScrapeLoop : public std::enable_shared_from_this<ScrapeLoop> {
 public:
  ScrapeLoop(ScrapeContext& context, std::shared_ptr<const Target> target,
             std::shared_ptr<const PoolSettings> settings);
  ~ScrapeLoop();

  // The first scrape comes at the target's place in its interval.
  void Start();
  enum class StopReason : unsigned char {
    kTargetGone,  // a scrape that runs is finished; the series end with stale markers, see below
    kShutdown,    // a scrape that runs is cancelled and leaves nothing behind
  };
  // No further scrape begins. When the target is gone, its series get a stale marker at the time of the first scrape
  // that is missed; it is written a little more than one interval later, in case the target comes back.
  void Stop(StopReason reason);
  // Takes over cache and series of a stopped loop of the same target, whose stale markers are then not written.
  void Adopt(ScrapeLoop& former);
  void Reconfigure(std::shared_ptr<const PoolSettings> settings);
  // While set, no request is made and every scrape fails with this.
  void ForceError(std::optional<Error> error);

  const Target& target() const { return *target_; }
  std::shared_ptr<const Target> shared_target() const { return target_; }
  TargetState state() const;
  // Shared: it may outlive the loop, and a loop that adopts another takes over its cache.
  std::shared_ptr<const MetadataCache> metadata() const;

 private:
  // One attempt, from its tick to its commit.
  struct Attempt {
    int64_t start_ns = 0;
    MonotonicNs started = 0;
    TimestampMs time = 0;
    std::optional<Error> error;
    int64_t body_bytes = 0;
    IngestResult ingested;
  };

  void ScheduleTick(MonotonicNs due);
  void OnTick(MonotonicNs due);
  void Begin();
  void SendRequest(const std::shared_ptr<Attempt>& attempt);
  void Finish(Attempt& attempt, Result<net::HttpResponse> response);
  TimestampMs AlignedTime(int64_t now_ns);
  Result<std::string_view> Body(const net::HttpResponse& response, const PoolSettings& settings,
                                class Inflater& inflater, Attempt& attempt);
  void Store(Attempt& attempt, std::string_view body, ExpositionFormat format, const PoolSettings& settings);
  void Report(Attempt& attempt, const PoolSettings& settings, BatchAppender& appender);
  void Account(const Attempt& attempt, const AppendReport& report, const PoolSettings& settings);
  void LogFormat(const net::HttpResponse& response, std::string_view reason, const PoolSettings& settings,
                 LogLevel level) const;
  void Conclude(Attempt& attempt, const PoolSettings& settings);
  Result<BatchAppender*> Appender();
  void ReportSample(size_t index, double value, BatchAppender& appender);
  void WriteEndOfRunMarkers(TimestampMs time);

  ScrapeContext& context_;
  const std::shared_ptr<const Target> target_;
  const int64_t interval_ns_;
  const ScrapeMetrics::IntervalMetrics interval_metrics_;

  mutable std::mutex mutex_;
  std::shared_ptr<const PoolSettings> settings_;  // guarded by mutex_
  std::optional<Error> forced_error_;             // guarded by mutex_
  TargetState state_;                             // guarded by mutex_
  bool running_ = false;                          // guarded by mutex_: a scrape is under way
  bool tick_waiting_ = false;                     // guarded by mutex_: a tick came while one was
  bool stopped_ = false;                          // guarded by mutex_
  bool stale_markers_ = false;                    // guarded by mutex_: wanted when the loop has stopped
  bool rules_changed_ = false;                    // guarded by mutex_: cached lines are no longer right
  net::HttpClient::RequestId request_ = 0;        // guarded by mutex_
  MonotonicNs next_due_ = 0;                      // guarded by mutex_

  // Only for the scrape that runs.
  int64_t aligned_ns_ = 0;
  int64_t last_start_ns_ = 0;
  std::unique_ptr<SampleIngest> ingest_;
  std::unique_ptr<BatchAppender> appender_;
  static constexpr size_t kReportSeries = 8;
  std::array<SeriesRef, kReportSeries> report_refs_{};
};

// Inflaters for the workers. Thread-safe.
class InflaterPool {
 public:
  std::unique_ptr<Inflater> Take();
  void Give(std::unique_ptr<Inflater> inflater);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Inflater>> idle_;  // guarded by mutex_
};

// The pool's rules from its job and the storage's abilities.
struct StorageAbilities {
  bool exemplars = false;
  bool start_timestamps = false;    // feature st-storage
  bool start_zero_samples = false;  // feature created-timestamp-zero-ingestion
  bool synthesize_starts = false;   // feature st-synthesis
  bool metadata = false;
  bool type_and_unit_labels = false;
};
SampleRules RulesOf(const ScrapeJob& job, const StorageAbilities& abilities);
// Whether lines cached under one set of rules mean the same under the other.
bool SameMeaning(const SampleRules& a, const SampleRules& b);

}  // namespace epi::scrape
