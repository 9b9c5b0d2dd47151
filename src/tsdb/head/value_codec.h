// Values of one series as a bit stream: constants take nothing, integers differences of differences, others XOR.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tsdb/head/cell_arena.h"
#include "tsdb/head/hot_record.h"

namespace epi::tsdb {

// Starts a chunk at `entry` with its first value. The series has no open chunk.
void OpenChunk(HotRecord& hot, uint32_t column, uint8_t entry, double value);
// Appends the value of `entry`, which is above hot.last_entry.
void AppendValue(HotRecord& hot, CellArena& arena, uint8_t entry, double value);
// Writes out the pending run, so that the stream alone says everything. A constant chunk stays without a stream.
void FinishStream(HotRecord& hot, CellArena& arena);

// Room that a decoder's output needs: an entry number is a byte.
inline constexpr size_t kMaxChunkValues = 256;
// Bytes that must be readable after the end of a stream.
inline constexpr size_t kStreamPadding = 16;

// Decodes all values of a chunk into `values`; when chunk.gaps, their entry numbers into `entries` too (else the
// entries are start, start + 1, …). Returns how many. 0 when the stream is damaged.
size_t DecodeChunk(const ValueChunk& chunk, double* values, uint8_t* entries);

}  // namespace epi::tsdb
