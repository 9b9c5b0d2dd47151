// Integers of variable length in bit streams: a prefix of ones names the width of the field behind it.
#pragma once

#include <bit>
#include <cstdint>

#include "chunkenc/bit_stream.h"

namespace epi {

namespace internal {
// Field width after a prefix of i ones; widths and order are Prometheus's (tsdb/chunkenc/varbit.go).
inline constexpr unsigned kVarbitWidths[9] = {0, 3, 6, 9, 12, 18, 25, 56, 64};
}  // namespace internal

// Fields of n bits hold -(2^(n-1)-1) .. 2^(n-1), not two's complement: the pattern 100…0 is positive.
inline bool FitsBits(int64_t v, unsigned n) {
  const int64_t half = int64_t{1} << (n - 1);
  return -(half - 1) <= v && v <= half;
}
inline int64_t FromBits(uint64_t u, unsigned n) {
  return static_cast<int64_t>(u > (uint64_t{1} << (n - 1)) ? u - (uint64_t{1} << n) : u);
}

inline void WriteVarbitPrefix(BitWriter& out, unsigned row) {
  if (row < 8) {
    out.Bits((uint64_t{1} << (row + 1)) - 2, row + 1);  // `row` ones and a zero
  } else {
    out.Bits(0xff, 8);
  }
}

inline void WriteVarbitInt(BitWriter& out, int64_t v) {
  unsigned row = 0;
  if (v != 0) {
    for (row = 1; row < 8 && !FitsBits(v, internal::kVarbitWidths[row]); ++row) {
    }
  }
  WriteVarbitPrefix(out, row);
  out.Bits(static_cast<uint64_t>(v), internal::kVarbitWidths[row]);
}

inline void WriteVarbitUint(BitWriter& out, uint64_t v) {
  unsigned row = 0;
  for (; row < 8 && (v >> internal::kVarbitWidths[row]) != 0; ++row) {
  }
  WriteVarbitPrefix(out, row);
  out.Bits(v, internal::kVarbitWidths[row]);
}

// Consumes the prefix; the row of the width table.
inline unsigned ReadVarbitPrefix(BitReader& in) {
  const auto ones = static_cast<unsigned>(std::countl_one(in.Peek()));
  if (ones >= 8) {
    in.Skip(8);
    return 8;
  }
  in.Skip(ones + 1);
  return ones;
}

inline int64_t ReadVarbitInt(BitReader& in) {
  const unsigned row = ReadVarbitPrefix(in);
  const unsigned width = internal::kVarbitWidths[row];
  const uint64_t bits = in.Bits(width);
  return row == 0 || row == 8 ? static_cast<int64_t>(bits) : FromBits(bits, width);
}

inline uint64_t ReadVarbitUint(BitReader& in) { return in.Bits(internal::kVarbitWidths[ReadVarbitPrefix(in)]); }

}  // namespace epi
