// The two kinds of histogram chunks, as types that the encoder, the cursor and the appender are written over: which
// numbers a sample has and how each one is written after the one before.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "chunkenc/bit_stream.h"
#include "chunkenc/encoding.h"
#include "chunkenc/histogram_spans.h"
#include "chunkenc/varbit.h"
#include "chunkenc/wrapping.h"
#include "chunkenc/xor_value.h"
#include "model/histogram.h"

namespace epi {

// A whole number written as the change of its change. The first change is taken against zero.
struct ChangeStream {
  int64_t value = 0;
  int64_t delta = 0;
  void Write(BitWriter& out, int64_t next) {
    const int64_t next_delta = WrapSub(next, value);
    WriteVarbitInt(out, WrapSub(next_delta, delta));
    delta = next_delta;
    value = next;
  }
  void Read(BitReader& in) {
    delta = WrapAdd(delta, ReadVarbitInt(in));
    value = WrapAdd(value, delta);
  }
};

// Encodings 2 and 5. Buckets are in-histogram deltas, as Histogram has them.
struct IntHistogramKind {
  using Value = Histogram;
  using Bucket = int64_t;
  using Stream = ChangeStream;
  static constexpr ChunkEncoding kPlain = ChunkEncoding::kHistogram;
  static constexpr ChunkEncoding kWithStarts = ChunkEncoding::kHistogramSt;

  static void WriteFirstCount(BitWriter& out, Stream& s, uint64_t v) {
    WriteVarbitUint(out, v);
    s.value = static_cast<int64_t>(v);
  }
  static void ReadFirstCount(BitReader& in, Stream& s) { s.value = static_cast<int64_t>(ReadVarbitUint(in)); }
  static void WriteFirstBucket(BitWriter& out, Stream& s, int64_t v) {
    WriteVarbitInt(out, v);
    s.value = v;
  }
  static void ReadFirstBucket(BitReader& in, Stream& s) { s.value = ReadVarbitInt(in); }
  static void WriteNextCount(BitWriter& out, Stream& s, uint64_t v) { s.Write(out, static_cast<int64_t>(v)); }
  static void WriteNextBucket(BitWriter& out, Stream& s, int64_t v) { s.Write(out, v); }
  static void WriteStaleCount(BitWriter& out, Stream&) { WriteVarbitInt(out, 0); }
  static bool ReadNext(BitReader& in, Stream& s) {
    s.Read(in);
    return true;
  }
  static uint64_t Count(const Stream& s) { return static_cast<uint64_t>(s.value); }
  static int64_t BucketOf(const Stream& s) { return s.value; }
  static std::vector<int64_t> Counts(std::span<const int64_t> buckets) { return DeltasToCounts(buckets); }
  static std::vector<int64_t> Expand(std::span<const int64_t> buckets, std::span<const uint32_t> slots, size_t count) {
    return ExpandDeltas(buckets, slots, count);
  }
};

// Encodings 3 and 6. Buckets are absolute.
struct FloatHistogramKind {
  using Value = FloatHistogram;
  using Bucket = double;
  using Stream = XorValueStream;
  static constexpr ChunkEncoding kPlain = ChunkEncoding::kFloatHistogram;
  static constexpr ChunkEncoding kWithStarts = ChunkEncoding::kFloatHistogramSt;

  static void WriteFirstCount(BitWriter& out, Stream& s, double v) {
    s.bits = std::bit_cast<uint64_t>(v);
    out.Bits(s.bits, 64);
  }
  static void ReadFirstCount(BitReader& in, Stream& s) { s.bits = in.Bits(64); }
  static void WriteFirstBucket(BitWriter& out, Stream& s, double v) { WriteFirstCount(out, s, v); }
  static void ReadFirstBucket(BitReader& in, Stream& s) { ReadFirstCount(in, s); }
  static void WriteNextCount(BitWriter& out, Stream& s, double v) { s.Write(out, std::bit_cast<uint64_t>(v)); }
  static void WriteNextBucket(BitWriter& out, Stream& s, double v) { WriteNextCount(out, s, v); }
  static void WriteStaleCount(BitWriter& out, Stream& s) { s.Write(out, 0); }
  static bool ReadNext(BitReader& in, Stream& s) { return s.Read(in); }
  static double Count(const Stream& s) { return std::bit_cast<double>(s.bits); }
  static double BucketOf(const Stream& s) { return std::bit_cast<double>(s.bits); }
  static std::vector<double> Counts(std::span<const double> buckets) { return {buckets.begin(), buckets.end()}; }
  static std::vector<double> Expand(std::span<const double> buckets, std::span<const uint32_t> slots, size_t count) {
    return ExpandCounts(buckets, slots, count);
  }
};

// Every bucket has its place: as many buckets as the spans describe, on both sides. What the encoders require of their
// input.
template <typename AnyHistogram>
bool BucketsMatchSpans(const AnyHistogram& h) {
  return CountBuckets(h.positive_spans) == h.positive_buckets.size() &&
         CountBuckets(h.negative_spans) == h.negative_buckets.size();
}

}  // namespace epi
