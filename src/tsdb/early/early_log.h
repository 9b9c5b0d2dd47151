// What is written while the head is still loading: each batch goes to a file of its own kind before it is acknowledged,
// and into the head, as if it came only then, when that is there (docs/decisions/033-early-log.md).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "storage/storage.h"
#include "tsdb/early/early_merge.h"
#include "tsdb/head/head.h"

namespace epi::tsdb {

struct EarlyLogOptions {
  std::string directory;
  // Of the file, together with the labels that wait to be written to it. Beyond it everything is refused.
  uint64_t max_bytes = uint64_t{256} << 20;
  bool sync_each_commit = false;  // an acknowledged batch survives power loss; otherwise it does after sync_interval_ms
  int64_t sync_interval_ms = 1000;
};

// Thread-safe. Appenders refer to it, and must be gone before it is.
class EarlyLog {
 public:
  // All outlive it. The head is not touched before HandOver.
  EarlyLog(FileSystem& fs, Clock& clock, Head& head, EarlyLogOptions options);

  // From now on batches are taken. The file gets `number` and is made with the first batch.
  void Open(uint64_t number);
  // Lets the head have everything, and then every batch: `merge` is given what was written until nothing is left,
  // the last of it while no batch can come in between. After an error batches are refused.
  Result<void> HandOver(EarlyMerge& merge);

  // Its appender writes here, and to the head once that has taken over. kUnavailable before Open.
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity);
  // Of its file, there or not; 0 before Open.
  uint64_t number() const { return number_; }
  bool open() const { return state_.load(std::memory_order_acquire) != State::kClosed; }

  struct Counters {
    std::atomic<uint64_t> batches{0};
    std::atomic<uint64_t> refused{0};  // batches and series that did not fit or could not be written
  };
  const Counters& counters() const { return counters_; }

  // --- for the appender ---
  bool handed_over() const { return state_.load(std::memory_order_acquire) == State::kHandedOver; }
  // Writes a record, as durable as the settings promise. False: the head has taken over, and nothing was written.
  Result<bool> Append(std::string_view payload);
  // Room for labels that wait to be written; kUnavailable when there is none.
  Result<void> Reserve(uint64_t bytes);
  void Release(uint64_t bytes) { reserved_.fetch_sub(bytes, std::memory_order_relaxed); }
  Head& head() { return head_; }

 private:
  enum class State : unsigned char { kClosed, kOpen, kHandedOver, kFailed };
  Result<void> Write(std::string_view record);
  Result<void> OpenFile();
  std::string Path() const;

  FileSystem& fs_;
  Clock& clock_;
  Head& head_;
  const EarlyLogOptions options_;
  Counters counters_;
  std::atomic<uint64_t> reserved_{0};
  std::atomic<State> state_{State::kClosed};  // stored to under mutex_
  uint64_t number_ = 0;                       // stored to by Open
  std::mutex mutex_;
  uint64_t sequence_ = 0;                            // guarded by mutex_; of the last record
  std::unique_ptr<File> file_;                       // guarded by mutex_; null before the first record
  bool broken_ = false;                              // guarded by mutex_; nothing more is written to the file
  MonotonicNs synced_ = 0;                           // guarded by mutex_
  std::vector<std::shared_ptr<EarlyGroup>> groups_;  // guarded by mutex_; by number
};

}  // namespace epi::tsdb
