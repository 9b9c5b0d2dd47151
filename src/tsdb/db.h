// The database: head, log and what they need on disk, as one storage.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "storage/change_log.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "tsdb/block/block_cost.h"
#include "tsdb/compact/block_store.h"
#include "tsdb/db_metrics.h"
#include "tsdb/early/early_log.h"
#include "tsdb/head/block_cut.h"
#include "tsdb/head/head.h"
#include "tsdb/head/head_cost.h"
#include "tsdb/head/head_view.h"
#include "tsdb/head/run_spill.h"
#include "tsdb/import/take_over.h"
#include "tsdb/noted_log.h"
#include "tsdb/snapshot/head_snapshot.h"
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
  int64_t max_block_duration_ms = 2 * 3600 * 1000;  // to which compaction lets blocks grow
  bool merge_overlapping = true;
  uint32_t samples_per_chunk = 120;
  ChunkEncoding float_encoding = ChunkEncoding::kXor;  // of new blocks
  bool keep_start_times = false;                       // in new blocks
  bool histogram_start_times = true;                   // of histograms too
  RetentionLimits retention;
  std::string delay_compact_file;  // --storage.tsdb.delay-compact-file.path
  // The log of a Prometheus that had the directory before is imported at the start (docs/take-over.md).
  bool take_over = true;
  // The head's snapshot is due when either is reached; and when the database is closed.
  int64_t head_snapshot_interval_ms = 5 * 60'000;
  uint64_t head_snapshot_samples = 20'000'000;
  uint32_t load_threads = 0;                       // 0: as many as the machine has, but no more than 8
  uint64_t early_bytes_max = uint64_t{256} << 20;  // of what is appended while the head is loading
  int64_t maintenance_interval_ms = 60'000;        // blocks are read again, cut, compacted and deleted
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

  // Loads on a thread of its own and then keeps the log in sync with the device. Until it is ready, views answer
  // kUnavailable "TSDB not ready". Appenders do so only as long as the directory may still turn out not to be ours:
  // after that, what is appended while the head is loading goes to the early log first (decisions/033-early-log.md).
  void Start();
  // Loads on this thread, without the timer: for tests and tools.
  Result<void> Load();
  // Waits until it is ready or loading failed; the error says why.
  Result<void> AwaitReady();
  // Waits until appenders can be opened, which is mostly long before it is ready; the error says why that will not be.
  Result<void> AwaitAppendable();
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  const WalReplayProgress& replay_progress() const { return progress_; }
  // What the start found; valid once ready.
  const WalReplayReport& replay_report() const { return report_; }
  // Stops the timer, makes everything durable, removes the lock file. Idempotent.
  Result<void> Close();

  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;
  // The appender must be gone before the database.
  Result<std::unique_ptr<BackfillAppender>> OpenBackfill(const BackfillOptions& options) override;
  TimestampMs OldestTime() const override;
  ChangeLog* changes() const override { return &changes_; }

  // What the timer does every minute: reads the directory again, cuts blocks from the head when it spans more than one
  // and a half of them, compacts, and deletes beyond retention. For tests and tools.
  Result<void> Maintain();
  // Reads the directory again, for blocks that were written into it.
  Result<void> ReloadBlocks();
  // Deletes the samples of all series that match one of the sets, in head and blocks.
  Result<void> Delete(std::span<const std::vector<Matcher>> matcher_sets, TimeRange range);
  // Rewrites blocks without what is deleted.
  Result<void> CleanTombstones();
  // Links all blocks, and writes the head as one more, under <data>/snapshots. The name of the new directory there.
  Result<std::string> Snapshot(bool with_head);
  // Writes the whole head as blocks, split at the bounds of blocks, and removes the native files, so that Prometheus
  // can go on with the directory. What no block can hold is gone: exemplars and metadata. Afterwards the database is of
  // no use but to be closed.
  struct Flushed {
    size_t blocks = 0;
  };
  Result<Flushed> FlushHead();
  // Writes the head's own state, so that the next start replays only what comes after.
  Result<void> SnapshotHead();
  // Snapshots of the head that were of no use at the start.
  uint64_t snapshot_errors() const { return snapshot_errors_.load(std::memory_order_relaxed); }
  // What the start took from a snapshot; nothing when it replayed the whole log. Valid once ready.
  const std::optional<SnapshotPoint>& loaded_snapshot() const { return loaded_snapshot_; }
  void SetRetention(RetentionLimits limits) { blocks_.SetRetention(std::move(limits)); }
  // Of blocks that are written from now on.
  void SetFloatEncoding(ChunkEncoding encoding);
  const BlockStore& blocks() const { return blocks_; }
  // Of the log and the head's files.
  uint64_t log_bytes() const { return wal_.storage_bytes(); }

  // For /api/v1/status/tsdb: the `limit` largest of each list.
  HeadStatus Status(size_t limit) const { return head_.Status(limit); }
  // What every metric and every label costs, in memory and in the files of runs and blocks. The log is left out: it
  // passes. The first call after a block appeared reads its index.
  Result<CostTable> CostByName() const;
  Head& head() { return head_; }
  const Head& head() const { return head_; }
  const Wal& wal() const { return wal_; }
  const SeriesLog& series_log() const { return series_log_; }
  const RunSpill& spill() const { return spill_; }
  // The highest number that was given to a batch.
  uint64_t highest_lsn() const { return next_lsn_.load(std::memory_order_acquire) - 1; }
  struct Counters {
    std::atomic<uint64_t> compactions_triggered{0};
    std::atomic<uint64_t> compactions_failed{0};
    std::atomic<uint64_t> head_truncations_failed{0};
  };
  const Counters& counters() const { return counters_; }
  const EarlyLog& early_log() const { return early_; }
  // 1: the last run ended in order, 0: it left its lock file behind, -1: no lock file is used.
  int clean_start() const { return clean_start_; }
  uint64_t corruptions() const { return corruptions_.load(std::memory_order_relaxed); }
  double replay_seconds() const { return replay_seconds_.load(std::memory_order_relaxed); }

 private:
  Db(DbOptions options, DbDependencies dependencies);
  HeadOptions HeadOptionsOf() const;
  BlockCutOptions CutOptions(std::string foreign) const;
  Result<void> TakeDirectory();
  Result<void> Replay();
  void ReportDamage(const std::vector<LogDamage>& damage);
  Result<void> ImportForeignHead();
  Result<void> CheckForeignBlocks(TimestampMs newest) const;
  Result<void> CheckLogVersions() const;
  Result<void> OpenEarly();
  Result<void> MergeEarly();
  void Run();
  void RunMaintenance();
  // Up to which time and log number the head's samples are in blocks.
  struct InBlocks {
    TimestampMs time = kNoTime;
    uint64_t lsn = 0;
  };
  Result<InBlocks> LoadInBlocks(bool native_head);
  Result<void> StoreInBlocks();
  void Spill();
  Result<void> LoadSnapshot(ThreadPool* pool);
  bool SnapshotDue() const;
  uint64_t SamplesAppended() const;
  Result<void> SnapshotHeadLocked();
  Result<void> SyncForSnapshot();
  bool Cuttable() const;
  // Writes the oldest block range of the head, no further than to `limit`.
  Result<void> CutHead(TimestampMs limit);
  Result<void> CutLate(const HeadView& view, TimestampMs before);
  Result<void> CompactAll();
  Result<void> TryTruncate();
  Result<void> TruncateLog();
  Result<void> RewriteUntimed();

  const DbOptions options_;
  const DbDependencies deps_;
  const std::unique_ptr<MetricRegistry> unread_metrics_;  // when there is no registry
  const DbObservers observers_;
  const std::string native_;  // data/epimetheus
  TakeOver take_over_;
  std::unique_ptr<FileLock> lock_;
  int clean_start_ = -1;
  std::atomic<ChunkEncoding> float_encoding_ = options_.float_encoding;
  std::atomic<uint64_t> next_lsn_{1};
  SeriesLog series_log_;
  Wal wal_;
  mutable ChangeLog changes_;
  NotedLog noted_log_;  // the head's way to wal_
  Head head_;
  EarlyLog early_;
  BlockStore blocks_;
  RunSpill spill_;  // owned by whoever holds spill_mutex_
  std::mutex spill_mutex_;
  std::mutex work_mutex_;  // cuts, compaction, deletion and snapshots are one at a time
  InBlocks in_blocks_;     // guarded by work_mutex_
  std::optional<SnapshotPoint> loaded_snapshot_;
  std::map<uint64_t, Wal::Content> loaded_contents_;  // only while loading
  SnapshotPoint last_snapshot_;                       // guarded by work_mutex_; number 0: none
  uint64_t next_snapshot_ = 1;                        // guarded by work_mutex_
  bool snapshot_outdated_ = false;             // guarded by work_mutex_; the head lost something since the last one
  std::atomic<uint64_t> snapshot_samples_{0};  // SamplesAppended() as of the last one
  std::atomic<MonotonicNs> snapshot_time_{0};  // of the last one, or of the start
  std::atomic<uint64_t> snapshot_errors_{0};
  bool truncate_pending_ = false;  // guarded by work_mutex_; an open view reads what is in a block already
  WalReplayProgress progress_;
  WalReplayReport report_;
  Counters counters_;
  mutable BlockCosts block_costs_;
  std::atomic<uint64_t> corruptions_{0};
  std::atomic<double> replay_seconds_{0};
  std::atomic<bool> ready_{false};
  struct MetricsLink;
  std::shared_ptr<MetricsLink> metrics_link_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;         // guarded by mutex_
  bool snapshot_wanted_ = false;  // guarded by mutex_
  bool loaded_ = false;           // guarded by mutex_
  bool closed_ = false;           // guarded by mutex_
  Result<void> load_result_;      // guarded by mutex_
  std::thread thread_;
  std::thread maintenance_;
};

}  // namespace epi::tsdb
