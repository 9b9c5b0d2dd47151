#include "chunkenc/float_chunk.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <vector>

#include "base/random.h"
#include "model/sample.h"

namespace epi {
namespace {

constexpr TimestampMs kT = 1'700'000'000'000;

struct Sample {
  TimestampMs t;
  uint64_t bits;
  TimestampMs start;
  friend bool operator==(const Sample&, const Sample&) = default;
};

std::string Hex(std::string_view data) {
  std::string out;
  for (const unsigned char c : data) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

EncodedChunk Encode(ChunkEncoding encoding, const std::vector<Sample>& samples) {
  FloatChunkEncoder encoder(encoding);
  for (const auto& s : samples) encoder.Append(s.t, std::bit_cast<double>(s.bits), s.start);
  return encoder.Snapshot();
}

Result<std::vector<Sample>> Decode(ChunkEncoding encoding, std::string_view data) {
  const uint32_t count = ChunkSampleCount(encoding, data);
  std::vector<TimestampMs> t(count), start(count);
  std::vector<double> v(count);
  EPI_TRY(DecodeFloatChunk(encoding, data, t.data(), v.data(), start.data()));
  std::vector<Sample> out(count);
  for (uint32_t i = 0; i < count; ++i) out[i] = {t[i], std::bit_cast<uint64_t>(v[i]), start[i]};
  return out;
}

std::vector<Sample> SeriesF(const std::vector<TimestampMs>& starts) {
  const double values[] = {1, 1, 1, 3, 3.5, StaleNaN(), 3.5, 4, StaleNaN()};
  const TimestampMs times[] = {0, 15000, 30000, 45001, 60001, 75001, 90001, 690001, 3690001};
  std::vector<Sample> out;
  for (size_t i = 0; i < 9; ++i) {
    // Moved as bits: a stale marker that goes through a register of floats may lose its pattern.
    out.push_back({kT + times[i], std::bit_cast<uint64_t>(values[i]), starts.empty() ? 0 : starts[i]});
  }
  return out;
}

std::vector<TimestampMs> StartsOf(TimestampMs (*start)(size_t index, TimestampMs time, TimestampMs before)) {
  std::vector<TimestampMs> out;
  TimestampMs before = 0;
  for (const auto& s : SeriesF({})) {
    out.push_back(start(out.size(), s.t, before));
    before = s.t;
  }
  return out;
}

struct Vector {
  const char* name;
  ChunkEncoding encoding;
  std::vector<TimestampMs> starts;
  const char* hex;
};

// Bytes that Prometheus 3.14's own encoders produce for the same samples.
std::vector<Vector> KnownBytes() {
  return {
      {"xor",
       ChunkEncoding::kXor,
       {},
       "000980a0abfef9623ff000000000000098751000384cfffbfffda0d8bdfff000000000000afff000000000000f8000000000047694400e0"
       "0000000"
       "0000f0000000000249f00bfe00000000000020"},
      {"xor2 without starts",
       ChunkEncoding::kXor2,
       {},
       "00090080a0abfef9623ff000000000000098753000704cfffdfffcd07f78000000000023b4a32c3fe0000000000249f00e"},
      {"xor2, one start", ChunkEncoding::kXor2, StartsOf([](size_t, TimestampMs, TimestampMs) { return kT - 5000; }),
       "00098080a0abfef9623ff0000000000000904e98753000704cfffdfffcd07f78000000000023b4a32c3fe0000000000249f00e"},
      {"xor2, the time before", ChunkEncoding::kXor2,
       StartsOf([](size_t, TimestampMs, TimestampMs before) { return before; }),
       "00090180a0abfef9623ff000000000000098750c001c133ffdbfff9a0df1e000000000008ed28cb0fbc0000000000493e01c"},
      {"xor2, one change", ChunkEncoding::kXor2,
       StartsOf([](size_t i, TimestampMs, TimestampMs) { return i < 4 ? kT - 5000 : kT + 50000; }),
       "00098480a0abfef9623ff0000000000000904e98753000704cfffdfffcd07f7d8f3ff83a987c1d4c78000000000023b4a32c3ff07531e00"
       "00000000"
       "249f00ff8124f80"},
  };
}

TEST(FloatChunk, BytesAreThoseOfPrometheus) {
  for (const auto& known : KnownBytes()) {
    const auto samples = SeriesF(known.starts);
    const auto chunk = Encode(known.encoding, samples);
    EXPECT_EQ(Hex(chunk.data), known.hex) << known.name;
    const auto decoded = Decode(known.encoding, chunk.data);
    ASSERT_TRUE(decoded.has_value()) << known.name;
    EXPECT_EQ(*decoded, samples) << known.name;
    EXPECT_EQ(chunk.min_time, samples.front().t);
    EXPECT_EQ(chunk.max_time, samples.back().t);
  }
}

// Samples that visit every width of every field.
std::vector<Sample> RandomSamples(SeededRandom& random, size_t count) {
  std::vector<Sample> out;
  TimestampMs t = static_cast<int64_t>(random.Below(1u << 30));
  uint64_t bits = random.Next();
  TimestampMs start = 0;
  int64_t step = 15000;
  for (size_t i = 0; i < count; ++i) {
    out.push_back({t, bits, start});
    if (random.Below(3) == 0) step = static_cast<int64_t>(random.Next() >> (1 + random.Below(63)));
    t = static_cast<int64_t>(static_cast<uint64_t>(t) + static_cast<uint64_t>(step));
    switch (random.Below(5)) {
      case 0:
        bits = kStaleNaNBits;
        break;
      case 1:
        bits = random.Next();
        break;
      case 2:
        bits ^= random.Next() >> random.Below(64);
        break;
      default:
        break;
    }
    if (random.Below(4) == 0) start = random.Below(2) ? 0 : static_cast<int64_t>(random.Next() >> random.Below(64));
  }
  return out;
}

TEST(FloatChunk, RandomSamplesComeBack) {
  SeededRandom random{1};
  for (int round = 0; round < 300; ++round) {
    auto samples = RandomSamples(random, 1 + random.Below(300));
    for (const auto encoding : {ChunkEncoding::kXor2, ChunkEncoding::kXor}) {
      if (encoding == ChunkEncoding::kXor)
        for (auto& s : samples) s.start = 0;
      const auto chunk = Encode(encoding, samples);
      const auto decoded = Decode(encoding, chunk.data);
      ASSERT_TRUE(decoded.has_value());
      ASSERT_EQ(*decoded, samples);
      // Older writers leave one more zero byte.
      const auto longer = Decode(encoding, chunk.data + std::string(1, '\0'));
      ASSERT_TRUE(longer.has_value());
      ASSERT_EQ(*longer, samples);
    }
  }
}

TEST(FloatChunk, LongestChunk) {
  FloatChunkEncoder encoder(ChunkEncoding::kXor2);
  for (int i = 0; i < 65535; ++i) encoder.Append(kT + i * 1000, i, 0);
  const auto decoded = Decode(ChunkEncoding::kXor2, encoder.Snapshot().data);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->size(), 65535u);
  EXPECT_EQ(decoded->back().start, 0);
  EXPECT_EQ(decoded->back().bits, std::bit_cast<uint64_t>(65534.0));
}

TEST(FloatChunk, TruncationIsAnErrorAndBitFlipsDoNoHarm) {
  SeededRandom random{2};
  for (const auto encoding : {ChunkEncoding::kXor, ChunkEncoding::kXor2}) {
    const auto chunk = Encode(encoding, RandomSamples(random, 40));
    for (size_t size = 2; size < chunk.data.size(); ++size) {
      EXPECT_FALSE(Decode(encoding, std::string_view(chunk.data).substr(0, size)).has_value()) << size;
    }
    std::string flipped = chunk.data;
    for (size_t bit = 0; bit < flipped.size() * 8; ++bit) {
      flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
      (void)Decode(encoding, flipped).has_value();  // any answer but a crash; checksums are the caller's
      flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    }
  }
}

TEST(FloatChunk, EmptyAndTinyData) {
  EXPECT_FALSE(Decode(ChunkEncoding::kXor, "").has_value());
  EXPECT_TRUE(Decode(ChunkEncoding::kXor, std::string_view("\0\0", 2)).has_value());
  EXPECT_FALSE(Decode(ChunkEncoding::kXor2, std::string_view("\0\1", 2)).has_value());
}

}  // namespace
}  // namespace epi
