// Takes what was written early into the head, each batch as an append of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "storage/storage.h"
#include "tsdb/early/early_record.h"
#include "tsdb/head/head.h"
#include "tsdb/wal/log_files.h"
#include "tsdb/wal/record_file.h"

namespace epi::tsdb {

// A group that was written to early, as far as the head knows it.
struct EarlyGroup {
  GroupIdentity identity;
  std::unique_ptr<BatchAppender> head;  // null before its first batch is merged
  std::vector<SeriesRef> refs;          // by number; kNoSeries: the head would not have it
};

struct EarlyMergeReport {
  uint64_t batches = 0;
  uint64_t samples = 0;  // those that were stored, or were there already
  uint64_t refused = 0;  // those that were not
  uint64_t lost = 0;     // samples of groups and series whose definition was damaged
  std::vector<LogDamage> damage;
};

// Not thread-safe. Batches get numbers in the log in the order in which they were written, and a mark beside the file
// says from which number on: a merge that was interrupted goes on behind the last batch that is in the log.
class EarlyMerge {
 public:
  struct Parts {
    FileSystem& fs;
    Head& head;
    std::atomic<uint64_t>& next_lsn;  // of the log that the head writes to; nobody else writes meanwhile
    std::string directory;
    std::string aside;                  // for copies of damaged files
    std::function<void()> after_piece;  // called between pieces of some MiB
  };
  // `highest_lsn`: of what is in the log already.
  EarlyMerge(Parts parts, uint64_t highest_lsn) : parts_(std::move(parts)), highest_lsn_(highest_lsn) {}

  // A file that an earlier life left behind, as a whole.
  Result<void> MergeFile(uint64_t number);
  // A file that is still being written to, piece by piece: Begin once, then Advance to where a whole record ends.
  // `groups`: those it may name, by number; null: the file says who they are.
  Result<void> Begin(uint64_t number);
  Result<void> Advance(uint64_t end, const std::vector<std::shared_ptr<EarlyGroup>>* groups);
  uint64_t offset() const { return offset_; }

  // Removes the files that were merged; what they said must be durable in the log. An error leaves some, which the next
  // start knows for done.
  Result<void> RemoveFiles();
  bool merged_any() const { return !files_.empty(); }
  const EarlyMergeReport& report() const { return report_; }

 private:
  Result<void> ReadMark(const std::string& path);
  Result<void> Apply(const RecordScanner::Record& record, uint64_t offset);
  Result<void> Commit(EarlyGroup& group, EarlyBatch& batch, uint64_t sequence);
  bool Define(EarlyGroup& group, const EarlyBatch& batch);
  EarlyGroup* GroupOf(const EarlyBatch& batch);
  void NoteDamage(uint64_t offset, uint64_t length, std::string what);
  std::string Path(uint64_t number, std::string_view suffix) const;

  const Parts parts_;
  const uint64_t highest_lsn_;
  EarlyMergeReport report_;
  struct Merged {
    uint64_t number;
    bool damaged = false;
  };
  std::vector<Merged> files_;

  // Of the file that is being merged.
  std::unique_ptr<File> file_;
  std::string path_;
  uint64_t offset_ = 0;
  uint64_t done_ = 0;  // batches up to this one are in the log
  MergeMark mark_;
  const std::vector<std::shared_ptr<EarlyGroup>>* live_groups_ = nullptr;
  std::map<uint32_t, EarlyGroup> groups_;  // as the file defines them, when nobody else knows them
};

}  // namespace epi::tsdb
