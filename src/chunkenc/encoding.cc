#include "chunkenc/encoding.h"

#include "base/bytes.h"

namespace epi {
namespace {

constexpr std::string_view kNames[] = {"none", "XOR",         "histogram",       "floathistogram",
                                       "XOR2", "histogramST", "floathistogramST"};

}  // namespace

std::optional<ChunkEncoding> ChunkEncodingFromByte(uint8_t byte) {
  if (byte == 0 || byte > static_cast<uint8_t>(ChunkEncoding::kFloatHistogramSt)) return std::nullopt;
  return static_cast<ChunkEncoding>(byte);
}

std::string_view ChunkEncodingName(ChunkEncoding encoding) { return kNames[static_cast<size_t>(encoding)]; }

uint32_t ChunkSampleCount(ChunkEncoding encoding, std::string_view data) {
  if (data.size() < 2) return 0;
  return LoadBig<uint16_t>(data.data()) & MaxChunkSamples(encoding);
}

CounterResetHeader ChunkCounterReset(ChunkEncoding encoding, std::string_view data) {
  if (IsFloatEncoding(encoding) || data.size() < 3) return CounterResetHeader::kUnknown;
  const auto byte = static_cast<uint8_t>(CarriesStartTimes(encoding) ? data[0] : data[2]);
  return static_cast<CounterResetHeader>(byte >> 6);
}

}  // namespace epi
