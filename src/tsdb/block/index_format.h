// What reader and writer of the index file agree on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "tsdb/block/postings.h"

namespace epi::tsdb {

inline constexpr uint32_t kIndexMagic = 0xBAAAD700;
inline constexpr uint8_t kIndexVersion = 2;  // written; 1 and 3 are read, 3 as 2
inline constexpr size_t kIndexHeaderBytes = 5;
inline constexpr size_t kIndexTocBytes = 52;
inline constexpr uint64_t kSeriesAlignment = 16;

// Offsets of the sections, as the table at the end of the file has them.
struct IndexToc {
  uint64_t symbols = 0;
  uint64_t series = 0;
  uint64_t label_indices = 0;
  uint64_t label_offset_table = 0;
  uint64_t postings = 0;
  uint64_t postings_table = 0;
};

// Where a chunk lies: segment number (from 0) in the upper half, offset in the segment in the lower one.
using BlockChunkRef = uint64_t;

struct ChunkMeta {
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;  // included
  BlockChunkRef ref = 0;
};

// A symbol as series entries name it: its ordinal (version 1: its offset in the file).
using IndexSymbol = uint32_t;
struct IndexLabel {
  IndexSymbol name = 0;
  IndexSymbol value = 0;
};

// One series entry, decoded.
struct IndexSeries {
  std::vector<IndexLabel> labels;  // sorted by the name's text
  std::vector<ChunkMeta> chunks;   // in order of time
};

}  // namespace epi::tsdb
