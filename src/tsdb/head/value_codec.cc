#include "tsdb/head/value_codec.h"

#include <bit>
#include <cmath>

#include "base/bytes.h"

// The stream, bits from the lowest up (docs/formats/runs.md):
//   first value:  1 + 32 bits zigzag integer, or 0 + 64 bits of the double; then 1 = integer mode, 0 = XOR mode
//   integer mode: 0 same step as before; 10 same value; 110+7, 1110+13, 11110+35 zigzag change of the step;
//                 111110+8 n equal values; 1111110+8 skip n entries; 1111111+64 XOR mode from this value on
//   XOR mode:     0 same value; 10 window as before; 110+6+6 leading zeros, length - 1, bits; 1110+8 n equal values;
//                 11110+8 skip n entries
namespace epi::tsdb {
namespace {

constexpr uint8_t kNoWindow = 63;                     // leading zeros of a window that is never reused
constexpr unsigned kShortRun = 3;                     // longer runs get a count
constexpr double kExactInteger = 9007199254740992.0;  // 2^53

struct Token {
  uint8_t prefix;
  uint8_t length;
};
// Prefixes as they lie in the stream: ones first, then a zero.
constexpr Token kIntSameStep{0b0, 1};
constexpr Token kIntRepeat{0b01, 2};
constexpr Token kIntSmall{0b011, 3};
constexpr Token kIntMiddle{0b0111, 4};
constexpr Token kIntLarge{0b01111, 5};
constexpr Token kIntRun{0b011111, 6};
constexpr Token kIntSkip{0b0111111, 7};
constexpr Token kIntToXor{0b1111111, 7};
constexpr Token kXorRepeat{0b0, 1};
constexpr Token kXorReuse{0b01, 2};
constexpr Token kXorWindow{0b011, 3};
constexpr Token kXorRun{0b0111, 4};
constexpr Token kXorSkip{0b01111, 5};

bool IsExactInteger(double v) {
  // Minus zero is no integer here: its sign would be lost. NaN fails the comparison.
  return v > -kExactInteger && v < kExactInteger && v == std::trunc(v) && !(v == 0 && std::signbit(v));
}

void PutBits(HotRecord& hot, CellArena& arena, uint64_t value, unsigned count) {
  while (count > 0) {
    const unsigned at = hot.bits % CellArena::kCellBits;
    if (at == 0) {
      const uint32_t fresh = arena.Allocate();
      if (hot.bits == 0) {
        hot.first_cell = fresh;
      } else {
        arena[hot.last_cell].next = fresh;
      }
      hot.last_cell = fresh;
    }
    Cell& cell = arena[hot.last_cell];
    const unsigned shift = at & 31;
    const unsigned take = count < 32 - shift ? count : 32 - shift;
    const auto piece = static_cast<uint32_t>(value & ((uint64_t{1} << take) - 1));
    cell.words[at >> 5] |= piece << shift;
    hot.bits = static_cast<uint16_t>(hot.bits + take);
    value >>= take;
    count -= take;
  }
}

void PutToken(HotRecord& hot, CellArena& arena, Token token) { PutBits(hot, arena, token.prefix, token.length); }

void PutTokenAnd(HotRecord& hot, CellArena& arena, Token token, uint64_t value, unsigned bits) {
  if (bits + token.length <= 64) {
    PutBits(hot, arena, token.prefix | value << token.length, token.length + bits);
  } else {
    PutToken(hot, arena, token);
    PutBits(hot, arena, value, bits);
  }
}

void PutFirstValue(HotRecord& hot, CellArena& arena, bool integer_mode) {
  const double v = hot.last_value;
  if (IsExactInteger(v) && std::abs(v) < 2147483647.0) {
    PutBits(hot, arena, 1 | (ZigZag(static_cast<int64_t>(v)) << 1), 33);
  } else {
    PutBits(hot, arena, 0, 1);
    PutBits(hot, arena, std::bit_cast<uint64_t>(v), 64);
  }
  PutBits(hot, arena, integer_mode ? 1 : 0, 1);
  hot.SetCodec(integer_mode ? ValueCodec::kInteger : ValueCodec::kXor, kNoWindow);
  hot.last_delta = 0;
}

void FlushRun(HotRecord& hot, CellArena& arena) {
  if (hot.run == 0) return;
  const bool integers = hot.codec() == ValueCodec::kInteger;
  if (hot.run <= kShortRun) {
    for (unsigned i = 0; i < hot.run; ++i) PutToken(hot, arena, integers ? kIntRepeat : kXorRepeat);
  } else {
    PutTokenAnd(hot, arena, integers ? kIntRun : kXorRun, hot.run, 8);
  }
  hot.run = 0;
}

// The step to `value` when integer mode can code it.
bool StepTo(const HotRecord& hot, double value, int32_t& step) {
  if (!IsExactInteger(value) || !IsExactInteger(hot.last_value)) return false;
  const double difference = value - hot.last_value;
  if (!(std::abs(difference) < 2147483647.0)) return false;
  step = static_cast<int32_t>(difference);
  return hot.last_value + step == value;
}

void PutStep(HotRecord& hot, CellArena& arena, int32_t step) {
  const uint64_t change = ZigZag(static_cast<int64_t>(step) - hot.last_delta);
  hot.last_delta = step;
  if (change == 0) {
    PutToken(hot, arena, kIntSameStep);
  } else if (change < (1u << 7)) {
    PutTokenAnd(hot, arena, kIntSmall, change, 7);
  } else if (change < (1u << 13)) {
    PutTokenAnd(hot, arena, kIntMiddle, change, 13);
  } else {
    PutTokenAnd(hot, arena, kIntLarge, change, 35);
  }
}

void PutXor(HotRecord& hot, CellArena& arena, double value) {
  const uint64_t x = std::bit_cast<uint64_t>(value) ^ std::bit_cast<uint64_t>(hot.last_value);
  const auto leading = static_cast<unsigned>(std::countl_zero(x));
  const auto trailing = static_cast<unsigned>(std::countr_zero(x));
  const unsigned window = hot.window_leading();
  if (window != kNoWindow && leading >= window && trailing >= hot.trailing &&
      // A window much wider than needed is given up: a new one costs 13 bits once.
      leading + trailing < window + hot.trailing + 24u) {
    PutTokenAnd(hot, arena, kXorReuse, x >> hot.trailing, 64 - window - hot.trailing);
    return;
  }
  const unsigned start = leading == kNoWindow ? kNoWindow - 1u : leading;
  const unsigned length = 64 - start - trailing;
  PutTokenAnd(hot, arena, kXorWindow, start | (length - 1) << 6, 12);
  PutBits(hot, arena, x >> trailing, length);
  hot.SetCodec(ValueCodec::kXor, static_cast<uint8_t>(start));
  hot.trailing = static_cast<uint8_t>(trailing);
}

}  // namespace

void OpenChunk(HotRecord& hot, uint32_t column, uint8_t entry, double value) {
  hot.last_value = value;
  hot.column = column;
  hot.first_cell = hot.last_cell = CellArena::kNone;
  hot.last_delta = 0;
  hot.bits = 0;
  hot.start_entry = hot.last_entry = entry;
  hot.run = 0;
  hot.SetCodec(ValueCodec::kConstant, kNoWindow);
  hot.trailing = 0;
  hot.Set(HotRecord::kOpen);
  hot.Unset(HotRecord::kGaps);
}

void AppendValue(HotRecord& hot, CellArena& arena, uint8_t entry, double value) {
  if (entry != hot.last_entry + 1) {
    if (hot.codec() == ValueCodec::kConstant) PutFirstValue(hot, arena, IsExactInteger(hot.last_value));
    FlushRun(hot, arena);
    const unsigned missed = entry - hot.last_entry - 1u;
    PutTokenAnd(hot, arena, hot.codec() == ValueCodec::kInteger ? kIntSkip : kXorSkip, missed, 8);
    hot.Set(HotRecord::kGaps);
  }
  hot.last_entry = entry;
  if (std::bit_cast<uint64_t>(value) == std::bit_cast<uint64_t>(hot.last_value)) {
    ++hot.run;
    return;
  }
  int32_t step = 0;
  const bool stepped = hot.codec() != ValueCodec::kXor && StepTo(hot, value, step);
  if (hot.codec() == ValueCodec::kConstant) PutFirstValue(hot, arena, stepped);
  FlushRun(hot, arena);
  if (stepped) {
    PutStep(hot, arena, step);
  } else if (hot.codec() == ValueCodec::kInteger) {
    PutToken(hot, arena, kIntToXor);
    PutBits(hot, arena, std::bit_cast<uint64_t>(value), 64);
    hot.SetCodec(ValueCodec::kXor, kNoWindow);
  } else {
    PutXor(hot, arena, value);
  }
  hot.last_value = value;
}

void FinishStream(HotRecord& hot, CellArena& arena) {
  if (hot.codec() == ValueCodec::kConstant) return;
  FlushRun(hot, arena);
}

namespace {

class BitReader {
 public:
  BitReader(const uint8_t* bytes, uint32_t bits) : bytes_(bytes), end_(bits) {}
  bool AtEnd() const { return at_ >= end_; }
  bool Overrun() const { return at_ > end_; }
  // At most 56 bits may be looked at; reads up to 8 bytes from the current one.
  uint64_t Peek() const { return LoadLittle<uint64_t>(bytes_ + (at_ >> 3)) >> (at_ & 7); }
  void Skip(unsigned bits) { at_ += bits; }
  uint64_t Take(unsigned bits) {
    if (at_ + bits > end_) {
      at_ = end_ + 1;
      return 0;
    }
    if (bits > 56) {
      const uint64_t low = Peek() & 0xffffffff;
      at_ += 32;
      const uint64_t high = Peek() & ((uint64_t{1} << (bits - 32)) - 1);
      at_ += bits - 32;
      return low | high << 32;
    }
    const uint64_t value = Peek() & ((uint64_t{1} << bits) - 1);
    at_ += bits;
    return value;
  }

 private:
  const uint8_t* bytes_;
  uint32_t at_ = 0;
  uint32_t end_;
};

// Writes values and, when kEntries, their entry numbers; refuses to go past an entry number of 255.
template <bool kEntries>
class Sink {
 public:
  Sink(unsigned entry, double* values, uint8_t* entries) : values_(values), entries_(entries), entry_(entry) {}
  bool Put(double v) {
    if (entry_ > 255) return false;
    values_[count_] = v;
    if constexpr (kEntries) entries_[count_] = static_cast<uint8_t>(entry_);
    ++count_;
    ++entry_;
    return true;
  }
  bool Repeat(double v, uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      if (!Put(v)) return false;
    }
    return true;
  }
  void Skip(uint64_t n) { entry_ += static_cast<unsigned>(n); }
  size_t count() const { return count_; }
  unsigned entry() const { return entry_; }

 private:
  double* values_;
  uint8_t* entries_;
  size_t count_ = 0;
  unsigned entry_;
};

// Reads XOR mode to the end.
template <bool kEntries>
bool DecodeXor(BitReader& in, Sink<kEntries>& out, uint64_t last) {
  unsigned leading = kNoWindow;
  unsigned trailing = 0;
  while (!in.AtEnd()) {
    const auto ones = static_cast<unsigned>(std::countr_one(in.Peek() & 15));
    in.Skip(ones < 4 ? ones + 1 : 5);
    switch (ones) {
      case 0:
        break;
      case 1:
        if (leading == kNoWindow) return false;
        last ^= in.Take(64 - leading - trailing) << trailing;
        break;
      case 2: {
        leading = static_cast<unsigned>(in.Take(6));
        const auto length = static_cast<unsigned>(in.Take(6)) + 1;
        if (leading + length > 64) return false;
        trailing = 64 - leading - length;
        last ^= in.Take(length) << trailing;
        break;
      }
      case 3:
        if (!out.Repeat(std::bit_cast<double>(last), in.Take(8))) return false;
        continue;
      default:
        out.Skip(in.Take(8));
        continue;
    }
    if (in.Overrun() || !out.Put(std::bit_cast<double>(last))) return false;
  }
  return !in.Overrun();
}

template <bool kEntries>
bool DecodeInteger(BitReader& in, Sink<kEntries>& out, double first) {
  constexpr uint8_t kChangeBits[] = {0, 0, 7, 13, 35};
  auto value = static_cast<int64_t>(first);
  int64_t step = 0;
  while (!in.AtEnd()) {
    const auto ones = static_cast<unsigned>(std::countr_one(in.Peek() & 127));
    in.Skip(ones < 7 ? ones + 1 : 7);
    if (ones == 0) {
      value = static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(step));
    } else if (ones >= 2 && ones <= 4) {
      step += UnZigZag(in.Take(kChangeBits[ones]));
      value = static_cast<int64_t>(static_cast<uint64_t>(value) + static_cast<uint64_t>(step));
    } else if (ones == 5) {
      if (!out.Repeat(static_cast<double>(value), in.Take(8))) return false;
      continue;
    } else if (ones == 6) {
      out.Skip(in.Take(8));
      continue;
    } else if (ones == 7) {
      const uint64_t raw = in.Take(64);
      return !in.Overrun() && out.Put(std::bit_cast<double>(raw)) && DecodeXor(in, out, raw);
    }
    if (in.Overrun() || !out.Put(static_cast<double>(value))) return false;
  }
  return !in.Overrun();
}

template <bool kEntries>
size_t Decode(const ValueChunk& chunk, double* values, uint8_t* entries) {
  Sink<kEntries> out(chunk.start_entry, values, entries);
  if (chunk.bits > 0) {
    BitReader in(chunk.stream, chunk.bits);
    const bool small = in.Take(1) != 0;
    const double first = small ? static_cast<double>(UnZigZag(in.Take(32))) : std::bit_cast<double>(in.Take(64));
    const bool integers = in.Take(1) != 0;
    if (in.Overrun() || (integers && !IsExactInteger(first))) return 0;
    out.Put(first);
    const bool ok = integers ? DecodeInteger(in, out, first) : DecodeXor(in, out, std::bit_cast<uint64_t>(first));
    if (!ok || out.entry() > chunk.last_entry + 1u) return 0;
  }
  // A constant chunk, or the run that the stream does not have yet.
  if (!out.Repeat(chunk.last_value, chunk.last_entry + 1u - out.entry())) return 0;
  return out.count();
}

}  // namespace

size_t DecodeChunk(const ValueChunk& chunk, double* values, uint8_t* entries) {
  if (chunk.last_entry < chunk.start_entry) return 0;
  return chunk.gaps ? Decode<true>(chunk, values, entries) : Decode<false>(chunk, values, entries);
}

}  // namespace epi::tsdb
