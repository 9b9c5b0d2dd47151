// The chunks of one series on their way into a new block: dropped, copied, cleaned of deleted samples, or merged.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "base/result.h"
#include "chunkenc/encoding.h"
#include "chunkenc/sample_chunker.h"
#include "tsdb/block/block_writer.h"
#include "tsdb/block/intervals.h"

namespace epi::tsdb {

// A chunk of an input.
struct SourceChunk {
  ChunkToWrite chunk;
  const Intervals* deleted = nullptr;  // of its series there, or null
};

// Reusable; not thread-safe.
class ChunkMerge {
 public:
  // `options` are for samples that are cut anew because chunks overlap.
  explicit ChunkMerge(ChunkerOptions options) : options_(options) {}
  // Takes the chunks of all inputs of one series, in any order, and gives those of the output: in order, without
  // overlap. They live until the next call, and as long as the data given in. kDataLoss when a chunk that has to be
  // decoded is damaged.
  Result<std::span<const ChunkToWrite>> Run(std::vector<SourceChunk>& chunks);

 private:
  Result<void> Clean(SourceChunk& chunk);
  Result<void> MergeGroup(std::span<const SourceChunk> group);
  void Keep(std::vector<EncodedChunk> chunks);

  ChunkerOptions options_;
  std::vector<ChunkToWrite> out_;
  std::deque<EncodedChunk> made_;  // what out_ and cleaned chunks refer to
};

}  // namespace epi::tsdb
