// Writes a standard block: chunks, index, an empty tombstones file, meta.json; all in a temporary directory that is
// synced and renamed at the end, so a block is there whole or not at all.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "chunkenc/encoding.h"
#include "model/labels.h"
#include "telemetry/metrics.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/chunk_segments.h"
#include "tsdb/block/index_writer.h"

namespace epi::tsdb {

// Told of every chunk: its bytes, samples, and time range in milliseconds.
struct ChunkObservers {
  Observer& bytes;
  Observer& samples;
  Observer& range_ms;
};

struct BlockWriterOptions {
  uint64_t max_segment_bytes = kDefaultChunkSegmentBytes;
  const ChunkObservers* observers = nullptr;  // may be null; outlives the writer
};

// A finished chunk somewhere in memory.
struct ChunkToWrite {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;  // included
  std::string_view data;
};

// Not thread-safe. Destroyed without Finish it removes what it wrote.
class BlockWriter {
 public:
  // The block will be `directory`/`ulid`.
  static Result<std::unique_ptr<BlockWriter>> Create(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                                     BlockWriterOptions options = {});
  ~BlockWriter();
  // A number for `text`, for AddSeries of this writer.
  IndexSymbol Symbol(std::string_view text) { return index_.Symbol(text); }
  std::string_view Text(IndexSymbol symbol) const { return index_.Text(symbol); }
  // Series in label order, each once, with at least one chunk; chunks in order of time without overlap, data until
  // return.
  Result<void> AddSeries(std::span<const IndexLabel> labels, std::span<const ChunkToWrite> chunks);
  Result<void> AddSeries(const Labels& labels, std::span<const EncodedChunk> chunks);
  const BlockStats& stats() const { return stats_; }
  // Publishes the block with `meta`, of which ulid and stats are filled in; sources too when there are none. Nothing,
  // and no block, when no sample was added.
  Result<std::optional<BlockMeta>> Finish(BlockMeta meta);

 private:
  BlockWriter(FileSystem& fs, std::string directory, const Ulid& ulid, BlockWriterOptions options);

  FileSystem& fs_;
  std::string directory_;
  Ulid ulid_;
  std::string temporary_;
  const ChunkObservers* const observers_;
  ChunkSegmentWriter chunks_;
  IndexWriter index_;
  BlockStats stats_;
  std::vector<ChunkMeta> metas_;
  std::vector<IndexLabel> labels_;
  std::vector<ChunkToWrite> views_;
  bool published_ = false;
};

}  // namespace epi::tsdb
