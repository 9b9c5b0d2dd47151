#include "tsdb/compact/chunk_merge.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"

namespace epi::tsdb {
namespace {

// All samples of one chunk.
struct DecodedChunk {
  ChunkEncoding encoding = ChunkEncoding::kNone;
  std::vector<TimestampMs> times;
  std::vector<TimestampMs> starts;  // beside times
  std::vector<double> values;       // whichever the encoding says
  std::vector<Histogram> ints;
  std::vector<FloatHistogram> floats;
};

template <typename Kind>
Result<void> DecodeHistograms(const ChunkToWrite& chunk, DecodedChunk& out, std::vector<typename Kind::Value>& values) {
  EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
  while (true) {
    EPI_ASSIGN(const bool more, cursor.Next());
    if (!more) return {};
    out.times.push_back(cursor.time());
    out.starts.push_back(cursor.start_time());
    cursor.Get(values.emplace_back());
  }
}

Result<DecodedChunk> Decode(const ChunkToWrite& chunk) {
  DecodedChunk out{.encoding = chunk.encoding};
  if (IsFloatEncoding(chunk.encoding)) {
    const uint32_t count = ChunkSampleCount(chunk.encoding, chunk.data);
    out.times.resize(count);
    out.starts.resize(count);
    out.values.resize(count);
    EPI_TRY(DecodeFloatChunk(chunk.encoding, chunk.data, out.times.data(), out.values.data(), out.starts.data()));
  } else if (IsIntHistogramEncoding(chunk.encoding)) {
    EPI_TRY(DecodeHistograms<IntHistogramKind>(chunk, out, out.ints));
  } else {
    EPI_TRY(DecodeHistograms<FloatHistogramKind>(chunk, out, out.floats));
  }
  for (size_t i = 1; i < out.times.size(); ++i) {
    if (out.times[i - 1] >= out.times[i])
      return Fail(ErrorCode::kDataLoss, "the samples of a chunk are not in order of time");
  }
  return out;
}

void AddSample(const DecodedChunk& from, size_t i, SampleChunker& to) {
  if (IsFloatEncoding(from.encoding)) {
    to.Add(from.times[i], from.values[i], from.starts[i]);
  } else if (IsIntHistogramEncoding(from.encoding)) {
    to.Add(from.times[i], from.ints[i], from.starts[i]);
  } else {
    to.Add(from.times[i], from.floats[i], from.starts[i]);
  }
}

ChunkToWrite ViewOf(const EncodedChunk& c) { return {c.encoding, c.min_time, c.max_time, c.data}; }

bool SameChunk(const ChunkToWrite& a, const ChunkToWrite& b) {
  return a.min_time == b.min_time && a.max_time == b.max_time && a.encoding == b.encoding && a.data == b.data;
}

}  // namespace

// Writes the samples that stay into one chunk of the same encoding (more when histograms cannot follow one another any
// longer).
Result<void> ChunkMerge::Clean(SourceChunk& source) {
  EPI_ASSIGN(const DecodedChunk samples, Decode(source.chunk));
  const ChunkEncoding encoding = source.chunk.encoding;
  SampleChunker chunker({.samples_per_chunk = MaxChunkSamples(encoding),
                         .float_encoding = IsFloatEncoding(encoding) ? encoding : ChunkEncoding::kXor,
                         .keep_start_times = CarriesStartTimes(encoding)});
  for (size_t i = 0; i < samples.times.size(); ++i) {
    if (!IsDeleted(*source.deleted, samples.times[i])) AddSample(samples, i, chunker);
  }
  source.deleted = nullptr;
  Keep(chunker.Take());
  return {};
}

void ChunkMerge::Keep(std::vector<EncodedChunk> chunks) {
  for (auto& chunk : chunks) {
    made_.push_back(std::move(chunk));
    out_.push_back(ViewOf(made_.back()));
  }
}

Result<void> ChunkMerge::MergeGroup(std::span<const SourceChunk> group) {
  if (group.size() == 1) {
    out_.push_back(group[0].chunk);
    return {};
  }
  std::vector<DecodedChunk> decoded;
  decoded.reserve(group.size());
  for (const auto& source : group) {
    EPI_ASSIGN(auto chunk, Decode(source.chunk));
    decoded.push_back(std::move(chunk));
  }
  std::vector<size_t> at(decoded.size(), 0);
  SampleChunker chunker(options_);
  while (true) {
    size_t next = decoded.size();
    for (size_t i = 0; i < decoded.size(); ++i) {
      if (at[i] == decoded[i].times.size()) continue;
      if (next == decoded.size() || decoded[i].times[at[i]] < decoded[next].times[at[next]]) next = i;
    }
    if (next == decoded.size()) break;
    const TimestampMs time = decoded[next].times[at[next]];
    AddSample(decoded[next], at[next], chunker);
    for (size_t i = 0; i < decoded.size(); ++i)
      if (at[i] < decoded[i].times.size() && decoded[i].times[at[i]] == time) ++at[i];
  }
  Keep(chunker.Take());
  return {};
}

Result<std::span<const ChunkToWrite>> ChunkMerge::Run(std::vector<SourceChunk>& chunks) {
  out_.clear();
  made_.clear();
  // First every chunk for itself: gone, as it is, or without its deleted samples.
  std::vector<SourceChunk> kept;
  for (auto& source : chunks) {
    const TimeRange range{source.chunk.min_time, source.chunk.max_time};
    if (source.deleted == nullptr || !OverlapsAny(*source.deleted, range)) {
      kept.push_back({source.chunk, nullptr});
      continue;
    }
    if (CoveredBy(*source.deleted, range)) continue;
    EPI_TRY(Clean(source));
    for (const auto& cleaned : out_) kept.push_back({cleaned, nullptr});
    out_.clear();
  }
  std::stable_sort(kept.begin(), kept.end(), [](const SourceChunk& a, const SourceChunk& b) {
    return std::tie(a.chunk.min_time, a.chunk.max_time) < std::tie(b.chunk.min_time, b.chunk.max_time);
  });
  kept.erase(std::unique(kept.begin(), kept.end(),
                         [](const SourceChunk& a, const SourceChunk& b) { return SameChunk(a.chunk, b.chunk); }),
             kept.end());
  for (size_t begin = 0; begin < kept.size();) {
    size_t end = begin + 1;
    TimestampMs max_time = kept[begin].chunk.max_time;
    for (; end < kept.size() && kept[end].chunk.min_time <= max_time; ++end) {
      max_time = std::max(max_time, kept[end].chunk.max_time);
    }
    EPI_TRY(MergeGroup(std::span(kept).subspan(begin, end - begin)));
    begin = end;
  }
  return std::span<const ChunkToWrite>(out_);
}

}  // namespace epi::tsdb
