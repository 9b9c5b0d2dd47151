#include "chunkenc/float_chunk.h"

#include <algorithm>
#include <bit>

#include "chunkenc/varbit.h"
#include "chunkenc/wrapping.h"
#include "model/sample.h"

namespace epi {
namespace {

// Encoding 1: the change of the step between samples as prefix and field; widths of tsdb/chunkenc/xor.go.
constexpr unsigned kXorWidths[] = {14, 17, 20};
// Encoding 4: the first two prefixes that carry a change, as plain two's complement.
constexpr unsigned kXor2Widths[] = {13, 20};

bool FitsTwosComplement(int64_t v, unsigned n) {
  const int64_t half = int64_t{1} << (n - 1);
  return -half <= v && v < half;
}
int64_t SignExtend(uint64_t u, unsigned n) { return static_cast<int64_t>(u << (64 - n)) >> (64 - n); }

tl::unexpected<Error> Damaged() { return Fail(ErrorCode::kDataLoss, "the chunk ends early or is damaged"); }

}  // namespace

FloatChunkEncoder::FloatChunkEncoder(ChunkEncoding encoding) : encoding_(encoding) {
  EPI_CHECK(IsFloatEncoding(encoding));
}

void FloatChunkEncoder::Append(TimestampMs time, double value, TimestampMs start_time) {
  const auto bits = std::bit_cast<uint64_t>(value);
  const TimestampMs before = time_;
  if (samples_ == 0) {
    min_time_ = time;
    stream_.Varint(time);
    stream_.Bits(bits, 64);
    if (encoding_ == ChunkEncoding::kXor || bits != kStaleNaNBits) value_.bits = bits;
    time_ = time;
  } else if (encoding_ == ChunkEncoding::kXor) {
    AppendXor(time, bits);
  } else {
    AppendXor2(time, bits);
  }
  if (encoding_ == ChunkEncoding::kXor2) starts_.Write(stream_, samples_, time, before, start_time);
  ++samples_;
}

void FloatChunkEncoder::AppendXor(TimestampMs time, uint64_t bits) {
  const int64_t step = WrapSub(time, time_);
  if (samples_ == 1) {
    stream_.Uvarint(static_cast<uint64_t>(step));
  } else if (const int64_t change = WrapSub(step, step_); change == 0) {
    stream_.Bit(false);
  } else {
    unsigned row = 0;
    while (row < 3 && !FitsBits(change, kXorWidths[row])) ++row;
    if (row < 3) {
      stream_.Bits((uint64_t{1} << (row + 2)) - 2, row + 2);
      stream_.Bits(static_cast<uint64_t>(change), kXorWidths[row]);
    } else {
      stream_.Bits(0b1111, 4);
      stream_.Bits(static_cast<uint64_t>(change), 64);
    }
  }
  value_.Write(stream_, bits);
  time_ = time;
  step_ = step;
}

void FloatChunkEncoder::AppendXor2(TimestampMs time, uint64_t bits) {
  const int64_t step = WrapSub(time, time_);
  if (samples_ == 1) {
    stream_.Uvarint(static_cast<uint64_t>(step));
    WriteValue(bits);
  } else {
    WriteJointControl(WrapSub(step, step_), bits);
  }
  time_ = time;
  step_ = step;
}

void FloatChunkEncoder::WriteJointControl(int64_t change, uint64_t bits) {
  if (change == 0) {
    if (bits == kStaleNaNBits) {
      stream_.Bits(0b11111, 5);
      return;
    }
    const uint64_t delta = bits ^ value_.bits;
    if (delta == 0) {
      stream_.Bit(false);
      return;
    }
    stream_.Bits(0b10, 2);
    value_.bits = bits;
    if (value_.window.Holds(CappedLeadingZeros(delta), static_cast<unsigned>(std::countr_zero(delta)))) {
      stream_.Bit(false);
      stream_.Bits(delta >> value_.window.trailing, value_.window.width());
    } else {
      stream_.Bit(true);
      WriteNewWindow(stream_, value_.window, delta);
    }
    return;
  }
  if (FitsTwosComplement(change, kXor2Widths[0])) {
    stream_.Bits(0b110, 3);
    stream_.Bits(static_cast<uint64_t>(change), kXor2Widths[0]);
  } else if (FitsTwosComplement(change, kXor2Widths[1])) {
    stream_.Bits(0b1110, 4);
    stream_.Bits(static_cast<uint64_t>(change), kXor2Widths[1]);
  } else {
    stream_.Bits(0b11110, 5);
    stream_.Bits(static_cast<uint64_t>(change), 64);
  }
  WriteValue(bits);
}

void FloatChunkEncoder::WriteValue(uint64_t bits) {
  if (bits == kStaleNaNBits) {
    stream_.Bits(0b111, 3);
    return;
  }
  const uint64_t delta = bits ^ value_.bits;
  value_.bits = bits;
  if (delta == 0) {
    stream_.Bit(false);
  } else if (value_.window.Holds(CappedLeadingZeros(delta), static_cast<unsigned>(std::countr_zero(delta)))) {
    stream_.Bits(0b10, 2);
    stream_.Bits(delta >> value_.window.trailing, value_.window.width());
  } else {
    stream_.Bits(0b110, 3);
    WriteNewWindow(stream_, value_.window, delta);
  }
}

EncodedChunk FloatChunkEncoder::Snapshot() const {
  EncodedChunk chunk{.encoding = encoding_, .min_time = min_time_, .max_time = time_, .samples = samples_, .data = {}};
  chunk.data.reserve(bytes());
  ByteWriter header(chunk.data);
  header.Big16(static_cast<uint16_t>(samples_));
  if (encoding_ == ChunkEncoding::kXor2) header.U8(starts_.header);
  stream_.CopyTo(chunk.data);
  return chunk;
}

namespace {

// Reads one change of the step between samples that is not zero.
[[gnu::noinline]] int64_t ReadStepChange(BitReader& in) {
  const uint64_t next = in.Peek();
  const auto ones = std::min(static_cast<unsigned>(std::countl_one(next)), 4u);
  if (ones == 4) {
    in.Skip(4);
    return static_cast<int64_t>(in.Bits(64));
  }
  const unsigned width = kXorWidths[ones - 1];
  in.Skip(ones + 1 + width);
  return FromBits(next << (ones + 1) >> (64 - width), width);
}

// The part of decoding that runs once a sample, as plain locals of one loop. Whether a value reuses the window or sets
// it is chosen without a branch, because on real data no branch predictor can tell; nearly always one word holds all of
// a sample.
bool DecodeXorSamples(BitReader& in, uint32_t count, TimestampMs* times, double* values) {
  XorValueStream first;
  TimestampMs time = in.Varint();
  first.bits = in.Bits(64);
  times[0] = time;
  values[0] = std::bit_cast<double>(first.bits);
  if (count == 1) return in.ok();
  auto step = static_cast<int64_t>(in.Uvarint());
  time = WrapAdd(time, step);
  if (!first.Read(in)) return false;
  times[1] = time;
  values[1] = std::bit_cast<double>(first.bits);

  first.window.SetForReader();
  uint64_t bits = first.bits;
  unsigned trailing = first.window.trailing;
  unsigned width = first.window.width();
  for (uint32_t i = 2; i < count; ++i) {
    uint64_t next = in.Peek();
    unsigned used = 1;
    if (static_cast<int64_t>(next) < 0) {
      step = WrapAdd(step, ReadStepChange(in));
      next = in.Peek();
      used = 0;
    }
    next <<= used;
    time = WrapAdd(time, step);
    times[i] = time;
    if (static_cast<int64_t>(next) >= 0) {
      in.Skip(used + 1);
      values[i] = std::bit_cast<double>(bits);
      continue;
    }
    const bool fresh = ((next >> 62) & 1) != 0;
    const auto leading = static_cast<unsigned>(next >> 57) & 31;
    const unsigned field = static_cast<unsigned>(next >> 51) & 63;
    const unsigned fresh_width = field == 0 ? 64 : field;
    if (fresh && leading + fresh_width > 64) return false;
    width = fresh ? fresh_width : width;
    trailing = fresh ? 64 - leading - fresh_width : trailing;
    const unsigned head = fresh ? 13 : 2;
    if (head + width <= 56) {
      bits ^= next << head >> (64 - width) << trailing;
      in.Skip(used + head + width);
    } else {
      in.Skip(used + head);
      bits ^= in.Bits(width) << trailing;
    }
    values[i] = std::bit_cast<double>(bits);
  }
  return in.ok();
}

// Reads samples of encoding 4.
class Xor2Reader {
 public:
  Xor2Reader(BitReader in, uint8_t start_header) : in_(in) { starts_.header = start_header; }

  bool Decode(uint32_t count, TimestampMs* times, double* values, TimestampMs* starts) {
    for (uint32_t i = 0; i < count; ++i) {
      const TimestampMs before = time_;
      uint64_t shown = 0;
      if (!(i == 0 ? First(shown) : i == 1 ? Second(shown) : Next(shown))) return false;
      starts_.Read(in_, i, time_, before);
      times[i] = time_;
      values[i] = std::bit_cast<double>(shown);
      if (starts != nullptr) starts[i] = starts_.start;
    }
    return in_.ok();
  }

 private:
  bool First(uint64_t& shown) {
    time_ = in_.Varint();
    shown = in_.Bits(64);
    if (shown != kStaleNaNBits) value_.bits = shown;
    return true;
  }
  bool Second(uint64_t& shown) {
    step_ = static_cast<int64_t>(in_.Uvarint());
    time_ = WrapAdd(time_, step_);
    return Value(shown);
  }
  bool Next(uint64_t& shown) {
    const auto ones = std::min(static_cast<unsigned>(std::countl_one(in_.Peek())), 5u);
    in_.Skip(ones < 5 ? ones + 1 : 5);
    switch (ones) {
      case 0:
        time_ = WrapAdd(time_, step_);
        shown = value_.bits;
        return true;
      case 1:
        time_ = WrapAdd(time_, step_);
        return ChangedValue(shown);
      case 5:
        time_ = WrapAdd(time_, step_);
        shown = kStaleNaNBits;
        return true;
      default:
        break;
    }
    const unsigned width = ones == 4 ? 64 : kXor2Widths[ones - 2];
    step_ = WrapAdd(step_, SignExtend(in_.Bits(width), width));
    time_ = WrapAdd(time_, step_);
    return Value(shown);
  }
  bool Value(uint64_t& shown) {
    const uint64_t head = in_.Peek() >> 61;
    if (head < 0b100) {
      in_.Skip(1);
    } else if (head < 0b110) {
      in_.Skip(2);
      Reuse();
    } else if (head == 0b110) {
      in_.Skip(3);
      if (!New()) return false;
    } else {
      in_.Skip(3);
      shown = kStaleNaNBits;
      return true;
    }
    shown = value_.bits;
    return true;
  }
  bool ChangedValue(uint64_t& shown) {
    if (!in_.Bit()) {
      Reuse();
    } else if (!New()) {
      return false;
    }
    shown = value_.bits;
    return true;
  }
  void Reuse() {
    value_.window.SetForReader();
    value_.bits ^= in_.Bits(value_.window.width()) << value_.window.trailing;
  }
  bool New() {
    uint64_t delta;
    if (!ReadNewWindow(in_, value_.window, delta)) return false;
    value_.bits ^= delta;
    return true;
  }

  BitReader in_;
  StartTimeState starts_;
  TimestampMs time_ = 0;
  int64_t step_ = 0;
  XorValueStream value_;
};

}  // namespace

Result<void> DecodeFloatChunk(ChunkEncoding encoding, std::string_view data, TimestampMs* times, double* values,
                              TimestampMs* starts) {
  EPI_CHECK(IsFloatEncoding(encoding));
  const size_t header = encoding == ChunkEncoding::kXor ? 2 : 3;
  if (data.size() < header) return Damaged();
  const uint32_t count = ChunkSampleCount(encoding, data);
  if (count == 0) return {};
  BitReader in(data.substr(header));
  // A sample takes a bit at least: damage in the count shows before anything is decoded.
  if (count > in.remaining()) return Damaged();
  if (encoding == ChunkEncoding::kXor) {
    if (starts != nullptr) std::fill_n(starts, count, 0);
    if (!DecodeXorSamples(in, count, times, values)) return Damaged();
    return {};
  }
  if (!Xor2Reader(in, static_cast<uint8_t>(data[2])).Decode(count, times, values, starts)) return Damaged();
  return {};
}

}  // namespace epi
