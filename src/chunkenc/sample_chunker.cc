#include "chunkenc/sample_chunker.h"

#include <utility>

namespace epi {

void SampleChunker::Add(TimestampMs time, double value, TimestampMs start_time) {
  const bool with_start = options_.keep_start_times && start_time != 0;
  const ChunkEncoding wanted = with_start ? ChunkEncoding::kXor2 : options_.float_encoding;
  const bool fits = floats_ && floats_->samples() < options_.samples_per_chunk &&
                    (!with_start || floats_->encoding() == ChunkEncoding::kXor2);
  if (!fits) {
    End();
    floats_.emplace(wanted);
  }
  floats_->Append(time, value, with_start ? start_time : 0);
}

template <typename Kind>
bool SampleChunker::Full(const HistogramChunkAppender<Kind>& open) const {
  if (open.samples() >= options_.samples_per_chunk) return true;
  return options_.max_histogram_bytes > 0 && open.bytes() > options_.max_histogram_bytes &&
         open.samples() > kMinHistogramSamples;
}

template <typename Kind>
void SampleChunker::AddHistogram(std::optional<HistogramChunkAppender<Kind>>& open, TimestampMs time,
                                 const typename Kind::Value& h, TimestampMs start_time) {
  const bool with_start = options_.keep_start_times && options_.histogram_start_times && start_time != 0;
  const ChunkEncoding wanted = with_start ? Kind::kWithStarts : Kind::kPlain;
  std::optional<CounterResetHeader> header;
  if (!open) {
    header = HistogramChunkAppender<Kind>::FirstHeader(h);
  } else if (Full(*open) || (with_start && open->encoding() == Kind::kPlain)) {
    header = open->NextHeader(h);
  } else {
    header = open->Append(time, h, with_start ? start_time : 0);
    if (!header) return;
  }
  End();
  open.emplace(wanted, *header, time, h, with_start ? start_time : 0);
}

void SampleChunker::Add(TimestampMs time, const Histogram& h, TimestampMs start_time) {
  AddHistogram<IntHistogramKind>(ints_, time, h, start_time);
}

void SampleChunker::Add(TimestampMs time, const FloatHistogram& h, TimestampMs start_time) {
  AddHistogram<FloatHistogramKind>(float_histograms_, time, h, start_time);
}

void SampleChunker::End() {
  if (floats_) done_.push_back(floats_->Snapshot());
  if (ints_) done_.push_back(ints_->Snapshot());
  if (float_histograms_) done_.push_back(float_histograms_->Snapshot());
  floats_.reset();
  ints_.reset();
  float_histograms_.reset();
}

std::vector<EncodedChunk> SampleChunker::Take() {
  End();
  return std::exchange(done_, {});
}

}  // namespace epi
