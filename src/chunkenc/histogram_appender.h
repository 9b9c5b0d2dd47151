// Decides which native histograms may follow one another in a chunk, and brings bucket layouts together: counter resets
// begin a new chunk, new buckets make the chunk be written anew, vanished empty ones are added to the newcomer.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "chunkenc/encoding.h"
#include "chunkenc/histogram_chunk.h"

namespace epi {

// One open chunk of one series. Not thread-safe. Histograms given to it satisfy BucketsMatchSpans; stale markers are
// any histogram whose sum is the stale marker.
template <typename Kind>
class HistogramChunkAppender {
 public:
  using Value = typename Kind::Value;

  // Begins a chunk with its first sample.
  HistogramChunkAppender(ChunkEncoding encoding, CounterResetHeader header, TimestampMs time, const Value& h,
                         TimestampMs start_time = 0);

  // The header of a first chunk, before which nothing is known.
  static CounterResetHeader FirstHeader(const Value& h);
  // The header of the next chunk when the caller ends this one for reasons of its own (size, time range).
  CounterResetHeader NextHeader(const Value& h) const;
  // Nothing when the sample was appended. Otherwise it was not, and has to begin a new chunk with this header.
  std::optional<CounterResetHeader> Append(TimestampMs time, const Value& h, TimestampMs start_time = 0);

  uint32_t samples() const { return encoder_.samples(); }
  TimestampMs min_time() const { return encoder_.min_time(); }
  TimestampMs max_time() const { return encoder_.max_time(); }
  ChunkEncoding encoding() const { return encoder_.encoding(); }
  size_t bytes() const { return encoder_.bytes(); }
  EncodedChunk Snapshot() const { return encoder_.Snapshot(); }
  const HistogramChunkState<Kind>& state() const { return encoder_.state(); }

 private:
  struct Verdict {
    bool append = false;
    CounterResetHeader header = CounterResetHeader::kUnknown;  // of the new chunk when !append
    MergedSpans positive;                                      // when append and h is no stale marker
    MergedSpans negative;
  };
  Verdict JudgeCounter(const Value& h) const;
  Verdict JudgeGauge(const Value& h) const;
  Verdict Judge(const Value& h) const;
  void Recode(const MergedSpans& positive, const MergedSpans& negative);

  HistogramChunkEncoder<Kind> encoder_;
};

extern template class HistogramChunkAppender<IntHistogramKind>;
extern template class HistogramChunkAppender<FloatHistogramKind>;
using IntHistogramChunkAppender = HistogramChunkAppender<IntHistogramKind>;
using FloatHistogramChunkAppender = HistogramChunkAppender<FloatHistogramKind>;

}  // namespace epi
