#include "tsdb/import/head_replay.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

constexpr TimeRange kWholeSeries{};  // a tombstone over all of time: the series left the head

}  // namespace

HeadReplay::HeadReplay(const HeadChunkFiles& chunks, TimestampMs min_valid_time, ImportSink& sink, ImportReport& report)
    : files_(chunks), min_valid_time_(min_valid_time), sink_(sink), report_(report) {
  for (const auto& chunk : chunks.chunks) chunks_[chunk.series_ref].push_back(&chunk);
}

HeadReplay::Series* HeadReplay::Find(uint64_t& ref) {
  if (const auto alias = aliases_.find(ref); alias != aliases_.end()) ref = alias->second;
  const auto at = series_.find(ref);
  if (at == series_.end()) {
    ++report_.unknown_refs;
    return nullptr;
  }
  return &at->second;
}

Result<void> HeadReplay::OnSeries(uint64_t ref, const Labels& labels) {
  report_.last_series_ref = std::max(report_.last_series_ref, ref);
  const auto [known, fresh] = by_labels_.try_emplace(labels, ref);
  const uint64_t target = known->second;
  if (target != ref) aliases_[ref] = target;
  Series& series = series_[target];
  if (fresh) {
    series.labels = labels;
    ++report_.series;
    EPI_TRY(sink_.AddSeries(target, labels));
  }
  return AddChunks(ref, target, series);
}

Result<void> HeadReplay::AddChunks(uint64_t wal_ref, uint64_t ref, Series& series) {
  const auto at = chunks_.find(wal_ref);
  if (at == chunks_.end()) return {};
  const auto chunks = std::move(at->second);
  chunks_.erase(at);
  for (const HeadChunk* chunk : chunks) {
    if (!chunk->out_of_order) {
      if (chunk->max_time < min_valid_time_) continue;
      if (series.any && chunk->min_time <= series.max_time) {
        // Two chunks of one time: the log has the samples of the second, if they are newer than the first.
        report_.chunks_damage = "overlapping chunks of series " + std::to_string(wal_ref) + " in chunks_head";
        continue;
      }
      series.max_time = chunk->max_time;
      series.any = true;
      series.kind = IsFloatEncoding(chunk->encoding)          ? Kind::kFloat
                    : IsIntHistogramEncoding(chunk->encoding) ? Kind::kHistogram
                                                              : Kind::kFloatHistogram;
    }
    ++report_.chunks;
    EPI_TRY(sink_.AddChunk(ref, *chunk));
  }
  return {};
}

bool HeadReplay::Admit(Series& series, TimestampMs t, Kind kind) {
  if (t < min_valid_time_ || (series.any && t <= series.max_time)) {
    ++report_.skipped_samples;
    return false;
  }
  series.max_time = t;
  series.any = true;
  series.kind = kind;
  ++report_.samples;
  return true;
}

HeadReplay::Late* HeadReplay::AddLate(uint64_t ref, TimestampMs t, TimestampMs start) {
  if (Find(ref) == nullptr) return nullptr;
  auto& list = late_samples_[ref];
  list.push_back({{.ref = ref, .t = t, .start = start, .v = 0}, nullptr, nullptr});
  return &list.back();
}

Result<void> HeadReplay::OnSamples(std::span<const WalSample> samples) {
  if (late_) {
    for (const auto& s : samples)
      if (Late* late = AddLate(s.ref, s.t, s.start)) late->sample.v = s.v;
    return {};
  }
  admitted_.clear();
  for (WalSample s : samples) {
    Series* series = Find(s.ref);
    if (series == nullptr) continue;
    const Kind before = series->kind;
    const bool stale_histogram = IsStaleNaN(s.v) && (before == Kind::kHistogram || before == Kind::kFloatHistogram);
    if (!Admit(*series, s.t, stale_histogram ? before : Kind::kFloat)) continue;
    if (!stale_histogram) {
      admitted_.push_back(s);
    } else if (before == Kind::kHistogram) {
      Histogram h;
      h.sum = s.v;
      EPI_TRY(sink_.AddHistogram(s.ref, s.t, s.start, h));
    } else {
      FloatHistogram h;
      h.sum = s.v;
      EPI_TRY(sink_.AddFloatHistogram(s.ref, s.t, s.start, h));
    }
  }
  return admitted_.empty() ? Result<void>{} : sink_.AddSamples(admitted_);
}

Result<void> HeadReplay::OnHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) {
  if (late_) {
    if (Late* late = AddLate(ref, t, start)) late->histogram = std::make_unique<Histogram>(h);
    return {};
  }
  Series* series = Find(ref);
  if (series == nullptr || !Admit(*series, t, Kind::kHistogram)) return {};
  return sink_.AddHistogram(ref, t, start, h);
}

Result<void> HeadReplay::OnFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) {
  if (late_) {
    if (Late* late = AddLate(ref, t, start)) late->float_histogram = std::make_unique<FloatHistogram>(h);
    return {};
  }
  Series* series = Find(ref);
  if (series == nullptr || !Admit(*series, t, Kind::kFloatHistogram)) return {};
  return sink_.AddFloatHistogram(ref, t, start, h);
}

Result<void> HeadReplay::OnTombstone(uint64_t ref, TimeRange range) {
  report_.last_series_ref = std::max(report_.last_series_ref, ref);
  if (range != kWholeSeries && range.max < min_valid_time_) return {};
  Series* series = Find(ref);
  if (series == nullptr) return {};
  if (range != kWholeSeries) return sink_.AddTombstone(ref, range);
  by_labels_.erase(series->labels);
  series_.erase(ref);
  std::erase_if(aliases_, [&](const auto& alias) { return alias.second == ref; });
  return sink_.RemoveSeries(ref);
}

Result<void> HeadReplay::OnExemplar(uint64_t ref, const Exemplar& exemplar) {
  if (exemplar.time < min_valid_time_ || Find(ref) == nullptr) return {};
  return sink_.AddExemplar(ref, exemplar);
}

Result<void> HeadReplay::OnMetadata(uint64_t ref, const MetricMetadata& metadata) {
  if (Find(ref) == nullptr) return {};
  return sink_.SetMetadata(ref, metadata);
}

Result<void> HeadReplay::OnMmapMarker(uint64_t ref, uint64_t chunk) {
  // The samples so far went into a chunk. If that never reached the disk, the marker means nothing.
  if (Find(ref) != nullptr && chunk <= files_.last_chunk_ref) late_samples_.erase(ref);
  return {};
}

void HeadReplay::OnUnknownHistogram(uint64_t) { ++report_.dropped_histograms; }

Result<void> HeadReplay::FinishLateLog() {
  for (auto& [ref, list] : late_samples_) {
    std::stable_sort(list.begin(), list.end(), [](const Late& a, const Late& b) { return a.sample.t < b.sample.t; });
    TimestampMs before = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const Late& late = list[i];
      if (i > 0 && late.sample.t == before) continue;  // the first of a time stays, as in the out-of-order chunk
      before = late.sample.t;
      ++report_.samples;
      if (late.histogram) {
        EPI_TRY(sink_.AddLateHistogram(ref, late.sample.t, late.sample.start, *late.histogram));
      } else if (late.float_histogram) {
        EPI_TRY(sink_.AddLateFloatHistogram(ref, late.sample.t, late.sample.start, *late.float_histogram));
      } else {
        EPI_TRY(sink_.AddLateSample(late.sample));
      }
    }
  }
  late_samples_.clear();
  return {};
}

}  // namespace epi::tsdb
