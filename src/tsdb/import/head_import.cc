#include "tsdb/import/head_import.h"

#include <algorithm>
#include <utility>

#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"
#include "tsdb/head/head_appender.h"

namespace epi::tsdb {
namespace {

// So many series of a target are decoded together: their samples are in memory at once.
constexpr size_t kSeriesTogether = 2048;
constexpr uint64_t kSamplesToRelief = 4'000'000;

// The key that the scraping of a target with no other labels than job and instance uses, so that a target that goes on
// being scraped finds its series in its own group. Others find them too, in a group of another name.
std::string GroupKeyOf(const Labels& labels) {
  const std::string_view instance = labels.Get("instance");
  const std::string_view job = labels.Get("job");
  if (instance.empty() && job.empty()) return "prometheus";
  return Labels{{"instance", std::string(instance)}, {"job", std::string(job)}}.ToString() + ";http://" +
         std::string(instance) + "/metrics";
}

template <typename Kind, typename Visit>
Result<void> ForEachHistogram(const HeadChunk& chunk, const Visit& visit) {
  EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
  while (true) {
    EPI_ASSIGN(const bool more, cursor.Next());
    if (!more) return {};
    typename Kind::Value value;
    if (cursor.stale()) {
      value.sum = StaleNaN();
    } else {
      cursor.Get(value);
    }
    EPI_TRY(visit(cursor.time(), cursor.start_time(), std::move(value)));
  }
}

struct DecodedFloats {
  std::vector<TimestampMs> times;
  std::vector<double> values;
  std::vector<TimestampMs> starts;
};

Result<void> DecodeFloats(const HeadChunk& chunk, DecodedFloats& out) {
  const size_t count = ChunkSampleCount(chunk.encoding, chunk.data);
  out.times.resize(count);
  out.values.resize(count);
  out.starts.resize(count);
  return DecodeFloatChunk(chunk.encoding, chunk.data, out.times.data(), out.values.data(), out.starts.data());
}

}  // namespace

// The samples of many chunks, in order of time.
class HeadImport::ChunkRows {
 public:
  struct Float {
    SeriesRef series;
    double value;
    TimestampMs start;
  };
  explicit ChunkRows(TimestampMs min_valid_time) : min_valid_time_(min_valid_time) {}

  Result<void> Add(SeriesRef series, const HeadChunk& chunk) {
    if (IsFloatEncoding(chunk.encoding)) {
      EPI_TRY(DecodeFloats(chunk, decoded_));
      auto& of = floats_.emplace_back(series, decoded_);
      if (floats_.size() < 2 || floats_[floats_.size() - 2].second.times != of.second.times) NoteTimes(of.second.times);
      return {};
    }
    const auto add = [&](TimestampMs t, TimestampMs start, auto value) -> Result<void> {
      BatchAppender::HistogramSample sample{series, t, start, nullptr, nullptr};
      if constexpr (std::is_same_v<decltype(value), Histogram>) {
        sample.integer = std::make_shared<const Histogram>(std::move(value));
      } else {
        sample.floats = std::make_shared<const FloatHistogram>(std::move(value));
      }
      times_.push_back(t);
      histograms_.push_back(std::move(sample));
      return {};
    };
    return IsIntHistogramEncoding(chunk.encoding) ? ForEachHistogram<IntHistogramKind>(chunk, add)
                                                  : ForEachHistogram<FloatHistogramKind>(chunk, add);
  }

  // Calls visit(time, floats, histograms) for each time, ascending.
  template <typename Visit>
  Result<void> ForEachTime(const Visit& visit) {
    std::sort(times_.begin(), times_.end());
    times_.erase(std::unique(times_.begin(), times_.end()), times_.end());
    times_.erase(times_.begin(), std::lower_bound(times_.begin(), times_.end(), min_valid_time_));
    // How many rows each time has, then where they begin, then the rows.
    std::vector<size_t> begins(times_.size() + 1, 0);
    ForEachFloat([&](size_t place, SeriesRef, const DecodedFloats&, size_t) { ++begins[place + 1]; });
    for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
    std::vector<Float> rows(begins.back());
    std::vector<size_t> next(begins.begin(), begins.end() - 1);
    ForEachFloat([&](size_t place, SeriesRef series, const DecodedFloats& of, size_t i) {
      rows[next[place]++] = {series, of.values[i], of.starts[i]};
    });
    std::stable_sort(histograms_.begin(), histograms_.end(),
                     [](const auto& a, const auto& b) { return a.time < b.time; });
    auto histogram = std::find_if(histograms_.begin(), histograms_.end(),
                                  [&](const auto& sample) { return sample.time >= min_valid_time_; });
    for (size_t i = 0; i < times_.size(); ++i) {
      const auto first = histogram;
      while (histogram != histograms_.end() && histogram->time == times_[i]) ++histogram;
      EPI_TRY(
          visit(times_[i], std::span(rows).subspan(begins[i], begins[i + 1] - begins[i]), std::span(first, histogram)));
    }
    return {};
  }

 private:
  void NoteTimes(const std::vector<TimestampMs>& times) { times_.insert(times_.end(), times.begin(), times.end()); }

  template <typename Visit>
  void ForEachFloat(const Visit& visit) const {
    for (const auto& [series, of] : floats_) {
      auto place = times_.begin();
      for (size_t i = 0; i < of.times.size(); ++i) {
        if (of.times[i] < min_valid_time_) continue;
        if (place == times_.end() || *place != of.times[i]) place = std::lower_bound(place, times_.end(), of.times[i]);
        visit(static_cast<size_t>(place - times_.begin()), series, of, i);
        ++place;
      }
    }
  }

  const TimestampMs min_valid_time_;
  DecodedFloats decoded_;
  std::vector<std::pair<SeriesRef, DecodedFloats>> floats_;
  std::vector<BatchAppender::HistogramSample> histograms_;
  std::vector<TimestampMs> times_;
};

HeadImport::HeadImport(Head& head, BackfillAppender& late, TimestampMs min_valid_time, std::function<void()> relief)
    : head_(head), late_(late), min_valid_time_(min_valid_time), relief_(std::move(relief)) {}
HeadImport::~HeadImport() = default;

Result<HeadImport::Target*> HeadImport::TargetOf(const Labels& labels) {
  const std::string key = GroupKeyOf(labels);
  auto& target = targets_[key];
  if (target == nullptr) {
    target = std::make_unique<Target>();
    EPI_ASSIGN(target->appender, head_.OpenGroup({GroupIdentity::Kind::kScrape, key}));
    static_cast<HeadAppender&>(*target->appender).AdmitFarBehindNewest();
  }
  return target.get();
}

HeadImport::Series* HeadImport::Find(uint64_t ref) {
  const auto at = series_.find(ref);
  return at == series_.end() ? nullptr : &at->second;
}

Result<void> HeadImport::AddSeries(uint64_t ref, const Labels& labels) {
  EPI_ASSIGN(Target* const target, TargetOf(labels));
  EPI_ASSIGN(const SeriesRef series, target->appender->Intern(labels));
  series_[ref] = {series, target};
  return {};
}

Result<void> HeadImport::AddChunk(uint64_t ref, const HeadChunk& chunk) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  if (chunk.out_of_order) {
    if (!AddLateChunk(ref, head_.LabelsOf(RefId(series->ref)), chunk)) Unreadable(chunk);
    return {};
  }
  // Samples of a series that are in the appender are newer than no chunk that comes now.
  series->target->chunks.push_back({series->ref, &chunk});
  return {};
}

void HeadImport::Unreadable(const HeadChunk& chunk) { refused_ += ChunkSampleCount(chunk.encoding, chunk.data); }

bool HeadImport::Deleted(uint64_t ref, TimestampMs t) const {
  const auto at = deleted_.find(ref);
  return at != deleted_.end() && IsDeleted(at->second, t);
}

Result<void> HeadImport::AddLateChunk(uint64_t ref, const Labels& labels, const HeadChunk& chunk) {
  if (IsFloatEncoding(chunk.encoding)) {
    DecodedFloats floats;
    EPI_TRY(DecodeFloats(chunk, floats));
    for (size_t i = 0; i < floats.times.size(); ++i) {
      if (Deleted(ref, floats.times[i])) continue;
      EPI_TRY(late_.Add(labels, floats.times[i], floats.values[i], floats.starts[i]));
    }
    return {};
  }
  const auto add = [&](TimestampMs t, TimestampMs start, const auto& value) -> Result<void> {
    if (Deleted(ref, t)) return {};
    return late_.AddHistogram(labels, t, value, start);
  };
  return IsIntHistogramEncoding(chunk.encoding) ? ForEachHistogram<IntHistogramKind>(chunk, add)
                                                : ForEachHistogram<FloatHistogramKind>(chunk, add);
}

Result<void> HeadImport::FlushChunks(Target& target) {
  if (target.chunks.empty()) return {};
  const auto chunks = std::exchange(target.chunks, {});
  for (size_t begin = 0; begin < chunks.size();) {
    size_t series = 0;
    size_t end = begin;
    for (; end < chunks.size(); ++end) {
      if (end > begin && chunks[end].series == chunks[end - 1].series) continue;
      if (++series > kSeriesTogether) break;
    }
    EPI_TRY(FlushSome(target, std::span(chunks).subspan(begin, end - begin)));
    begin = end;
  }
  return {};
}

Result<void> HeadImport::FlushSome(Target& target, std::span<const PendingChunk> chunks) {
  ChunkRows rows(min_valid_time_);
  for (const auto& [series, chunk] : chunks) {
    if (!rows.Add(series, *chunk)) Unreadable(*chunk);
  }
  return rows.ForEachTime([&](TimestampMs time, std::span<const ChunkRows::Float> floats,
                              std::span<BatchAppender::HistogramSample> histograms) -> Result<void> {
    for (const auto& row : floats) {
      if (row.start == 0) {
        target.appender->Add(row.series, row.value);
      } else {
        target.appender->AddAt(row.series, time, row.value, row.start);
      }
    }
    for (auto& sample : histograms) target.appender->AddHistogram(std::move(sample));
    target.time = time;
    target.open = true;
    return Commit(target);
  });
}

Result<void> HeadImport::Commit(Target& target) {
  if (!target.open) return {};
  target.open = false;
  EPI_ASSIGN(const AppendReport report, target.appender->Commit(target.time));
  stored_ += report.accepted;
  since_relief_ += report.accepted;
  for (size_t reason = 0; reason < kRejectReasons; ++reason) {
    if (!ConcernsExemplar(static_cast<RejectReason>(reason))) refused_ += report.rejected[reason].count;
  }
  if (since_relief_ < kSamplesToRelief) return {};
  since_relief_ = 0;
  if (relief_) relief_();
  return {};
}

Result<BatchAppender*> HeadImport::Open(Target& target, TimestampMs t) {
  if (!target.chunks.empty()) {
    EPI_TRY(Commit(target));
    EPI_TRY(FlushChunks(target));
  }
  if (target.open && target.time != t) EPI_TRY(Commit(target));
  target.time = t;
  target.open = true;
  return target.appender.get();
}

Result<void> HeadImport::AddSamples(std::span<const WalSample> samples) {
  mixed_.clear();
  for (const WalSample& sample : samples) {
    const Series* series = Find(sample.ref);
    if (series == nullptr) continue;
    Target& target = *series->target;
    const bool in_record = std::find(mixed_.begin(), mixed_.end(), &target) != mixed_.end();
    if (!in_record) {
      EPI_TRY(Open(target, sample.t));
      mixed_.push_back(&target);
    }
    if (target.time == sample.t && sample.start == 0) {
      target.appender->Add(series->ref, sample.v);
    } else {
      target.appender->AddAt(series->ref, sample.t, sample.v, sample.start);
    }
  }
  // One record is one commit of Prometheus's: the samples of one moment stay together, and those with times of their
  // own stay one batch.
  for (Target* target : mixed_) EPI_TRY(Commit(*target));
  return {};
}

Result<void> HeadImport::AddHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  EPI_ASSIGN(BatchAppender* const appender, Open(*series->target, t));
  appender->AddHistogram({series->ref, t, start, std::make_shared<const Histogram>(h), nullptr});
  return {};
}

Result<void> HeadImport::AddFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const FloatHistogram& h) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  EPI_ASSIGN(BatchAppender* const appender, Open(*series->target, t));
  appender->AddHistogram({series->ref, t, start, nullptr, std::make_shared<const FloatHistogram>(h)});
  return {};
}

Result<void> HeadImport::AddLateSample(const WalSample& sample) {
  const Series* series = Find(sample.ref);
  if (series == nullptr || Deleted(sample.ref, sample.t)) return {};
  return late_.Add(head_.LabelsOf(RefId(series->ref)), sample.t, sample.v, sample.start);
}

Result<void> HeadImport::AddLateHistogram(uint64_t ref, TimestampMs t, TimestampMs start, const Histogram& h) {
  const Series* series = Find(ref);
  if (series == nullptr || Deleted(ref, t)) return {};
  return late_.AddHistogram(head_.LabelsOf(RefId(series->ref)), t, h, start);
}

Result<void> HeadImport::AddLateFloatHistogram(uint64_t ref, TimestampMs t, TimestampMs start,
                                               const FloatHistogram& h) {
  const Series* series = Find(ref);
  if (series == nullptr || Deleted(ref, t)) return {};
  return late_.AddHistogram(head_.LabelsOf(RefId(series->ref)), t, h, start);
}

Result<void> HeadImport::AddTombstone(uint64_t ref, TimeRange range) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  EPI_TRY(Commit(*series->target));
  EPI_TRY(FlushChunks(*series->target));
  AddInterval(deleted_[ref], range);
  const uint32_t id = RefId(series->ref);
  return head_.DeleteSeries(std::span(&id, 1), range);
}

Result<void> HeadImport::AddExemplar(uint64_t ref, const Exemplar& exemplar) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  EPI_ASSIGN(BatchAppender* const appender, Open(*series->target, exemplar.time));
  appender->AddExemplar(series->ref, exemplar);
  return {};
}

Result<void> HeadImport::SetMetadata(uint64_t ref, const MetricMetadata& metadata) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  Target& target = *series->target;
  target.appender->SetMetadata(series->ref, metadata);
  target.open = true;
  return {};
}

Result<void> HeadImport::RemoveSeries(uint64_t ref) {
  const Series* series = Find(ref);
  if (series == nullptr) return {};
  EPI_TRY(Commit(*series->target));
  deleted_.erase(ref);
  series_.erase(ref);
  return {};
}

Result<void> HeadImport::Finish() {
  for (auto& [key, target] : targets_) {
    EPI_TRY(Commit(*target));
    EPI_TRY(FlushChunks(*target));
  }
  targets_.clear();
  series_.clear();
  return {};
}

}  // namespace epi::tsdb
