// Time a sample takes to encode and to decode, on the shapes that fill most servers: constant, counter, noisy gauge.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/random.h"
#include "chunkenc/float_chunk.h"

namespace epi {
namespace {

constexpr int kSamples = 120;
constexpr int kChunks = 512;

double ValueAt(int shape, int i, SeededRandom& random) {
  if (shape == 0) return 42;
  if (shape == 1) return i * 37.0 + static_cast<double>(random.Below(5));
  return random.Unit() * 100;
}

std::vector<EncodedChunk> Chunks(ChunkEncoding encoding, int shape) {
  SeededRandom random{7};
  std::vector<EncodedChunk> out;
  for (int c = 0; c < kChunks; ++c) {
    FloatChunkEncoder encoder(encoding);
    for (int i = 0; i < kSamples; ++i) {
      const auto jitter = static_cast<int64_t>(random.Below(10) == 0);
      encoder.Append(1'700'000'000'000 + i * 15000 + jitter, ValueAt(shape, i, random));
    }
    out.push_back(encoder.Snapshot());
  }
  return out;
}

void Decode(benchmark::State& state, ChunkEncoding encoding) {
  const auto chunks = Chunks(encoding, static_cast<int>(state.range(0)));
  std::vector<TimestampMs> t(kSamples);
  std::vector<double> v(kSamples);
  for (auto _ : state) {
    for (const auto& chunk : chunks) {
      benchmark::DoNotOptimize(DecodeFloatChunk(encoding, chunk.data, t.data(), v.data(), nullptr).has_value());
      benchmark::DoNotOptimize(v.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * kChunks * kSamples);
}

void Encode(benchmark::State& state, ChunkEncoding encoding) {
  for (auto _ : state) benchmark::DoNotOptimize(Chunks(encoding, static_cast<int>(state.range(0))).data());
  state.SetItemsProcessed(state.iterations() * kChunks * kSamples);
}

BENCHMARK_CAPTURE(Decode, Xor, ChunkEncoding::kXor)->DenseRange(0, 2);
BENCHMARK_CAPTURE(Decode, Xor2, ChunkEncoding::kXor2)->DenseRange(0, 2);
BENCHMARK_CAPTURE(Encode, Xor, ChunkEncoding::kXor)->DenseRange(0, 2);

}  // namespace
}  // namespace epi
