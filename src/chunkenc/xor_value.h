// A stream of floats as differences (XOR) to the value before, with a window of meaningful bits that is reused while it
// fits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "chunkenc/bit_stream.h"

namespace epi {

// The bits of a word that a stream writes: everything but `leading` high and `trailing` low ones.
struct XorWindow {
  static constexpr uint8_t kUnset = 0xff;
  uint8_t leading = kUnset;
  uint8_t trailing = 0;

  bool Holds(unsigned lead, unsigned trail) const { return leading != kUnset && lead >= leading && trail >= trailing; }
  unsigned width() const { return 64u - leading - trailing; }
  // A reader may be told to reuse a window before it was given one; then all 64 bits are there.
  void SetForReader() {
    if (leading == kUnset) leading = trailing = 0;
  }
};

inline unsigned CappedLeadingZeros(uint64_t delta) {
  return std::min(static_cast<unsigned>(std::countl_zero(delta)), 31u);
}

// Five bits of leading zeros, six of width (0 for 64), then the meaningful bits of `delta`, which is not zero.
inline void WriteNewWindow(BitWriter& out, XorWindow& window, uint64_t delta) {
  window.leading = static_cast<uint8_t>(CappedLeadingZeros(delta));
  window.trailing = static_cast<uint8_t>(std::countr_zero(delta));
  const unsigned width = window.width();
  out.Bits(window.leading, 5);
  out.Bits(width & 63, 6);
  out.Bits(delta >> window.trailing, width);
}

// The difference that follows; sets the window. A width that goes past the word is damage: false.
inline bool ReadNewWindow(BitReader& in, XorWindow& window, uint64_t& delta) {
  const uint64_t head = in.Bits(11);
  const auto leading = static_cast<unsigned>(head >> 6);
  unsigned width = head & 63;
  if (width == 0) width = 64;
  if (leading + width > 64) return false;
  window.leading = static_cast<uint8_t>(leading);
  window.trailing = static_cast<uint8_t>(64 - leading - width);
  delta = in.Bits(width) << window.trailing;
  return true;
}

// One stream as encodings 1, 3 and 6 write it; also the sum of integer histograms.
struct XorValueStream {
  uint64_t bits = 0;  // the value before
  XorWindow window;

  void Write(BitWriter& out, uint64_t value) {
    const uint64_t delta = value ^ bits;
    bits = value;
    if (delta == 0) {
      out.Bit(false);
      return;
    }
    const auto trailing = static_cast<unsigned>(std::countr_zero(delta));
    if (window.Holds(CappedLeadingZeros(delta), trailing)) {
      out.Bits(0b10, 2);
      out.Bits(delta >> window.trailing, window.width());
      return;
    }
    out.Bits(0b11, 2);
    WriteNewWindow(out, window, delta);
  }

  // False for damage that shows in the window.
  bool Read(BitReader& in) {
    const uint64_t head = in.Peek() >> 62;
    if (head < 2) {
      in.Skip(1);
      return true;
    }
    in.Skip(2);
    uint64_t delta;
    if (head == 2) {
      window.SetForReader();
      delta = in.Bits(window.width()) << window.trailing;
    } else if (!ReadNewWindow(in, window, delta)) {
      return false;
    }
    bits ^= delta;
    return true;
  }
};

}  // namespace epi
