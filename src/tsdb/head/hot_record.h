// What an append touches: half a cache line a series.
#pragma once

#include <cstdint>
#include <limits>

#include "base/clock.h"

namespace epi::tsdb {

inline constexpr TimestampMs kNoTime = std::numeric_limits<TimestampMs>::min();

enum class ValueCodec : uint8_t {
  kConstant = 0,  // no stream: every value is last_value
  kInteger = 1,   // differences of differences
  kXor = 2,       // after an integer prefix, perhaps
};

// State of one series. Within an open phase a series has one chunk: it names a column of its group and the entries
// [start_entry, last_entry] of it. Between phases it only keeps its last value and time.
// Guarded by the group's lock.
struct HotRecord {
  enum Flag : uint8_t {
    kOpen = 1,    // has a chunk in this phase; without it the time of the last sample is in last_time()
    kGaps = 2,    // the chunk skips entries of its column
    kClosed = 4,  // has chunks in the group's list of closed ones
    kForked = 8,  // left its column once in this phase; the second time it gets one of its own
    kSide = 16,   // has histograms, late samples, start timestamps or deletions beside
    kStale = 32,  // the last sample is a stale marker
  };
  double last_value = 0;
  uint32_t column = 0;
  uint32_t first_cell = 0;  // this and the next: last_time while there is no open chunk
  uint32_t last_cell = 0x80000000;
  int32_t last_delta = 0;
  uint16_t bits = 0;  // of the stream; 0 = constant so far
  uint8_t start_entry = 0;
  uint8_t last_entry = 0;
  uint8_t run = 0;      // values equal to last_value that the stream does not have yet
  uint8_t leading = 0;  // of the XOR window; 2 top bits: ValueCodec
  uint8_t trailing = 0;
  uint8_t flags = 0;

  bool Has(Flag flag) const { return (flags & flag) != 0; }
  void Set(Flag flag) { flags |= flag; }
  void Unset(Flag flag) { flags &= static_cast<uint8_t>(~flag); }
  ValueCodec codec() const { return static_cast<ValueCodec>(leading >> 6); }
  uint8_t window_leading() const { return leading & 63; }
  void SetCodec(ValueCodec codec, uint8_t window_leading) {
    leading = static_cast<uint8_t>(static_cast<unsigned>(codec) << 6 | window_leading);
  }
  TimestampMs last_time() const { return static_cast<TimestampMs>(uint64_t{first_cell} | uint64_t{last_cell} << 32); }
  void SetLastTime(TimestampMs t) {
    first_cell = static_cast<uint32_t>(static_cast<uint64_t>(t));
    last_cell = static_cast<uint32_t>(static_cast<uint64_t>(t) >> 32);
  }
};
static_assert(sizeof(HotRecord) == 32);

// One chunk's stream, wherever it lies.
struct ValueChunk {
  double last_value = 0;            // what a constant chunk and the pending run repeat
  const uint8_t* stream = nullptr;  // followed by at least 8 readable bytes
  uint32_t bits = 0;
  uint8_t start_entry = 0;
  uint8_t last_entry = 0;
  bool gaps = false;
};

}  // namespace epi::tsdb
