// The chunk encodings of Prometheus's blocks and head chunks, by the number written in files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "model/histogram.h"

namespace epi {

enum class ChunkEncoding : unsigned char {
  kNone = 0,
  kXor = 1,               // floats
  kHistogram = 2,         // integer native histograms
  kFloatHistogram = 3,    // float native histograms
  kXor2 = 4,              // floats with optional start timestamps
  kHistogramSt = 5,       // kHistogram with start timestamps
  kFloatHistogramSt = 6,  // kFloatHistogram with start timestamps
};

// Nothing for a number that is no encoding we know (0 included).
std::optional<ChunkEncoding> ChunkEncodingFromByte(uint8_t byte);
std::string_view ChunkEncodingName(ChunkEncoding encoding);  // "XOR", "histogram", … as Prometheus prints them

inline bool IsFloatEncoding(ChunkEncoding e) { return e == ChunkEncoding::kXor || e == ChunkEncoding::kXor2; }
inline bool IsIntHistogramEncoding(ChunkEncoding e) {
  return e == ChunkEncoding::kHistogram || e == ChunkEncoding::kHistogramSt;
}
inline bool IsFloatHistogramEncoding(ChunkEncoding e) {
  return e == ChunkEncoding::kFloatHistogram || e == ChunkEncoding::kFloatHistogramSt;
}
// Whether chunks of both encodings hold values of one kind that may stand in one chunk: floats of either encoding.
// Histograms never do, for there the counter reset header decides.
inline bool CompatibleValues(ChunkEncoding a, ChunkEncoding b) { return IsFloatEncoding(a) && IsFloatEncoding(b); }
// Whether the encoding can carry start timestamps.
inline bool CarriesStartTimes(ChunkEncoding e) { return e >= ChunkEncoding::kXor2; }
// The most samples one chunk can hold: what its count field has room for.
inline uint32_t MaxChunkSamples(ChunkEncoding e) {
  return e == ChunkEncoding::kHistogramSt || e == ChunkEncoding::kFloatHistogramSt ? 0x3fff : 0xffff;
}
// The count in the header; 0 when the data is shorter than the count.
uint32_t ChunkSampleCount(ChunkEncoding encoding, std::string_view data);

// What the header of a histogram chunk says about its first sample. Values as stored in the two top bits.
enum class CounterResetHeader : unsigned char { kUnknown = 0, kNotReset = 1, kReset = 2, kGauge = 3 };
// kUnknown for float chunks and for data that is too short.
CounterResetHeader ChunkCounterReset(ChunkEncoding encoding, std::string_view data);

// One finished chunk. Times are those of the first and the last sample.
struct EncodedChunk {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;
  uint32_t samples = 0;
  std::string data;
};

}  // namespace epi
