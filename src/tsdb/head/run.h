// A sealed phase of a group: immutable, self-contained bytes. The layout is in docs/formats/runs.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/sample.h"
#include "tsdb/head/hot_record.h"

namespace epi::tsdb {

// Collects the chunks of a phase. Chunks of one series are added in time order; Finish sorts by series.
class RunBuilder {
 public:
  // Columns get numbers in the order of adding.
  void AddColumn(std::string_view encoded_times, size_t entries, TimeRange range);
  // Reserves the place for a chunk's stream in stream_bytes(); the caller appends it there before the next call.
  void AddChunk(uint32_t series, uint32_t column, const HotRecord& finished);
  std::string& stream_bytes() { return streams_; }
  bool empty() const { return chunks_.empty(); }
  // The run's bytes. The builder is used up.
  std::string Finish(uint32_t group, uint64_t first_lsn, uint64_t last_lsn);

 private:
  struct Chunk {
    uint32_t series;
    uint32_t column;
    uint32_t stream_at;
    uint16_t bits;
    uint8_t start_entry;
    uint8_t last_entry;
    bool gaps;
    double last_value;
  };
  struct ColumnEntry {
    std::string encoded;
    uint32_t entries;
    TimeRange range;
  };
  std::vector<Chunk> chunks_;
  std::vector<ColumnEntry> columns_;
  std::string streams_;
};

// Reads a run. Immutable and thread-safe.
class Run {
 public:
  // Checks the header and every offset, so that reading cannot leave `bytes`. kDataLoss when something is wrong.
  static Result<std::shared_ptr<const Run>> Open(std::string bytes);

  struct Chunk {
    uint32_t column;
    ValueChunk values;
  };
  uint32_t group() const { return group_; }
  uint64_t first_lsn() const { return first_lsn_; }
  uint64_t last_lsn() const { return last_lsn_; }
  TimeRange range() const { return range_; }
  size_t columns() const { return columns_; }
  size_t chunk_count() const { return chunk_count_; }
  size_t column_entries(uint32_t column) const;
  TimeRange column_range(uint32_t column) const;
  // Writes column_entries(column) times.
  Result<void> Times(uint32_t column, TimestampMs* out) const;
  // Chunks of `series`, oldest first, as positions [first, second) for ChunkAt().
  std::pair<size_t, size_t> Find(uint32_t series) const;
  Chunk ChunkAt(size_t position) const;
  uint32_t SeriesAt(size_t position) const;
  std::string_view bytes() const { return bytes_; }

 private:
  explicit Run(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<void> Check();
  const char* Directory(size_t position) const;
  const char* ColumnRecord(uint32_t column) const;

  std::string bytes_;
  TimeRange range_;
  uint64_t first_lsn_ = 0;
  uint64_t last_lsn_ = 0;
  size_t columns_ = 0;
  size_t chunk_count_ = 0;
  size_t directory_at_ = 0;
  size_t times_at_ = 0;
  size_t streams_at_ = 0;
  uint32_t group_ = 0;
};

}  // namespace epi::tsdb
