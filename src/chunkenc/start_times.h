// Start timestamps inside chunks (encodings 4 to 6): a byte in the header and a field after each sample from the first
// on that needs one.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "chunkenc/varbit.h"
#include "chunkenc/wrapping.h"

namespace epi {

// Header byte: bit 7 says that the first sample has a start time, bits 6-0 name the first later sample whose start time
// differs from the one before (0 = none yet). Because that field ends at 127, a chunk that gets there writes from 127
// on.
struct StartTimeState {
  static constexpr uint8_t kFirstHasStart = 0x80;
  static constexpr uint32_t kLastChange = 127;

  uint8_t header = 0;
  TimestampMs start = 0;  // of the sample before
  int64_t distance = 0;   // time of the sample before it minus start, as last written

  uint32_t change() const { return header & 0x7f; }

  // After sample `index` has been written: its start time, for the sample at `time` that follows one at `before`.
  void Write(BitWriter& out, uint32_t index, TimestampMs time, TimestampMs before, TimestampMs start_time) {
    if (index == 0) {
      if (start_time != 0) {
        header |= kFirstHasStart;
        out.Varint(WrapSub(time, start_time));
      }
      start = start_time;
      return;
    }
    if (change() == 0) {
      if (start_time == start && index < kLastChange) return;
      header |= static_cast<uint8_t>(index);
      distance = WrapSub(before, start_time);
      WriteVarbitInt(out, distance);
    } else {
      const int64_t next = WrapSub(before, start_time);
      WriteVarbitInt(out, WrapSub(next, distance));
      distance = next;
    }
    start = start_time;
  }

  void Read(BitReader& in, uint32_t index, TimestampMs time, TimestampMs before) {
    if (index == 0) {
      if (header & kFirstHasStart) start = WrapSub(time, in.Varint());
      return;
    }
    if (change() == 0 || index < change()) return;
    const int64_t read = ReadVarbitInt(in);
    distance = index == change() ? read : WrapAdd(distance, read);
    start = WrapSub(before, distance);
  }
};

}  // namespace epi
