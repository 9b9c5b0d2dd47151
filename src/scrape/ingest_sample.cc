#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/histogram_start.h"
#include "model/histogram_validate.h"
#include "scrape/histogram_limits.h"
#include "scrape/ingest_run.h"
#include "scrape/sample_labels.h"

namespace epi::scrape {

Result<void> SampleIngest::Run::TakeSample(ExpositionParser& parser, EntryKind kind) {
  const ExpositionEntry& entry = parser.entry();
  ++result_.scraped;
  const bool timed = entry.has_time && rules_.honor_timestamps;
  const TimestampMs sample_time = timed ? entry.time : time_;

  CachedLine key;
  key.hash = cache_.Hash(entry.series) ^ (rules_.type_and_unit_labels ? context_ : 0);
  key.length = static_cast<uint32_t>(std::min<size_t>(entry.series.size(), CachedLine::kMaxLength));
  const auto found =
      entry.series.size() <= CachedLine::kMaxLength ? cache_.Find(key.hash, key.length) : SeriesCache::Found{};
  CachedLine* line = found.line;
  bool fresh = false;
  if (line == nullptr) {
    EPI_ASSIGN(line, NewSeries(parser, key, sample_time));
    if (line == nullptr) return {};  // counted, but not to be stored
    fresh = true;
  }
  if (line->line_kind() == LineKind::kDropped) return {};
  ++result_.kept;
  if (found.repeated && !timed) {
    ++result_.duplicates;
    return {};
  }
  if (sample_time > time_ + kMaxFutureMs) {
    ++appended_;
    ++result_.out_of_bounds;
    if (!found.repeated) Untrack(*line);
    return {};
  }
  ++appended_;
  if (only_new_ && !fresh) return {};
  Track(*line, found, timed, kind == EntryKind::kSeries ? 0 : entry.histogram != nullptr ? 1 : 2);
  EPI_TRY(AddSample(parser, line->series(), kind, timed, sample_time));
  if (fresh && !over_sample_limit_ && !over_bucket_limit_) ++result_.series_added;
  return {};
}

// In the soft mode the places of the last body's series are kept for them: those may stand further down the page.
bool SampleIngest::Run::HasPlaceForNew() const {
  if (rules_.sample_limit == 0) return true;
  if (!rules_.drop_new_over_limit) return appended_ < rules_.sample_limit;
  return std::max(appended_, last_appended_ + result_.series_added) < rules_.sample_limit;
}

// The line of a series that is not cached: null when its sample is to be counted only.
Result<CachedLine*> SampleIngest::Run::NewSeries(ExpositionParser& parser, CachedLine line, TimestampMs sample_time) {
  const Labels exposed = parser.SampleLabels();
  Labels labels = AttachTargetLabels(exposed, target_labels_, rules_.honor_labels, parser);
  if (!rules_.metric_relabel.empty()) {
    LabelsBuilder builder(labels);
    labels = Relabel(rules_.metric_relabel, builder) ? builder.Build() : Labels();
  }
  const bool cacheable = parser.entry().series.size() <= CachedLine::kMaxLength;
  if (labels.empty()) {
    line.kind = static_cast<unsigned>(LineKind::kDropped);
    if (cacheable) cache_.Insert(line);
    return nullptr;
  }
  if (!labels.Has(kMetricName)) return epi::Fail(ErrorCode::kInvalid, "missing metric name (__name__ label)");
  if (!AreValidLabels(labels, rules_.name_scheme)) {
    return epi::Fail(ErrorCode::kInvalid, "invalid metric name or label names: " + labels.ToString());
  }
  const std::string twice = parser.RepeatedLabel();
  if (auto within = CheckLabelLimits(labels, twice.empty() ? 0 : 1, rules_); !within) {
    result_.label_limit_hit = true;
    return epi::Fail(std::move(within).error());
  }
  if (!twice.empty()) {
    return epi::Fail(ErrorCode::kInvalid, "label name \"" + twice + "\" is not unique: invalid sample");
  }
  if (sample_time > time_ + kMaxFutureMs) {
    ++result_.kept;
    ++appended_;
    ++result_.out_of_bounds;
    return nullptr;
  }
  if (!HasPlaceForNew()) {
    ++result_.kept;
    if (rules_.drop_new_over_limit) {
      ++result_.refused_new;
    } else {
      ++appended_;
      over_sample_limit_ = true;
    }
    return nullptr;
  }
  if (appender_.RefuseOutOfBounds(sample_time, parser.entry().kind == EntryKind::kHistogram)) {
    ++result_.kept;
    ++appended_;
    ++result_.out_of_bounds;
    return nullptr;
  }
  EPI_ASSIGN(const SeriesRef ref, appender_.Intern(labels));
  line.ref = static_cast<uint64_t>(ref);
  if (rules_.append_metadata) {
    if (const auto family = metadata_.ForMetric(exposed.MetricName())) appender_.SetMetadata(ref, family->metadata);
  }
  return &cache_.Insert(line);
}

// Keeps up what the cache knows of the series' last sample. Of several in one body the first says whether it is
// tracked.
void SampleIngest::Run::Track(CachedLine& line, SeriesCache::Found found, bool timed, unsigned histogram) {
  line.histogram = histogram & 3;
  const bool fresh = found.line == nullptr;
  if (timed && rules_.track_timestamps_staleness && (fresh || found.repeated)) timed_.Note(line.series(), fresh);
  if (found.repeated) return;
  if (!timed || rules_.track_timestamps_staleness) {
    line.untracked = false;
  } else if (fresh) {
    line.untracked = true;  // there is nothing yet that a marker could end
  } else {
    Untrack(line);
  }
}

// The series gets no marker when it vanishes, but one now if it would have got one until now.
void SampleIngest::Run::Untrack(CachedLine& line) {
  if (!line.untracked) cache_.NoteUntracked(line);
  line.untracked = true;
}

Result<void> SampleIngest::Run::AddSample(ExpositionParser& parser, SeriesRef ref, EntryKind kind, bool timed,
                                          TimestampMs sample_time) {
  const ExpositionEntry& entry = parser.entry();
  const TimestampMs exposed_start = uses_start_times() ? parser.StartTime() : 0;
  TimestampMs start = rules_.start_timestamps ? exposed_start : 0;
  const bool synthesize = rules_.synthesize_starts && exposed_start == 0 && MaySynthesize(parser, ref);
  if (kind == EntryKind::kHistogram) {
    EPI_TRY(AddHistogram(parser, ref, timed, sample_time, exposed_start, synthesize));
  } else {
    // Samples with times of their own keep their order among themselves only, so what follows the zero has one too.
    const bool after_zero = NeedsZeroSample(ref, exposed_start, sample_time);
    if (after_zero) appender_.AddStartZero(ref, exposed_start);
    double value = entry.value;
    bool first = false;
    if (synthesize) {
      const auto outcome = starts_.Float(ref, value, sample_time);
      first = outcome.first;
      if (rules_.start_timestamps) start = outcome.start;
    }
    if (!first) AddFloat(ref, value, start, timed || after_zero, sample_time);
  }
  if (rules_.exemplars) AddExemplars(parser, ref, kind, sample_time);
  if (family_changed_ && rules_.append_metadata) {
    if (const auto family = metadata_.Get(family_name_)) appender_.SetMetadata(ref, family->metadata);
  }
  return {};
}

void SampleIngest::Run::AddFloat(SeriesRef ref, double value, TimestampMs start, bool at_own_time,
                                 TimestampMs sample_time) {
  if (at_own_time || start != 0) {
    appender_.AddAt(ref, sample_time, value, start);
  } else {
    appender_.Add(ref, value);
  }
}

bool SampleIngest::Run::MaySynthesize(ExpositionParser& parser, SeriesRef ref) const {
  if (starts_.Knows(ref)) return true;
  const auto family = metadata_.Get(family_name_);
  return family && IsCumulativePart(parser.SampleLabels().MetricName(), family_name_, family->metadata.type);
}

bool SampleIngest::Run::NeedsZeroSample(SeriesRef ref, TimestampMs start, TimestampMs sample_time) {
  if (!rules_.start_zero_samples || start == 0 || start >= sample_time) return false;
  return std::exchange(zeroed_starts_[ref], start) != start;
}

Result<void> SampleIngest::Run::AddHistogram(ExpositionParser& parser, SeriesRef ref, bool timed,
                                             TimestampMs sample_time, TimestampMs exposed_start, bool synthesize) {
  const ExpositionEntry& entry = parser.entry();
  const TimestampMs start = rules_.start_timestamps ? exposed_start : 0;
  const HistogramLimits limits{rules_.native_histogram_bucket_limit,
                               MaxSchemaForFactor(rules_.native_histogram_min_bucket_factor)};
  BatchAppender::HistogramSample sample{ref, timed ? sample_time : BatchAppender::kBatchTime, start, entry.histogram,
                                        entry.float_histogram};
  const auto fitted = entry.histogram ? FitHistogram(sample.integer, limits) : FitHistogram(sample.floats, limits);
  if (!fitted) {
    if (fitted.error().code() != ErrorCode::kLimit) return epi::Fail(fitted.error());
    over_bucket_limit_ = true;
    return {};
  }
  // What does not add up fails the scrape, as any other mistake in the body.
  if (sample.integer) {
    if (rules_.validate_histograms) EPI_TRY(Validate(*sample.integer));
  } else if (rules_.validate_histograms) {
    EPI_TRY(Validate(*sample.floats));
  }
  if (NeedsZeroSample(ref, exposed_start, sample_time)) {
    if (sample.integer) {
      appender_.AddHistogram({ref, exposed_start, 0, ZeroLike(*sample.integer), nullptr, 0, 0, true});
    } else {
      appender_.AddHistogram({ref, exposed_start, 0, nullptr, ZeroLike(*sample.floats), 0, 0, true});
    }
    sample.time = sample_time;  // behind the zero, see AddSample
  }
  if (synthesize) {
    const auto outcome = sample.integer ? starts_.OfHistogram(ref, sample.integer, sample_time)
                                        : starts_.OfHistogram(ref, sample.floats, sample_time);
    if (outcome.first) return {};
    if (rules_.start_timestamps) sample.start_time = outcome.start;
  }
  appender_.AddHistogram(std::move(sample));
  return {};
}

void SampleIngest::Run::AddExemplars(ExpositionParser& parser, SeriesRef ref, EntryKind kind, TimestampMs sample_time) {
  std::vector<Exemplar> exemplars;
  for (Exemplar exemplar; parser.NextExemplar(exemplar); exemplar = {}) {
    if (!exemplar.has_time) {
      // Several exemplars of one histogram cannot be put in order without times.
      if (kind == EntryKind::kHistogram) continue;
      exemplar.time = sample_time;
      exemplar.has_time = true;
    }
    exemplars.push_back(std::move(exemplar));
  }
  std::stable_sort(exemplars.begin(), exemplars.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  for (auto& exemplar : exemplars) appender_.AddExemplar(ref, std::move(exemplar));
}

}  // namespace epi::scrape
