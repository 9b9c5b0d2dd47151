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
namespace {

constexpr std::string_view kTooOldText = "too old sample";

}  // namespace

Result<void> SampleIngest::Run::TakeSample(ExpositionParser& parser, EntryKind kind) {
  ++result_.scraped;
  EPI_ASSIGN(const bool kept, TakeKept(parser, kind));
  if (kept) ++result_.kept;
  return {};
}

// The checks are in Prometheus's order, since the first one that fails says what is counted and what the target's error
// is. False for what relabeling drops.
Result<bool> SampleIngest::Run::TakeKept(ExpositionParser& parser, EntryKind kind) {
  const ExpositionEntry& entry = parser.entry();
  CachedLine fresh_line;
  fresh_line.hash = cache_.Hash(entry.series) ^ (rules_.type_and_unit_labels ? context_ : 0);
  fresh_line.length = static_cast<uint32_t>(std::min<size_t>(entry.series.size(), CachedLine::kMaxLength));
  const auto found = entry.series.size() <= CachedLine::kMaxLength ? cache_.Find(fresh_line.hash, fresh_line.length)
                                                                   : SeriesCache::Found{};
  CachedLine* line = found.line;
  const bool fresh = line == nullptr;
  Labels labels;
  if (fresh) {
    EPI_ASSIGN(labels, NewLabels(parser, fresh_line));
    if (labels.empty()) return false;
  } else if (line->line_kind() == LineKind::kDropped) {
    return false;
  }
  Sample sample;
  sample.timed = entry.has_time && rules_.honor_timestamps;
  sample.time = sample.timed ? entry.time : time_;
  if (found.repeated && !sample.timed) {
    ++result_.duplicates;
    return true;
  }
  EPI_ASSIGN(const bool fits, ReadValue(entry, kind, sample));
  if (!fits) {
    over_bucket_limit_ = true;
    return true;
  }
  if (!FitsSampleLimit(fresh, sample)) return true;
  if (sample.time > time_ + kMaxFutureMs) {
    ++result_.out_of_bounds;
    if (!fresh && !found.repeated) Untrack(*line);
    return true;
  }
  if (kind == EntryKind::kHistogram) EPI_TRY(CheckHistogram(sample));
  if (!fresh) {
    if (only_new_) return true;
    if (IsTooOld(line->series(), sample)) return epi::Fail(ErrorCode::kInvalid, std::string(kTooOldText));
    Track(*line, found, sample);
    AddSample(parser, line->series(), sample, /*fresh=*/false);
    return true;
  }
  if (appender_.RefuseOutOfBounds(sample.time, kind == EntryKind::kHistogram)) {
    ++result_.out_of_bounds;
    return true;
  }
  EPI_ASSIGN(const SeriesRef ref, appender_.Intern(labels));
  if (IsTooOld(ref, sample)) return epi::Fail(ErrorCode::kInvalid, std::string(kTooOldText));
  if (!AddSample(parser, ref, sample, /*fresh=*/true)) {
    // Not a series that the target has: it ends in no marker, and counts as added when a sample is taken.
    if (sample.timed && rules_.track_timestamps_staleness) timed_.Note(ref, /*fresh=*/true);
    return true;
  }
  fresh_line.ref = static_cast<uint64_t>(ref);
  Track(cache_.Insert(fresh_line), found, sample);
  if (!over_sample_limit_ && !over_bucket_limit_) ++result_.series_added;
  return true;
}

// What the sample holds, histograms as coarse as the limits want them; false when they cannot be as coarse as that.
Result<bool> SampleIngest::Run::ReadValue(const ExpositionEntry& entry, EntryKind kind, Sample& sample) const {
  if (kind != EntryKind::kHistogram) {
    sample.value = entry.value;
    return true;
  }
  sample.integer = entry.histogram;
  sample.floats = entry.float_histogram;
  const HistogramLimits limits{rules_.native_histogram_bucket_limit,
                               MaxSchemaForFactor(rules_.native_histogram_min_bucket_factor)};
  auto fitted = sample.integer ? FitHistogram(sample.integer, limits) : FitHistogram(sample.floats, limits);
  if (fitted) return true;
  if (fitted.error().code() == ErrorCode::kLimit) return false;
  return epi::Fail(std::move(fitted).error());
}

// What does not add up fails the scrape, as any other mistake in the body.
Result<void> SampleIngest::Run::CheckHistogram(const Sample& sample) const {
  if (!rules_.validate_histograms) return {};
  return sample.integer ? Validate(*sample.integer) : Validate(*sample.floats);
}

// Of what storage refuses only this fails a scrape, where there is an out-of-order window.
bool SampleIngest::Run::IsTooOld(SeriesRef ref, const Sample& sample) {
  return sample.time < too_old_before_ && appender_.RefuseTooOld(ref, sample.time, sample.IsHistogram());
}

// Counts the sample against the limit. Past it a scrape fails; in the soft mode only new series have no place.
bool SampleIngest::Run::FitsSampleLimit(bool fresh, const Sample& sample) {
  if (!fresh && sample.IsStale()) return true;
  if (rules_.drop_new_over_limit && fresh && !HasPlaceForNew()) {
    ++result_.refused_new;
    return false;
  }
  ++appended_;
  if (rules_.sample_limit == 0 || rules_.drop_new_over_limit || appended_ <= rules_.sample_limit) return true;
  over_sample_limit_ = true;
  return false;
}

// The places of the last body's series are kept for them: those may stand further down the page.
bool SampleIngest::Run::HasPlaceForNew() const {
  return rules_.sample_limit == 0 || std::max(appended_, last_appended_ + result_.series_added) < rules_.sample_limit;
}

// The labels to store a series under that is not cached; none when it is dropped, which is remembered.
Result<Labels> SampleIngest::Run::NewLabels(ExpositionParser& parser, CachedLine line) {
  const Labels exposed = parser.SampleLabels();
  Labels labels = AttachTargetLabels(exposed, target_labels_, rules_.honor_labels, parser);
  if (!rules_.metric_relabel.empty()) {
    LabelsBuilder builder(labels);
    labels = Relabel(rules_.metric_relabel, builder) ? builder.Build() : Labels();
  }
  if (labels.empty()) {
    line.kind = static_cast<unsigned>(LineKind::kDropped);
    if (parser.entry().series.size() <= CachedLine::kMaxLength) cache_.Insert(line);
    return labels;
  }
  if (!labels.Has(kMetricName)) return epi::Fail(ErrorCode::kInvalid, "missing metric name (__name__ label)");
  if (!AreValidLabels(labels, rules_.name_scheme)) {
    return epi::Fail(ErrorCode::kInvalid, "invalid metric name or label names: " + labels.ToString());
  }
  const std::string twice = parser.RepeatedLabel(labels);
  if (auto within = CheckLabelLimits(labels, twice.empty() ? 0 : 1, rules_); !within) {
    result_.label_limit_hit = true;
    return epi::Fail(std::move(within).error());
  }
  if (!twice.empty()) {
    return epi::Fail(ErrorCode::kInvalid, "label name \"" + twice + "\" is not unique: invalid sample");
  }
  return labels;
}

// Keeps up what the cache knows of the series' last sample. Of several in one body the first says whether it is
// tracked.
void SampleIngest::Run::Track(CachedLine& line, SeriesCache::Found found, const Sample& sample) {
  const bool timed = sample.timed;
  line.histogram = sample.integer != nullptr ? 1 : sample.floats != nullptr ? 2 : 0;
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

// Puts the sample and what belongs to it into the batch. Whether it counts as taken: what storage refuses goes into the
// batch too, to be counted there, but without exemplars. False is certain of `fresh` series only.
bool SampleIngest::Run::AddSample(ExpositionParser& parser, SeriesRef ref, Sample& sample, bool fresh) {
  const TimestampMs exposed_start = uses_start_times() ? parser.StartTime() : 0;
  if (rules_.start_timestamps) sample.start = exposed_start;
  if (rules_.synthesize_starts && exposed_start == 0 && MaySynthesize(parser, ref)) {
    const auto outcome = Synthesize(ref, sample);
    if (outcome.first) return true;
    if (rules_.start_timestamps) sample.start = outcome.start;
  }
  auto exemplars = rules_.exemplars && !sample.IsStale() ? Exemplars(parser, sample) : std::vector<Exemplar>();
  const bool refused = (fresh || !exemplars.empty()) && WouldRefuse(ref, sample);
  if (refused && only_new_) return false;  // was counted when the body was read first
  AddValue(ref, sample, exposed_start);
  if (refused) return false;
  for (auto& exemplar : exemplars) appender_.AddExemplar(ref, std::move(exemplar));
  if (rules_.append_metadata) {
    if (family_changed_) {
      if (const auto family = metadata_.Get(family_name_)) appender_.SetMetadata(ref, family->metadata);
    } else if (fresh) {
      const auto family = metadata_.ForMetric(parser.SampleLabels().MetricName());
      if (family) appender_.SetMetadata(ref, family->metadata);
    }
  }
  return true;
}

bool SampleIngest::Run::WouldRefuse(SeriesRef ref, const Sample& sample) const {
  if (!sample.IsHistogram()) return appender_.WouldRefuse({ref, sample.time, sample.value, sample.start});
  return appender_.WouldRefuse({ref, sample.time, sample.start, sample.integer, sample.floats});
}

// Samples with times of their own keep their order among themselves only, so what follows a zero has one too.
void SampleIngest::Run::AddValue(SeriesRef ref, const Sample& sample, TimestampMs exposed_start) {
  const bool after_zero = NeedsZeroSample(ref, exposed_start, sample.time);
  if (sample.IsHistogram()) {
    if (after_zero && sample.integer) {
      appender_.AddHistogram({ref, exposed_start, 0, ZeroLike(*sample.integer), nullptr, 0, 0, true});
    } else if (after_zero) {
      appender_.AddHistogram({ref, exposed_start, 0, nullptr, ZeroLike(*sample.floats), 0, 0, true});
    }
    const TimestampMs time = sample.timed || after_zero ? sample.time : BatchAppender::kBatchTime;
    appender_.AddHistogram({ref, time, sample.start, sample.integer, sample.floats});
    return;
  }
  if (after_zero) appender_.AddStartZero(ref, exposed_start);
  if (sample.timed || after_zero || sample.start != 0) {
    appender_.AddAt(ref, sample.time, sample.value, sample.start);
  } else {
    appender_.Add(ref, sample.value);
  }
}

bool SampleIngest::Run::MaySynthesize(ExpositionParser& parser, SeriesRef ref) const {
  if (starts_.Knows(ref)) return true;
  const auto family = metadata_.Get(family_name_);
  return family && IsCumulativePart(parser.SampleLabels().MetricName(), family_name_, family->metadata.type);
}

StartSynthesis::Outcome SampleIngest::Run::Synthesize(SeriesRef ref, Sample& sample) {
  if (sample.integer) return starts_.OfHistogram(ref, sample.integer, sample.time);
  if (sample.floats) return starts_.OfHistogram(ref, sample.floats, sample.time);
  return starts_.Float(ref, sample.value, sample.time);
}

bool SampleIngest::Run::NeedsZeroSample(SeriesRef ref, TimestampMs start, TimestampMs sample_time) {
  if (!rules_.start_zero_samples || start == 0 || start >= sample_time) return false;
  return std::exchange(zeroed_starts_[ref], start) != start;
}

std::vector<Exemplar> SampleIngest::Run::Exemplars(ExpositionParser& parser, const Sample& sample) {
  std::vector<Exemplar> exemplars;
  for (Exemplar exemplar; parser.NextExemplar(exemplar); exemplar = {}) {
    if (!exemplar.has_time) {
      // Several exemplars of one histogram cannot be put in order without times.
      if (sample.IsHistogram()) continue;
      exemplar.time = sample.time;
      exemplar.has_time = true;
    }
    exemplars.push_back(std::move(exemplar));
  }
  std::stable_sort(exemplars.begin(), exemplars.end(), [](const auto& a, const auto& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.value != b.value) return a.value < b.value;
    return a.labels < b.labels;
  });
  return exemplars;
}

}  // namespace epi::scrape
