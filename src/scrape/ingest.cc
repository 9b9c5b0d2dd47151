#include "scrape/ingest.h"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "model/histogram_start.h"
#include "model/histogram_validate.h"
#include "model/utf8.h"
#include "scrape/histogram_limits.h"
#include "scrape/parse/openmetrics_parser.h"
#include "scrape/parse/sample_tail.h"
#include "scrape/parse/text_parser.h"

namespace epi::scrape {
namespace {

constexpr int64_t kMaxFutureMs = 10 * 60 * 1000;  // samples further ahead of the clock are out of bounds
constexpr std::string_view kExportedPrefix = "exported_";

// The first 50 characters, as Go's %.50s cuts.
std::string_view Cut50(std::string_view text) {
  size_t at = 0;
  for (int runes = 0; runes < 50 && at < text.size(); ++runes) {
    uint32_t rune = 0;
    at += std::max<size_t>(1, DecodeUtf8(text.substr(at), rune));
  }
  return text.substr(0, at);
}

std::string Number(uint64_t n) { return std::to_string(n); }

// `repeated`: how many labels the sample carries beyond these, under a name that another has.
Result<void> CheckLabelLimits(const Labels& labels, size_t repeated, const SampleRules& rules) {
  const std::string metric = "exceeded (metric: " + std::string(Cut50(labels.MetricName()));
  if (rules.label_limit > 0 && labels.size() + repeated > rules.label_limit) {
    return Fail(ErrorCode::kLimit, "label_limit " + metric + ", number of labels: " + Number(labels.size() + repeated) +
                                       ", limit: " + Number(rules.label_limit) + ")");
  }
  for (const LabelView label : labels) {
    if (rules.label_name_length_limit > 0 && label.name.size() > rules.label_name_length_limit) {
      return Fail(ErrorCode::kLimit, "label_name_length_limit " + metric + ", label name: " +
                                         std::string(Cut50(label.name)) + ", length: " + Number(label.name.size()) +
                                         ", limit: " + Number(rules.label_name_length_limit) + ")");
    }
    if (rules.label_value_length_limit > 0 && label.value.size() > rules.label_value_length_limit) {
      std::string quoted;
      AppendQuoted(quoted, Cut50(label.value));
      return Fail(ErrorCode::kLimit, "label_value_length_limit " + metric +
                                         ", label name: " + std::string(Cut50(label.name)) + ", value: " + quoted +
                                         ", length: " + Number(label.value.size()) +
                                         ", limit: " + Number(rules.label_value_length_limit) + ")");
    }
  }
  return {};
}

void AddStaleMarker(const VanishedSeries& series, TimestampMs time, BatchAppender& appender) {
  if (series.histogram == 0 && series.has_own_time) {
    // Behind the series' sample, which has a time of its own.
    appender.AddAt(series.ref, time, StaleNaN());
    return;
  }
  if (series.histogram == 0) {
    appender.Add(series.ref, StaleNaN());
    return;
  }
  BatchAppender::HistogramSample sample{series.ref, BatchAppender::kBatchTime, 0, nullptr, nullptr};
  if (series.histogram == 1) {
    auto stale = std::make_shared<Histogram>();
    stale->sum = StaleNaN();
    sample.integer = std::move(stale);
  } else {
    auto stale = std::make_shared<FloatHistogram>();
    stale->sum = StaleNaN();
    sample.floats = std::move(stale);
  }
  appender.AddHistogram(std::move(sample));
}

}  // namespace

Labels AttachTargetLabels(const Labels& exposed, const Labels& target_labels, bool honor_labels,
                          const ExpositionParser& parser) {
  LabelsBuilder builder(exposed);
  if (honor_labels) {
    for (const LabelView label : target_labels) {
      if (!exposed.Has(label.name) && !parser.HasEmptyLabel(label.name)) builder.Set(label.name, label.value);
    }
    return builder.Build();
  }
  std::vector<std::pair<std::string, std::string>> conflicts;
  for (const LabelView label : target_labels) {
    if (const auto existing = exposed.Get(label.name); !existing.empty()) conflicts.emplace_back(label.name, existing);
    builder.Set(label.name, label.value);
  }
  // Shorter names first, so that "exported_x" is not taken by a renamed "x" when both conflict.
  std::stable_sort(conflicts.begin(), conflicts.end(),
                   [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (auto& [name, value] : conflicts) {
    do name.insert(0, kExportedPrefix);
    while (!builder.Get(name).empty());
    builder.Set(name, value);
  }
  return builder.Build();
}

// One pass over one body.
class SampleIngest::Run {
 public:
  Run(SampleIngest& owner, TimestampMs time, const Labels& target_labels, const SampleRules& rules,
      const HistogramRules& histograms, BatchAppender& appender, bool only_new)
      : cache_(owner.cache_),
        metadata_(*owner.metadata_),
        zeroed_starts_(owner.zeroed_starts_),
        starts_(owner.starts_),
        last_appended_(owner.last_appended_),
        timed_(owner.timed_),
        time_(time),
        target_labels_(target_labels),
        rules_(rules),
        histograms_(histograms),
        appender_(appender),
        only_new_(only_new) {}

  IngestResult Execute(std::string_view body, ExpositionFormat format);
  IngestResult Fail(bool count_cache_flush);

 private:
  template <TextDialect dialect, typename Parser>
  Result<void> ReadText(Parser& parser);
  template <TextDialect dialect, typename Parser>
  void TakeKnownLines(Parser& parser, size_t limit);
  template <typename Parser>
  void RememberMetadataLine(Parser& parser, size_t begin, EntryKind kind);
  Result<void> ReadEntries(ExpositionParser& parser);

  uint32_t NoteMetadata(EntryKind kind, const ExpositionEntry& entry);
  Result<void> TakeSample(ExpositionParser& parser, EntryKind kind);
  Result<CachedLine*> NewSeries(ExpositionParser& parser, CachedLine line, TimestampMs sample_time);
  Result<void> AddSample(ExpositionParser& parser, SeriesRef ref, EntryKind kind, bool timed, TimestampMs sample_time);
  void AddFloat(SeriesRef ref, double value, TimestampMs start, bool at_own_time, TimestampMs sample_time);
  bool MaySynthesize(ExpositionParser& parser, SeriesRef ref) const;
  Result<void> AddHistogram(ExpositionParser& parser, SeriesRef ref, bool timed, TimestampMs sample_time,
                            TimestampMs exposed_start, bool synthesize);
  void AddExemplars(ExpositionParser& parser, SeriesRef ref, EntryKind kind, TimestampMs sample_time);
  void Track(CachedLine& line, SeriesCache::Found found, bool timed, unsigned histogram);
  void Untrack(CachedLine& line);
  void AddStaleMarkers(bool all);
  // What a counter was at its start: zero. Only once for each start; true when it was added.
  bool NeedsZeroSample(SeriesRef ref, TimestampMs start, TimestampMs sample_time);
  void CountLimits();
  bool HasPlaceForNew() const;
  bool uses_start_times() const { return rules_.start_timestamps || rules_.start_zero_samples; }

  SeriesCache& cache_;
  MetadataCache& metadata_;
  std::unordered_map<SeriesRef, TimestampMs>& zeroed_starts_;
  StartSynthesis& starts_;
  uint64_t& last_appended_;
  TimedSeries& timed_;
  const TimestampMs time_;
  const Labels& target_labels_;
  const SampleRules& rules_;
  const HistogramRules& histograms_;
  BatchAppender& appender_;
  const bool only_new_;

  IngestResult result_;
  uint64_t appended_ = 0;  // against sample_limit
  bool over_sample_limit_ = false;
  bool over_bucket_limit_ = false;
  bool family_changed_ = false;  // metadata of the family at hand is new to storage
  uint32_t family_ = MetadataLine::kNoFamily;
  std::string family_name_;
  uint64_t context_ = 0;  // distinguishes equal texts under different TYPE and UNIT lines, where those show in labels
};

IngestResult SampleIngest::Run::Execute(std::string_view body, ExpositionFormat format) {
  cache_.Begin();
  if (!only_new_) timed_.Begin(cache_.alive());
  ParserOptions options;
  options.type_and_unit_labels = rules_.type_and_unit_labels;
  options.skip_created_series = uses_start_times();
  options.ignore_native_histograms = !histograms_.scrape_native;
  options.keep_classic_histograms = histograms_.keep_classic;
  options.convert_classic_to_nhcb = histograms_.convert_classic;
  const auto parser = body.empty() ? nullptr : MakeParser(format, body, options);
  Result<void> read;
  const bool plain =
      !rules_.type_and_unit_labels && !uses_start_times() && !rules_.synthesize_starts && !histograms_.convert_classic;
  if (parser == nullptr) {
    read = {};
  } else if (plain && format == ExpositionFormat::kText) {
    read = ReadText<TextDialect::kPrometheus>(static_cast<TextParser&>(*parser));
  } else if (plain && format == ExpositionFormat::kOpenMetrics) {
    read = ReadText<TextDialect::kOpenMetrics>(static_cast<OpenMetricsParser&>(*parser));
  } else {
    read = ReadEntries(*parser);
  }
  if (rules_.sample_limit > 0 && appended_ > rules_.sample_limit && !rules_.drop_new_over_limit) {
    over_sample_limit_ = true;
  }
  CountLimits();
  if (!read) {
    result_.error = std::move(read).error();
  } else if (over_sample_limit_) {
    result_.error = Error(ErrorCode::kLimit, "sample limit exceeded");
  } else if (over_bucket_limit_) {
    result_.error = Error(ErrorCode::kLimit, "histogram bucket limit exceeded");
  }
  if (result_.error) return Fail(true);
  if (only_new_) {
    last_appended_ += result_.series_added;
    cache_.Finish();
    return std::move(result_);
  }
  last_appended_ = appended_;
  AddStaleMarkers(/*all=*/false);
  if (body.empty()) {
    result_.cache_flushed = cache_.Abandon();
  } else {
    cache_.Finish();
  }
  metadata_.EndScrape(/*drop_unseen=*/!body.empty());
  return std::move(result_);
}

// A failed scrape counts as an empty one.
IngestResult SampleIngest::Run::Fail(bool count_cache_flush) {
  appender_.Rollback();
  AddStaleMarkers(/*all=*/true);
  result_.cache_flushed = cache_.Abandon() && count_cache_flush;
  result_.series_added = result_.error ? result_.series_added : 0;
  metadata_.EndScrape(/*drop_unseen=*/false);
  return std::move(result_);
}

void SampleIngest::Run::AddStaleMarkers(bool all) {
  for (const auto& series : cache_.Vanished(all)) {
    if (timed_.IsRefused(series.ref)) continue;  // got its marker when that happened
    AddStaleMarker(series, time_, appender_);
    if (!all) starts_.Forget(series.ref);
  }
}

void SampleIngest::Run::CountLimits() {
  result_.sample_limit_hit = over_sample_limit_;
  result_.bucket_limit_hit = over_bucket_limit_;
}

Result<void> SampleIngest::Run::ReadEntries(ExpositionParser& parser) {
  while (true) {
    EPI_ASSIGN(const EntryKind kind, parser.Next());
    switch (kind) {
      case EntryKind::kEnd:
        return {};
      case EntryKind::kSeries:
      case EntryKind::kHistogram:
        EPI_TRY(TakeSample(parser, kind));
        break;
      default:
        NoteMetadata(kind, parser.entry());
    }
  }
}

template <TextDialect dialect, typename Parser>
Result<void> SampleIngest::Run::ReadText(Parser& parser) {
  // Known lines are taken only as far as a newline is certain to follow.
  const size_t last_newline = parser.body().rfind('\n');
  const size_t limit = last_newline == std::string_view::npos ? 0 : last_newline + 1;
  while (true) {
    if (!family_changed_) TakeKnownLines<dialect>(parser, limit);
    const size_t begin = parser.position();
    const auto next = parser.Next();
    if (!next) return epi::Fail(next.error());
    const EntryKind kind = *next;
    switch (kind) {
      case EntryKind::kEnd:
        return {};
      case EntryKind::kSeries:
      case EntryKind::kHistogram:
        EPI_TRY(TakeSample(parser, kind));
        break;
      default:
        RememberMetadataLine(parser, begin, kind);
    }
  }
}

template <TextDialect dialect, typename Parser>
void SampleIngest::Run::TakeKnownLines(Parser& parser, size_t limit) {
  const char* const body = parser.body().data();
  const char* const end = body + limit;
  const char* at = body + parser.position();
  const TextHashKey key = cache_.key();
  const auto expected = cache_.ExpectedRun();
  const uint32_t scrape = cache_.scrape();
  const TimestampMs latest = time_ + kMaxFutureMs;
  uint64_t samples = 0;
  uint64_t stored = 0;
  SampleTail tail;
  size_t taken = 0;
  for (; taken < expected.size(); ++taken) {
    const CachedLine& line = expected[taken];
    if (end - at <= static_cast<std::ptrdiff_t>(line.length) || line.scrape == scrape) break;
    if (HashText(at, line.length, key) != line.hash) break;
    if (line.line_kind() == LineKind::kMetadata) {
      if (at[line.length] != '\n') break;
      const auto metadata = MetadataLine::Unpack(line.ref);
      metadata_.Touch(metadata.family);
      if (metadata.family != MetadataLine::kNoFamily) family_ = metadata.family;
      if (metadata.is_type) parser.SetType(metadata.type);
      at += line.length + 1;
      continue;
    }
    const char* const next = TakeSampleTail<dialect>(at + line.length, tail);
    if (next == nullptr) break;
    const bool timed = tail.has_time && rules_.honor_timestamps;
    // Whatever changes what the cache says of the line is for the long way.
    if (line.histogram != 0 || (timed && tail.time > latest)) break;
    if (line.untracked != (timed && !rules_.track_timestamps_staleness)) break;
    ++samples;
    if (line.line_kind() == LineKind::kSeries) {
      ++stored;
      if (!only_new_) {
        if (timed) {
          appender_.AddAt(line.series(), tail.time, tail.value);
        } else {
          appender_.Add(line.series(), tail.value);
        }
      }
    }
    at = next;
  }
  if (taken == 0) return;
  cache_.TakeExpected(taken);
  parser.MoveTo(static_cast<size_t>(at - body));
  result_.scraped += samples;
  result_.kept += stored;
  appended_ += stored;
}

template <typename Parser>
void SampleIngest::Run::RememberMetadataLine(Parser& parser, size_t begin, EntryKind kind) {
  const uint32_t family = NoteMetadata(kind, parser.entry());
  // The line without its newline.
  const size_t length = parser.position() - begin - 1;
  if (parser.position() <= begin || length > CachedLine::kMaxLength) return;
  const uint64_t hash = cache_.Hash(parser.body().substr(begin, length));
  const auto found = cache_.Find(hash, length);
  if (found.line != nullptr) return;
  CachedLine line;
  line.hash = hash;
  line.length = static_cast<uint32_t>(length);
  line.kind = static_cast<unsigned>(LineKind::kMetadata);
  line.ref = MetadataLine{family, kind == EntryKind::kType, parser.entry().type}.Pack();
  cache_.Insert(line);
}

uint32_t SampleIngest::Run::NoteMetadata(EntryKind kind, const ExpositionEntry& entry) {
  if (kind == EntryKind::kComment) return MetadataLine::kNoFamily;
  if (entry.family != family_name_) {
    family_name_.assign(entry.family);
    family_changed_ = false;
    context_ = 0;
  }
  bool changed = false;
  switch (kind) {
    case EntryKind::kHelp:
      family_ = metadata_.SetHelp(entry.family, entry.text, changed);
      break;
    case EntryKind::kType:
      family_ = metadata_.SetType(entry.family, entry.type, changed);
      context_ ^= (static_cast<uint64_t>(entry.type) + 1) * 0x9e3779b97f4a7c15;
      break;
    default:
      family_ = metadata_.SetUnit(entry.family, entry.text, changed);
      context_ ^= cache_.Hash(entry.text);
  }
  if (changed && rules_.append_metadata) family_changed_ = true;
  return family_;
}

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

IngestResult SampleIngest::Ingest(std::string_view body, ExpositionFormat format, TimestampMs time,
                                  const Labels& target_labels, const SampleRules& rules,
                                  const HistogramRules& histograms, BatchAppender& appender) {
  return Run(*this, time, target_labels, rules, histograms, appender, /*only_new=*/false).Execute(body, format);
}

IngestResult SampleIngest::IngestFailure(TimestampMs time, BatchAppender& appender) {
  static const SampleRules kRules;
  static const HistogramRules kHistograms;
  static const Labels kNoLabels;
  cache_.Begin();
  return Run(*this, time, kNoLabels, kRules, kHistograms, appender, /*only_new=*/false).Fail(true);
}

bool SampleIngest::ForgetDead(std::span<const SeriesRef> dead) {
  if (dead.empty()) return false;
  cache_.Forget(dead);
  last_appended_ -= std::min<uint64_t>(last_appended_, dead.size());
  return true;
}

void SampleIngest::ForgetStarts(std::span<const AppendReport::Refusal> refused) {
  for (const auto& refusal : refused) starts_.Forget(refusal.ref);
}

bool SampleIngest::TakeRefusals(std::span<const AppendReport::Refusal> refusals, TimestampMs time,
                                BatchAppender& appender) {
  const auto ended = timed_.TakeRefusals(refusals);
  for (const SeriesRef ref : ended) appender.AddAt(ref, time, StaleNaN());
  return !ended.empty();
}

IngestResult SampleIngest::IngestMissing(std::string_view body, ExpositionFormat format, TimestampMs time,
                                         const Labels& target_labels, const SampleRules& rules,
                                         const HistogramRules& histograms, BatchAppender& appender) {
  return Run(*this, time, target_labels, rules, histograms, appender, /*only_new=*/true).Execute(body, format);
}

}  // namespace epi::scrape
