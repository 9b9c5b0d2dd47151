// The chunks directory of a block: segment files with chunks back to back.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "chunkenc/encoding.h"
#include "tsdb/block/index_format.h"

namespace epi::tsdb {

inline constexpr uint32_t kChunkSegmentMagic = 0x85BD40DD;
inline constexpr uint8_t kChunkSegmentVersion = 1;
inline constexpr size_t kChunkSegmentHeaderBytes = 8;
inline constexpr uint64_t kDefaultChunkSegmentBytes = uint64_t{512} << 20;

// A chunk as it lies in a buffer.
struct ChunkView {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  std::string_view data;
};

// Chunks read together. The views live as long as this object, until it is filled again.
struct ChunkReadBatch {
  std::vector<ChunkView> chunks;  // one for each reference asked for
  std::deque<std::string> buffers;
};

// The segments of one block, open for reading. Thread-safe.
class ChunkSegments {
 public:
  static Result<std::unique_ptr<ChunkSegments>> Open(FileSystem& fs, const std::string& directory);
  // Reads the chunks with few reads: neighbours come with one. Checksums are verified; kDataLoss names segment and
  // offset.
  Result<void> Read(std::span<const BlockChunkRef> refs, ChunkReadBatch& out) const;
  size_t segments() const { return files_.size(); }
  uint64_t bytes() const;
  uint64_t segment_bytes(size_t segment) const { return files_[segment]->size(); }
  // Parses the chunk at the beginning of `bytes`, which lies at `offset` of a segment of `segment_size` bytes. Nothing
  // when more bytes are needed: `needed` says how many from the chunk's beginning.
  static Result<ChunkView> Parse(std::string_view bytes, uint64_t offset, uint64_t segment_size, size_t& needed);

 private:
  Result<void> ReadRun(size_t segment, std::span<const BlockChunkRef> refs, ChunkReadBatch& out) const;
  std::vector<std::unique_ptr<File>> files_;
};

// Writes the segments of a new block, one after another. Not thread-safe.
class ChunkSegmentWriter {
 public:
  ChunkSegmentWriter(FileSystem& fs, std::string directory, uint64_t max_segment_bytes = kDefaultChunkSegmentBytes)
      : fs_(fs), directory_(std::move(directory)), max_segment_bytes_(max_segment_bytes) {}
  // Appends a chunk and gives its reference.
  Result<BlockChunkRef> Add(ChunkEncoding encoding, std::string_view data);
  // Writes out and syncs what is open. Nothing may be added afterwards. No chunks, no file.
  Result<void> Finish();
  uint64_t bytes_written() const { return finished_bytes_ + segment_bytes_; }

 private:
  Result<void> NextSegment();
  Result<void> Flush();
  Result<void> CloseSegment();

  FileSystem& fs_;
  std::string directory_;
  uint64_t max_segment_bytes_;
  std::unique_ptr<File> file_;
  std::string buffer_;
  uint64_t segment_ = 0;  // number of segments begun
  uint64_t segment_bytes_ = 0;
  uint64_t finished_bytes_ = 0;
};

}  // namespace epi::tsdb
