// What ids mean: groups, symbols and series, in a log of their own (docs/formats/wal.md).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/log_files.h"

namespace epi::tsdb {

// Thread-safe. Definitions are collected in memory; whoever writes a log record first calls Flush, so that no record in
// a file names what the series log does not define.
class SeriesLog final : public SeriesJournal {
 public:
  // `next_lsn` is what the next record of the log will get at least.
  SeriesLog(FileSystem& fs, std::string directory, const std::atomic<uint64_t>& next_lsn);
  // Writes go to a new file with this number, behind the existing ones. Before the first Flush.
  void Start(uint64_t next_file) { file_number_ = next_file; }

  void NoteGroup(uint32_t id, const GroupIdentity& identity) override;
  void NoteSymbol(SymbolId id, std::string_view text) override;
  void NoteSeries(uint32_t group, uint32_t id, uint32_t generation, LabelTuple labels) override;
  void NoteRemoved(uint32_t id) override;

  // Hands what was noted to the system.
  Result<void> Flush();
  // Writes everything the head still needs to one file and removes the older ones. Runs beside Flush; one caller at a
  // time. An error leaves the older files.
  Result<void> Compact(Head& head);
  // Makes what was flushed durable; may run beside Flush. After a failure nobody knows what of the file is on the
  // device: what was not synced is written again, to a new file, by the next Flush.
  Result<void> Sync();
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }
  uint64_t bytes_written() const { return bytes_written_.load(std::memory_order_relaxed); }
  // Of Compact: what it wrote, and the older files it removed or could not.
  struct Counters {
    std::atomic<uint64_t> rewrites{0};
    std::atomic<uint64_t> rewrites_failed{0};
    std::atomic<uint64_t> removals{0};
    std::atomic<uint64_t> removals_failed{0};
  };
  const Counters& counters() const { return counters_; }

  struct Loaded {
    uint64_t next_file = 1;
    uint64_t highest_lsn = 0;  // numbers up to it may be named by definitions
    size_t refused = 0;        // definitions that could not be used
    std::vector<LogDamage> damage;
    // For Index.
    std::deque<std::string> files;
    std::vector<std::string_view> records;
  };
  // Reads all files into an empty head: which series live. Damage never fails it; an error means that the directory
  // cannot be read.
  static Result<Loaded> Load(FileSystem& fs, const std::string& directory, const std::string& aside, Head& head);
  // The second step: symbols and labels of the series that live. May run beside replay. How many definitions could not
  // be used.
  static size_t Index(const Loaded& loaded, Head& head);

 private:
  Result<void> OpenFile();
  Result<void> FlushLocked();
  // The number of the file that stands for all before it.
  Result<uint64_t> Rewrite(Head& head);

  FileSystem& fs_;
  const std::string directory_;
  const std::atomic<uint64_t>& next_lsn_;
  std::mutex file_mutex_;       // taken before mutex_
  uint64_t file_number_ = 1;    // guarded by file_mutex_
  std::unique_ptr<File> file_;  // guarded by file_mutex_
  std::mutex mutex_;
  std::string noted_;                // guarded by mutex_; items of the next record
  std::string unsynced_;             // guarded by mutex_; items that were flushed since the last Sync
  bool distrusted_ = false;          // guarded by mutex_; the file is not written to any more
  std::shared_ptr<File> sync_file_;  // guarded by mutex_; another handle of file_
  std::atomic<bool> dirty_{false};   // flushed, not synced
  std::atomic<uint64_t> bytes_written_{0};
  Counters counters_;
};

}  // namespace epi::tsdb
