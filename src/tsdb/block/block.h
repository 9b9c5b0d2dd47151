// A block opened for reading.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/file_system.h"
#include "base/result.h"
#include "model/matcher.h"
#include "storage/view.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/chunk_segments.h"
#include "tsdb/block/index_reader.h"
#include "tsdb/block/tombstones.h"

namespace epi::tsdb {

// Files stay open as long as the object, so a block that is deleted meanwhile can be read to the end. Thread-safe.
// Errors name the block.
class Block : public std::enable_shared_from_this<Block> {
 public:
  static Result<std::shared_ptr<Block>> Open(FileSystem& fs, const std::string& directory);

  const BlockMeta& meta() const { return meta_; }
  const std::string& directory() const { return directory_; }
  const IndexReader& index() const { return *index_; }
  const ChunkSegments& chunks() const { return *chunks_; }
  // Bytes of all its files.
  uint64_t bytes() const { return bytes_; }
  // As of now; a deletion makes a new list.
  std::shared_ptr<const Tombstones> tombstones() const;
  TimeRange range() const { return {meta_.min_time, meta_.max_time - 1}; }

  // Series that match and have a chunk in hints.range that is not wholly deleted, sorted by labels. Text of labels is
  // interned in `symbols`, which outlives the selection, as does `budget`. The selection keeps the block open.
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  const SymbolSpace& symbols, Budget& budget) const;
  // Sorted. Deleted series still count, as in Prometheus. `limit` 0 = all.
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers,
                                               size_t limit) const;
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit) const;

  // Marks [range.min, range.max] of all matching series deleted: rewrites the tombstones file and the count in
  // meta.json. Nothing is written when no series is touched. Returns the number of series of which
  // more is deleted now. Excludes other deletions of
  // this block only.
  Result<size_t> Delete(std::span<const Matcher> matchers, TimeRange range) const;

 private:
  Block(FileSystem& fs, std::string directory) : fs_(fs), directory_(std::move(directory)) {}
  Result<void> Load();
  Result<std::vector<std::string>> MatchingValues(std::string_view name, std::span<const Matcher> matchers,
                                                  size_t limit) const;
  Result<std::vector<std::string>> ValuesOfSeries(std::string_view name, PostingsView refs) const;
  Result<std::vector<std::string>> ValuesMeeting(std::string_view name, PostingsView refs, size_t limit) const;

  FileSystem& fs_;
  std::string directory_;
  BlockMeta meta_;  // as it was at Load; the count of tombstones on disk moves on
  std::unique_ptr<IndexReader> index_;
  std::unique_ptr<ChunkSegments> chunks_;
  uint64_t bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Tombstones> tombstones_;  // guarded by mutex_
  mutable std::mutex delete_mutex_;                       // held by Delete
};

}  // namespace epi::tsdb
