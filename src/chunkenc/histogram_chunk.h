// Chunks of native histograms: encodings 2, 3, 5, 6. The encoder writes what it is given; which histograms may stand in
// one chunk is decided by HistogramChunkAppender (histogram_appender.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "chunkenc/bit_stream.h"
#include "chunkenc/encoding.h"
#include "chunkenc/histogram_kind.h"
#include "chunkenc/histogram_layout.h"
#include "chunkenc/start_times.h"
#include "model/histogram.h"

namespace epi {

// What reader and writer know after each sample.
template <typename Kind>
struct HistogramChunkState {
  HistogramLayout layout;
  ChangeStream time;
  typename Kind::Stream count;
  typename Kind::Stream zero_count;
  XorValueStream sum;
  std::vector<typename Kind::Stream> positive;  // one a bucket slot
  std::vector<typename Kind::Stream> negative;
  StartTimeState starts;
  uint32_t samples = 0;
  CounterResetHeader header = CounterResetHeader::kUnknown;

  bool stale() const;  // the newest sample is a stale marker
  // Buckets of the newest sample, in the form the histogram type has them.
  std::vector<typename Kind::Bucket> PositiveBuckets() const { return BucketsOf(positive); }
  std::vector<typename Kind::Bucket> NegativeBuckets() const { return BucketsOf(negative); }

 private:
  static std::vector<typename Kind::Bucket> BucketsOf(const std::vector<typename Kind::Stream>& streams) {
    std::vector<typename Kind::Bucket> out(streams.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = Kind::BucketOf(streams[i]);
    return out;
  }
};

// Writes one chunk. Not thread-safe.
template <typename Kind>
class HistogramChunkEncoder {
 public:
  // `encoding` is one of Kind's. The layout is fixed from here on.
  HistogramChunkEncoder(ChunkEncoding encoding, CounterResetHeader header, HistogramLayout layout);
  // `h` has exactly the buckets of the layout, or is a stale marker (of which only the sum is kept; in a chunk that
  // begins with one the layout has no buckets). Not more than MaxChunkSamples samples.
  void Append(TimestampMs time, const typename Kind::Value& h, TimestampMs start_time = 0);
  const HistogramChunkState<Kind>& state() const { return state_; }
  ChunkEncoding encoding() const { return encoding_; }
  uint32_t samples() const { return state_.samples; }
  TimestampMs min_time() const { return min_time_; }
  TimestampMs max_time() const { return state_.time.value; }
  size_t bytes() const { return 3 + stream_.size(); }
  EncodedChunk Snapshot() const;

 private:
  BitWriter stream_;
  HistogramChunkState<Kind> state_;
  TimestampMs min_time_ = 0;
  ChunkEncoding encoding_;
};

// Walks the samples of a chunk. The data outlives the cursor. Not thread-safe.
template <typename Kind>
class HistogramChunkCursor {
 public:
  // kDataLoss when the header is damaged. `encoding` is one of Kind's.
  static Result<HistogramChunkCursor> Open(ChunkEncoding encoding, std::string_view data);
  // Moves to the next sample: false behind the last one, kDataLoss at damage.
  Result<bool> Next();
  // The rest requires that Next() returned true.
  TimestampMs time() const { return state_.time.value; }
  TimestampMs start_time() const { return state_.starts.start; }  // 0 = none
  bool stale() const { return state_.stale(); }
  // The sample with the hint Prometheus gives on reading: gauge, or "no reset" from the second sample on. `out` is
  // overwritten, its memory reused.
  void Get(typename Kind::Value& out) const;
  // The same as a float histogram.
  void GetFloat(FloatHistogram& out) const;
  const HistogramChunkState<Kind>& state() const { return state_; }
  uint32_t total() const { return total_; }

 private:
  HistogramChunkCursor(BitReader in, uint32_t total) : in_(in), total_(total) {}
  bool ReadFirst();
  bool ReadNext();

  BitReader in_;
  HistogramChunkState<Kind> state_;
  uint32_t total_;
};

extern template struct HistogramChunkState<IntHistogramKind>;
extern template struct HistogramChunkState<FloatHistogramKind>;
extern template class HistogramChunkEncoder<IntHistogramKind>;
extern template class HistogramChunkEncoder<FloatHistogramKind>;
extern template class HistogramChunkCursor<IntHistogramKind>;
extern template class HistogramChunkCursor<FloatHistogramKind>;

using IntHistogramChunkEncoder = HistogramChunkEncoder<IntHistogramKind>;
using FloatHistogramChunkEncoder = HistogramChunkEncoder<FloatHistogramKind>;
using IntHistogramChunkCursor = HistogramChunkCursor<IntHistogramKind>;
using FloatHistogramChunkCursor = HistogramChunkCursor<FloatHistogramKind>;

}  // namespace epi
