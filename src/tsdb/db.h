// The database: head, log and what they need on disk, as one storage.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/series_log.h"
#include "tsdb/wal/wal.h"
#include "tsdb/wal/wal_replay.h"

namespace epi::tsdb {

struct DbOptions {
  std::string directory;  // --storage.tsdb.path
  HeadOptions head;
  bool no_lock_file = false;
  bool sync_each_commit = false;  // --storage.wal.fsync=commit
  int64_t sync_interval_ms = 1000;
  uint64_t wal_segment_bytes = uint64_t{64} << 20;
};

// All outlive the database. `metrics` may be null.
struct DbDependencies {
  FileSystem& fs;
  Clock& clock;
  Random& random;
  Logger log;
  MetricRegistry* metrics = nullptr;
};

// Thread-safe. Views and appenders must be gone before it is closed.
class Db final : public Storage {
 public:
  // Takes the directory and its lock; reads nothing yet. An error is one sentence and nothing was touched.
  static Result<std::unique_ptr<Db>> Open(DbOptions options, DbDependencies dependencies);
  ~Db() override;  // as Close, its error lost

  // Loads on a thread of its own and then keeps the log in sync with the device. Until it is ready, views and appenders
  // answer kUnavailable "TSDB not ready".
  void Start();
  // Loads on this thread, without the timer: for tests and tools.
  Result<void> Load();
  // Waits until it is ready or loading failed; the error says why.
  Result<void> AwaitReady();
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  const WalReplayProgress& replay_progress() const { return progress_; }
  // What the start found; valid once ready.
  const WalReplayReport& replay_report() const { return report_; }
  // Stops the timer, makes everything durable, removes the lock file. Idempotent.
  Result<void> Close();

  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;
  TimestampMs OldestTime() const override;

  // For /api/v1/status/tsdb: the `limit` largest of each list.
  HeadStatus Status(size_t limit) const { return head_.Status(limit); }
  Head& head() { return head_; }
  const Head& head() const { return head_; }
  const Wal& wal() const { return wal_; }
  // 1: the last run ended in order, 0: it left its lock file behind, -1: no lock file is used.
  int clean_start() const { return clean_start_; }
  uint64_t corruptions() const { return corruptions_.load(std::memory_order_relaxed); }
  double replay_seconds() const { return replay_seconds_.load(std::memory_order_relaxed); }

 private:
  Db(DbOptions options, DbDependencies dependencies);
  Result<void> TakeDirectory();
  Result<void> Replay();
  void ReportDamage(const std::vector<LogDamage>& damage);
  void Run();

  const DbOptions options_;
  const DbDependencies deps_;
  const std::string native_;  // data/epimetheus
  std::unique_ptr<FileLock> lock_;
  int clean_start_ = -1;
  std::atomic<uint64_t> next_lsn_{1};
  SeriesLog series_log_;
  Wal wal_;
  Head head_;
  WalReplayProgress progress_;
  WalReplayReport report_;
  std::atomic<uint64_t> corruptions_{0};
  std::atomic<double> replay_seconds_{0};
  std::atomic<bool> ready_{false};
  struct MetricsLink;
  std::shared_ptr<MetricsLink> metrics_link_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;     // guarded by mutex_
  bool loaded_ = false;       // guarded by mutex_
  bool closed_ = false;       // guarded by mutex_
  Result<void> load_result_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace epi::tsdb
