// A sealed phase of a group: immutable, self-contained bytes. The layout is in docs/formats/runs.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
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

// What all files of spilled runs have in common.
struct RunFileShared {
  std::atomic<bool> keep{false};         // files outlive their objects
  std::atomic<uint64_t> corruptions{0};  // pages and files that were not what was written
};

// The bytes of spilled runs. The file is removed when nobody refers to it any more. Reading is thread-safe.
class RunFile {
 public:
  RunFile(FileSystem& fs, std::string path, uint64_t number, std::unique_ptr<File> file,
          std::shared_ptr<RunFileShared> shared)
      : fs_(fs), path_(std::move(path)), number_(number), file_(std::move(file)), shared_(std::move(shared)) {}
  ~RunFile();
  RunFile(const RunFile&) = delete;
  RunFile& operator=(const RunFile&) = delete;
  File& file() const { return *file_; }
  uint64_t number() const { return number_; }
  void NoteCorruption() const { shared_->corruptions.fetch_add(1, std::memory_order_relaxed); }

 private:
  FileSystem& fs_;
  const std::string path_;
  const uint64_t number_;
  const std::unique_ptr<File> file_;
  const std::shared_ptr<RunFileShared> shared_;
};

// A run, in memory or in a file. Immutable and thread-safe.
class Run {
 public:
  // Checks the header and every offset, so that reading cannot leave `bytes`. kDataLoss when something is wrong.
  static Result<std::shared_ptr<const Run>> Open(std::string bytes);
  // For tools: how long the run at the start of `bytes` says it is, which nothing has checked. kDataLoss when there is
  // none, kUnsupported when it is of another version.
  static Result<uint64_t> ClaimedBytes(std::string_view bytes);
  // Where, at `from` or behind it, something begins as a run does; the size of `bytes` when nothing does.
  static size_t FindStart(std::string_view bytes, size_t from);
  // The same run, whose bytes now also are at `offset` of `file`. Keeps a checksum of each page, nothing else.
  static std::shared_ptr<const Run> Spilled(const Run& in_memory, std::shared_ptr<const RunFile> file, uint64_t offset);

  // For the snapshot: where a spilled run lies and what it looks like, so that a start does not read it. Requires
  // !in_memory().
  void AppendReference(std::string& out) const;
  // What a reference says, before its file is opened.
  struct Reference {
    uint64_t file = 0;
    uint64_t offset = 0;
    TimeRange range;
    uint64_t first_lsn = 0;
    uint64_t last_lsn = 0;
    uint64_t bytes = 0;
    uint64_t columns = 0;
    uint64_t chunks = 0;
    uint64_t times_bytes = 0;
    std::string_view page_checksums;  // into what was read
  };
  // kDataLoss when it cannot be one.
  static Result<Reference> ReadReference(ByteReader& in);
  // The spilled run; `file` is at least offset + bytes long.
  static std::shared_ptr<const Run> Referred(const Reference& reference, uint32_t group,
                                             std::shared_ptr<const RunFile> file);

  struct Chunk {
    uint32_t column = 0;
    uint32_t stream_at = 0;
    ValueChunk values;  // its stream is null until LoadStream
  };
  uint32_t group() const { return shape_.group; }
  uint64_t first_lsn() const { return shape_.first_lsn; }
  uint64_t last_lsn() const { return shape_.last_lsn; }
  TimeRange range() const { return shape_.range; }
  size_t columns() const { return shape_.columns; }
  size_t chunk_count() const { return shape_.chunks; }
  size_t size() const { return shape_.bytes; }
  bool in_memory() const { return file_ == nullptr; }
  std::string_view bytes() const { return bytes_; }  // empty when it is in a file
  size_t memory_bytes() const {
    return sizeof *this + bytes_.capacity() + page_checksums_.capacity() * sizeof(uint32_t);
  }

 private:
  friend class RunReader;
  struct Shape {
    TimeRange range;
    uint64_t first_lsn = 0;
    uint64_t last_lsn = 0;
    size_t bytes = 0;
    size_t columns = 0;
    size_t chunks = 0;
    size_t directory_at = 0;
    size_t times_at = 0;
    size_t streams_at = 0;
    uint32_t group = 0;
  };
  Run() = default;
  static Result<Shape> CheckHeader(std::string& bytes);

  Shape shape_;
  std::string bytes_;
  std::shared_ptr<const RunFile> file_;
  uint64_t offset_ = 0;
  std::vector<uint32_t> page_checksums_;
};

// Reads parts of a run; of a spilled one it loads only the pages it needs. What it hands out lives as long as the
// reader. Not thread-safe. An error is kIo or kDataLoss of the file.
class RunReader {
 public:
  explicit RunReader(std::shared_ptr<const Run> run);
  const Run& run() const { return *run_; }
  Result<size_t> column_entries(uint32_t column);
  Result<TimeRange> column_range(uint32_t column);
  // Writes column_entries(column) times.
  Result<void> Times(uint32_t column, TimestampMs* out);
  // Chunks of `series`, oldest first, as positions [first, second) for ChunkAt().
  Result<std::pair<size_t, size_t>> Find(uint32_t series);
  // Everything but the stream: cheap to look at.
  Result<Run::Chunk> ChunkAt(size_t position);
  // Makes chunk.values.stream readable.
  Result<void> LoadStream(Run::Chunk& chunk);
  Result<uint32_t> SeriesAt(size_t position);

 private:
  Result<const char*> Bytes(size_t at, size_t size);

  std::shared_ptr<const Run> run_;
  const char* data_ = nullptr;      // the run's bytes, or buffer_
  std::unique_ptr<char[]> buffer_;  // as large as the run; only loaded pages are written to
  std::vector<bool> loaded_;        // by page
};

}  // namespace epi::tsdb
