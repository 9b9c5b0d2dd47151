// The write-ahead log: one record a batch, numbered, in segments (docs/formats/wal.md).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "telemetry/metrics.h"
#include "tsdb/wal/batch.h"
#include "tsdb/wal/series_log.h"

namespace epi::tsdb {

struct WalOptions {
  std::string directory;
  uint64_t segment_bytes = uint64_t{64} << 20;
  bool sync_each_commit = false;  // an acknowledged batch survives power loss; otherwise Sync() is called every second
};

// Thread-safe. The thread that waits first writes for all that are waiting.
class Wal final : public CommitLog {
 public:
  // `next_lsn` is shared with the series log; `sync_seconds` is told how long each sync takes. All outlive it. Nothing
  // may be appended before Start.
  Wal(FileSystem& fs, const Clock& clock, WalOptions options, SeriesLog& series_log, std::atomic<uint64_t>& next_lsn,
      Observer& sync_seconds);
  // What a segment holds, as far as removing it is concerned.
  struct Content {
    TimestampMs newest = std::numeric_limits<TimestampMs>::min();  // of its samples
    uint64_t last_lsn = 0;
  };
  // Goes on in segment `next_segment` with the number that `next_lsn` holds now; all before it are written. `existing`:
  // the segments that are there.
  void Start(uint64_t next_segment, std::map<uint64_t, Content> existing);
  ~Wal() override;

  Result<Appended> Append(const Batch& batch, LayoutChain& chain) override;
  Result<void> AwaitWritten(uint64_t lsn) override;
  uint64_t written() const override { return written_.load(std::memory_order_acquire); }

  // Makes what was written durable, the series log first. For the interval timer and shutdown; thread-safe.
  Result<void> Sync();
  // Starts a new segment with the next record: its number.
  uint64_t CutSegment();
  // What the segments hold that are there.
  std::map<uint64_t, Content> contents() const;
  // Removes the oldest segments as far as they hold only samples before `time` and numbers up to `lsn`. kIo when one
  // stays; then the next call tries again.
  Result<void> RemoveOldSegments(TimestampMs time, uint64_t lsn);
  // Bytes of all segments.
  uint64_t storage_bytes() const;

  uint64_t current_segment() const { return segment_.load(std::memory_order_acquire); }
  struct Counters {
    std::atomic<uint64_t> bytes_written{0};
    std::atomic<uint64_t> records{0};
    std::atomic<uint64_t> writes{0};
    std::atomic<uint64_t> writes_failed{0};
    std::atomic<uint64_t> syncs{0};
    std::atomic<uint64_t> syncs_failed{0};
    std::atomic<uint64_t> truncations{0};
    std::atomic<uint64_t> truncations_failed{0};
  };
  const Counters& counters() const { return counters_; }

 private:
  // Records of one segment that wait to be written.
  struct Pending {
    uint64_t segment = 0;
    uint64_t first_lsn = 0;
    uint64_t last_lsn = 0;
    std::string bytes;
  };
  // Numbers that will never be written; each has one waiter to tell.
  struct Failure {
    uint64_t first_lsn;
    uint64_t last_lsn;
    uint64_t waiters;
    Error error;
  };
  Result<void> SyncFile(File& file);
  Result<void> RemoveSegments(TimestampMs time, uint64_t lsn);
  void WriteAll(std::unique_lock<std::mutex>& lock);
  Result<void> WriteOne(const Pending& pending);
  Result<void> OpenSegment(const Pending& pending);

  FileSystem& fs_;
  const Clock& clock_;
  const WalOptions options_;
  SeriesLog& series_log_;
  std::atomic<uint64_t>& next_lsn_;  // stored to under mutex_
  Observer& sync_seconds_;
  Counters counters_;

  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> segment_{0};  // stored to under mutex_
  mutable std::mutex mutex_;
  std::condition_variable wrote_;
  uint64_t segment_size_ = 0;             // guarded by mutex_; with what is pending
  std::deque<Pending> pending_;           // guarded by mutex_
  std::map<uint64_t, Content> contents_;  // guarded by mutex_; by segment
  std::deque<Failure> failures_;          // guarded by mutex_
  std::mutex sync_mutex_;                 // held by Sync; taken before mutex_
  bool writing_ = false;                  // guarded by mutex_; somebody is in WriteAll
  std::vector<std::shared_ptr<File>>
      unsynced_;  // guarded by mutex_; handles of files with bytes to sync, the open one last

  // Owned by whoever is writing.
  std::unique_ptr<File> file_;
  uint64_t file_segment_ = 0;
};

}  // namespace epi::tsdb
