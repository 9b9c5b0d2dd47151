// Chunks of floats: encoding 1 (XOR) and encoding 4 (XOR2, with optional start timestamps).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "chunkenc/bit_stream.h"
#include "chunkenc/encoding.h"
#include "chunkenc/start_times.h"
#include "chunkenc/xor_value.h"

namespace epi {

// Writes one chunk of either encoding. Takes any times and values (bit patterns are kept, stale markers included);
// order and the limit of MaxChunkSamples are the caller's business. Reusable after Reset. Not thread-safe.
class FloatChunkEncoder {
 public:
  explicit FloatChunkEncoder(ChunkEncoding encoding);  // requires IsFloatEncoding
  // `start_time` 0 = none; encoding 1 has no room for it and drops it.
  void Append(TimestampMs time, double value, TimestampMs start_time = 0);
  ChunkEncoding encoding() const { return encoding_; }
  uint32_t samples() const { return samples_; }
  TimestampMs min_time() const { return min_time_; }
  TimestampMs max_time() const { return time_; }
  // Bytes of the chunk as it stands.
  size_t bytes() const { return kHeaderBytes[encoding_ == ChunkEncoding::kXor2] + stream_.size(); }
  // The chunk as it stands. Appending may go on.
  EncodedChunk Snapshot() const;
  void Reset() { *this = FloatChunkEncoder(encoding_); }

 private:
  static constexpr size_t kHeaderBytes[2] = {2, 3};
  void AppendXor(TimestampMs time, uint64_t bits);
  void AppendXor2(TimestampMs time, uint64_t bits);
  void WriteJointControl(int64_t change, uint64_t bits);
  void WriteValue(uint64_t bits);

  BitWriter stream_;
  TimestampMs min_time_ = 0;
  TimestampMs time_ = 0;
  int64_t step_ = 0;
  XorValueStream value_;  // for encoding 4 the value before that was no stale marker
  StartTimeState starts_;
  uint32_t samples_ = 0;
  ChunkEncoding encoding_;
};

// Decodes a whole chunk. `times` and `values` have room for ChunkSampleCount() entries and are filled; `starts` is null
// or has the same room (0 = no start time). kDataLoss when the data ends early or contradicts itself; bytes behind the
// last sample are ignored, for some writers leave one. Requires IsFloatEncoding.
Result<void> DecodeFloatChunk(ChunkEncoding encoding, std::string_view data, TimestampMs* times, double* values,
                              TimestampMs* starts);

}  // namespace epi
