#include "rules/backtest/overlay_storage.h"

#include <algorithm>
#include <limits>

namespace epi::rules {
namespace {

constexpr size_t kNoBase = std::numeric_limits<size_t>::max();
constexpr TimestampMs kForever = std::numeric_limits<TimestampMs>::max();

bool MatchesEach(const Labels& labels, std::span<const Matcher> matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.Matches(labels.Get(matcher.name())); });
}

// One series of an answer: from the base, from the overlay, or first the one and then the other.
struct OverlayEntry {
  Labels text;
  std::vector<LabelSymbols> symbols;
  size_t base = kNoBase;
  TimestampMs base_end = kForever;  // samples of the base from here on are not seen
  const OverlaySeries* own = nullptr;
};

// Buffers behind the spans of a batch.
struct OverlayScratch final : SeriesBatch::Scratch {
  struct Merged {
    std::vector<TimestampMs> t;
    std::vector<double> v;
    std::vector<HistogramPoint> histograms;
  };
  std::vector<SeriesBatch> bases;
  std::vector<Merged> merged;
};

template <typename Vector>
void AppendSpan(Vector& out, const auto& span) {
  out.insert(out.end(), span.begin(), span.end());
}

// The part of a series in [range.min, min(range.max, end - 1)].
SeriesSamples Clip(SeriesSamples samples, const TimeRange& range, TimestampMs end) {
  const auto first = std::lower_bound(samples.t.begin(), samples.t.end(), range.min) - samples.t.begin();
  const auto last = std::partition_point(samples.t.begin() + first, samples.t.end(),
                                         [&](TimestampMs t) { return t <= range.max && t < end; }) -
                    samples.t.begin();
  const auto from = static_cast<size_t>(first), count = static_cast<size_t>(last - first);
  samples.t = samples.t.subspan(from, count);
  samples.v = samples.v.subspan(from, count);
  if (!samples.start_times.empty()) samples.start_times = samples.start_times.subspan(from, count);
  const auto& all = samples.histograms;
  const auto h_first =
      std::partition_point(all.begin(), all.end(), [&](const HistogramPoint& h) { return h.t < range.min; }) -
      all.begin();
  const auto h_last = std::partition_point(all.begin() + h_first, all.end(),
                                           [&](const HistogramPoint& h) { return h.t <= range.max && h.t < end; }) -
                      all.begin();
  samples.histograms = all.subspan(static_cast<size_t>(h_first), static_cast<size_t>(h_last - h_first));
  samples.column = kNoColumn;
  return samples;
}

SeriesSamples WholeOf(const OverlaySeries& series) {
  SeriesSamples out;
  out.t = series.t;
  out.v = series.v;
  out.histograms = series.histograms;
  return out;
}

class OverlaySelection final : public SeriesSelection {
 public:
  OverlaySelection(std::shared_ptr<const SeriesSelection> base, std::vector<OverlayEntry> entries, TimeRange range)
      : base_(std::move(base)), entries_(std::move(entries)), range_(range) {}
  size_t size() const override { return entries_.size(); }
  LabelTuple labels(size_t index) const override {
    const OverlayEntry& entry = entries_[index];
    return entry.own == nullptr ? base_->labels(entry.base) : LabelTuple(entry.symbols);
  }
  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override {
    auto scratch = std::make_unique<OverlayScratch>();
    scratch->bases.resize(count);
    scratch->merged.resize(count);
    batch.series.assign(count, {});
    for (size_t i = 0; i < count; ++i) {
      const OverlayEntry& entry = entries_[first + i];
      SeriesSamples base;
      if (entry.base != kNoBase) {
        EPI_TRY(base_->Read(entry.base, 1, scratch->bases[i]));
        base = Clip(scratch->bases[i].series[0], range_, entry.base_end);
      }
      if (entry.own == nullptr) {
        batch.series[i] = base;
        continue;
      }
      const SeriesSamples own = Clip(WholeOf(*entry.own), range_, kForever);
      if (base.t.empty() && base.histograms.empty()) {
        batch.series[i] = own;
        continue;
      }
      OverlayScratch::Merged& merged = scratch->merged[i];
      AppendSpan(merged.t, base.t);
      AppendSpan(merged.t, own.t);
      AppendSpan(merged.v, base.v);
      AppendSpan(merged.v, own.v);
      AppendSpan(merged.histograms, base.histograms);
      AppendSpan(merged.histograms, own.histograms);
      batch.series[i].t = merged.t;
      batch.series[i].v = merged.v;
      batch.series[i].histograms = merged.histograms;
    }
    batch.scratch = std::move(scratch);
    return {};
  }

 private:
  std::shared_ptr<const SeriesSelection> base_;
  std::vector<OverlayEntry> entries_;
  TimeRange range_;
};

}  // namespace

class OverlayView final : public View {
 public:
  OverlayView(const OverlayStorage& storage, std::shared_ptr<const View> base)
      : storage_(storage), base_(std::move(base)) {}

  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    EPI_ASSIGN(std::unique_ptr<SeriesSelection> base, base_->Select(matchers, hints, budget));
    const std::vector<const OverlaySeries*> own = OwnSeries(matchers);
    if (own.empty() && !MayHide(matchers)) return base;
    std::vector<OverlayEntry> entries;
    std::map<Labels, size_t> places;
    for (size_t i = 0; i < base->size(); ++i) {
      OverlayEntry entry;
      entry.text = ToLabels(base->labels(i), base_->symbols());
      entry.base = i;
      for (const auto& hidden : storage_.hidden_) {
        if (MatchesEach(entry.text, hidden.matchers)) entry.base_end = std::min(entry.base_end, hidden.from);
      }
      places.emplace(entry.text, entries.size());
      entries.push_back(std::move(entry));
    }
    for (const OverlaySeries* series : own) {
      const auto known = places.find(series->labels);
      OverlayEntry& entry = known == places.end() ? entries.emplace_back() : entries[known->second];
      entry.own = series;
      if (known == places.end()) entry.text = series->labels;
      for (const LabelView& label : series->labels) {
        entry.symbols.push_back({base_->symbols().Intern(label.name), base_->symbols().Intern(label.value)});
      }
    }
    std::sort(entries.begin(), entries.end(),
              [](const OverlayEntry& a, const OverlayEntry& b) { return a.text < b.text; });
    if (hints.limit > 0 && entries.size() > hints.limit) entries.resize(hints.limit);
    return std::make_unique<OverlaySelection>(std::move(base), std::move(entries), hints.range);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override {
    return base_->LabelValues(name, matchers, limit, budget);
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override {
    return base_->LabelNames(matchers, limit, budget);
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override {
    return base_->Exemplars(matcher_sets, range);
  }
  const SymbolSpace& symbols() const override { return base_->symbols(); }

 private:
  static const Matcher* NameMatcher(std::span<const Matcher> matchers) {
    const auto found = std::find_if(matchers.begin(), matchers.end(),
                                    [](const Matcher& matcher) { return matcher.name() == kMetricName; });
    return found == matchers.end() ? nullptr : &*found;
  }

  std::vector<const OverlaySeries*> OwnSeries(std::span<const Matcher> matchers) const {
    std::vector<const OverlaySeries*> out;
    const Matcher* name = NameMatcher(matchers);
    for (const auto& [metric, list] : storage_.by_name_) {
      if (name != nullptr && !name->Matches(metric)) continue;
      for (const OverlaySeries* series : list) {
        if (MatchesEach(series->labels, matchers)) out.push_back(series);
      }
    }
    return out;
  }

  bool MayHide(std::span<const Matcher> matchers) const {
    const Matcher* name = NameMatcher(matchers);
    if (name == nullptr) return !storage_.hidden_.empty();
    return std::any_of(storage_.hidden_.begin(), storage_.hidden_.end(), [&](const auto& hidden) {
      const Matcher* own = NameMatcher(hidden.matchers);
      return own == nullptr || name->Matches(own->value());
    });
  }

  const OverlayStorage& storage_;
  std::shared_ptr<const View> base_;
};

void OverlaySeries::Append(TimestampMs time, double value, std::shared_ptr<const FloatHistogram> histogram) {
  if (histogram == nullptr) {
    t.push_back(time);
    v.push_back(value);
    return;
  }
  histograms.push_back({time, histogram.get(), 0});
  kept.push_back(std::move(histogram));
}

size_t OverlaySeries::bytes() const {
  return sizeof(OverlaySeries) + labels.bytes() + t.capacity() * sizeof(TimestampMs) + v.capacity() * sizeof(double) +
         histograms.capacity() * (sizeof(HistogramPoint) + sizeof(FloatHistogram));
}

void OverlayStorage::Hide(std::vector<Matcher> matchers, TimestampMs time) {
  hidden_.push_back({std::move(matchers), time});
}

OverlaySeries& OverlayStorage::SeriesOf(const Labels& labels) {
  std::unique_ptr<OverlaySeries>& series = series_[labels];
  if (series == nullptr) {
    series = std::make_unique<OverlaySeries>();
    series->labels = labels;
    by_name_[std::string(labels.MetricName())].push_back(series.get());
  }
  return *series;
}

void OverlayStorage::DropBefore(TimestampMs time) {
  for (auto& entry : series_) {
    OverlaySeries& series = *entry.second;
    const auto count = std::lower_bound(series.t.begin(), series.t.end(), time) - series.t.begin();
    series.t.erase(series.t.begin(), series.t.begin() + count);
    series.v.erase(series.v.begin(), series.v.begin() + count);
    const auto points = std::partition_point(series.histograms.begin(), series.histograms.end(),
                                             [time](const HistogramPoint& h) { return h.t < time; }) -
                        series.histograms.begin();
    series.histograms.erase(series.histograms.begin(), series.histograms.begin() + points);
    series.kept.erase(series.kept.begin(), series.kept.begin() + points);
  }
}

size_t OverlayStorage::bytes() const {
  size_t total = 0;
  for (const auto& entry : series_) total += entry.second->bytes();
  return total;
}

Result<std::shared_ptr<const View>> OverlayStorage::OpenView(TimeRange range) const {
  EPI_ASSIGN(std::shared_ptr<const View> base, base_.OpenView(range));
  return std::make_shared<const OverlayView>(*this, std::move(base));
}

Result<std::unique_ptr<BatchAppender>> OverlayStorage::OpenGroup(const GroupIdentity&) {
  return Fail(ErrorCode::kUnsupported, "rules that are tried out write nothing");
}

}  // namespace epi::rules
