// Cuts the samples of one series into chunks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "chunkenc/encoding.h"
#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_appender.h"
#include "model/histogram.h"

namespace epi {

struct ChunkerOptions {
  uint32_t samples_per_chunk = 120;
  // A histogram chunk of more than so many bytes and more than kMinHistogramSamples is ended; 0 = no such limit.
  size_t max_histogram_bytes = 0;
  ChunkEncoding float_encoding = ChunkEncoding::kXor;
  // Start timestamps go into chunks (encodings 4 to 6) from the first sample that has one. Otherwise they are dropped.
  bool keep_start_times = false;
  // Of histograms too: false drops those (feature histograms-st-encoding is off).
  bool histogram_start_times = true;
};

// Takes samples in ascending order of time and ends a chunk when it is full, when the type changes, when a histogram
// cannot follow the one before, or when a start time meets a chunk without room for it. Not thread-safe; reusable after
// Take.
class SampleChunker {
 public:
  static constexpr uint32_t kMinHistogramSamples = 10;
  explicit SampleChunker(ChunkerOptions options = {}) : options_(options) {}
  void Add(TimestampMs time, double value, TimestampMs start_time = 0);
  void AddMany(std::span<const TimestampMs> times, std::span<const double> values) {
    for (size_t i = 0; i < times.size(); ++i) Add(times[i], values[i]);
  }
  // Require BucketsMatchSpans, unless stale.
  void Add(TimestampMs time, const Histogram& h, TimestampMs start_time = 0);
  void Add(TimestampMs time, const FloatHistogram& h, TimestampMs start_time = 0);
  // Ends the open chunk and hands out everything since the last Take.
  std::vector<EncodedChunk> Take();

 private:
  template <typename Kind>
  void AddHistogram(std::optional<HistogramChunkAppender<Kind>>& open, TimestampMs time, const typename Kind::Value& h,
                    TimestampMs start_time);
  template <typename Kind>
  bool Full(const HistogramChunkAppender<Kind>& open) const;
  void End();

  ChunkerOptions options_;
  std::vector<EncodedChunk> done_;
  // At most one of them is open.
  std::optional<FloatChunkEncoder> floats_;
  std::optional<IntHistogramChunkAppender> ints_;
  std::optional<FloatHistogramChunkAppender> float_histograms_;
};

}  // namespace epi
