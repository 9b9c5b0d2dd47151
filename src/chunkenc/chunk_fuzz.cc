// Any bytes as a chunk of any encoding: an error or samples, never a crash; and what was decoded encodes and decodes to
// the same.
#include <bit>
#include <cstdint>
#include <vector>

#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"

namespace {

void FuzzFloats(epi::ChunkEncoding encoding, std::string_view data) {
  const uint32_t count = epi::ChunkSampleCount(encoding, data);
  std::vector<epi::TimestampMs> t(count), start(count), t2(count), start2(count);
  std::vector<double> v(count), v2(count);
  if (!epi::DecodeFloatChunk(encoding, data, t.data(), v.data(), start.data())) return;
  epi::FloatChunkEncoder encoder(encoding);
  for (uint32_t i = 0; i < count; ++i) encoder.Append(t[i], v[i], start[i]);
  const auto again = encoder.Snapshot();
  EPI_CHECK(epi::DecodeFloatChunk(encoding, again.data, t2.data(), v2.data(), start2.data()).has_value());
  for (uint32_t i = 0; i < count; ++i) {
    EPI_CHECK(t[i] == t2[i] && start[i] == start2[i]);
    EPI_CHECK(std::bit_cast<uint64_t>(v[i]) == std::bit_cast<uint64_t>(v2[i]));
  }
}

template <typename Kind>
void FuzzHistograms(epi::ChunkEncoding encoding, std::string_view data) {
  auto cursor = epi::HistogramChunkCursor<Kind>::Open(encoding, data);
  if (!cursor) return;
  typename Kind::Value value;
  epi::FloatHistogram as_float;
  while (true) {
    const auto more = cursor->Next();
    if (!more || !*more) return;
    cursor->Get(value);
    cursor->GetFloat(as_float);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const auto encoding = epi::ChunkEncodingFromByte(static_cast<uint8_t>(bytes[0] % 7));
  if (!encoding) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  if (epi::IsFloatEncoding(*encoding)) {
    FuzzFloats(*encoding, data);
  } else if (epi::IsIntHistogramEncoding(*encoding)) {
    FuzzHistograms<epi::IntHistogramKind>(*encoding, data);
  } else {
    FuzzHistograms<epi::FloatHistogramKind>(*encoding, data);
  }
  return 0;
}
