#include "testing/memory_storage.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>

#include "model/histogram_convert.h"
#include "model/histogram_hints.h"
#include "model/histogram_math.h"

namespace epi::testing {
namespace {

constexpr size_t kMaxExemplarLabelRunes = 128;  // as Prometheus

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool SameValue(const StoredSample& a, const StoredSample& b) {
  if (a.is_histogram() != b.is_histogram()) return false;
  if (!a.is_histogram()) return SameBits(a.value, b.value);
  if ((a.integer != nullptr) != (b.integer != nullptr)) return false;
  return a.integer != nullptr ? SameData(*a.integer, *b.integer) : SameData(*a.floats, *b.floats);
}

size_t CountRunes(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

class Symbols final : public SymbolSpace {
 public:
  std::string_view Text(SymbolId id) const override {
    std::shared_lock lock(mutex_);
    return texts_[static_cast<size_t>(id)];
  }
  SymbolId Intern(std::string_view text) const override {
    std::unique_lock lock(mutex_);
    if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
    texts_.emplace_back(text);
    const auto id = static_cast<SymbolId>(texts_.size() - 1);
    ids_.emplace(texts_.back(), id);
    return id;
  }
  std::optional<SymbolId> Find(std::string_view text) const override {
    std::shared_lock lock(mutex_);
    const auto found = ids_.find(text);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::shared_mutex mutex_;
  mutable std::deque<std::string> texts_;  // a deque, so that views of the text stay valid
  mutable std::map<std::string_view, SymbolId> ids_;
};

struct StoredExemplar {
  Exemplar exemplar;
  uint64_t commit = 0;
};

struct Series {
  Labels labels;
  std::vector<LabelSymbols> symbols;
  std::vector<StoredSample> samples;  // by time
  std::vector<StoredExemplar> exemplars;
  std::optional<MetricMetadata> metadata;
  HistogramHints hints;
};

bool MatchesAll(const Labels& labels, std::span<const Matcher> matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
}

}  // namespace

struct MemoryStorage::State {
  explicit State(MemoryStorageOptions given) : options(given) {}

  const MemoryStorageOptions options;
  const std::shared_ptr<Symbols> symbols = std::make_shared<Symbols>();

  mutable std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<Series>> series;  // by ref, that is by creation
  std::unordered_map<Labels, uint64_t> refs;
  uint64_t next_ref = 1;
  uint64_t commit = 0;
  TimestampMs newest = std::numeric_limits<TimestampMs>::min();
  std::optional<Error> commit_error;
  std::optional<Error> select_error;
  std::optional<Error> view_error;
  mutable std::vector<RecordedSelect> selects;

  std::shared_ptr<Series> Find(uint64_t ref) const {
    const auto found = series.find(ref);
    return found == series.end() ? nullptr : found->second;
  }
  std::shared_ptr<Series> Find(const Labels& labels) const {
    const auto found = refs.find(labels);
    return found == refs.end() ? nullptr : Find(found->second);
  }
};

namespace {

using State = MemoryStorage::State;

// The report of one commit while it is written.
struct Report {
  AppendReport& report;
  bool list_refusals;

  void Reject(RejectReason reason, const Labels& labels, SeriesRef ref, TimestampMs time, bool is_histogram,
              std::string detail = {}, uint32_t index = 0) {
    if (list_refusals) report.refusals.push_back({ref, time, reason, is_histogram, index, detail});
    auto& rejected = report.rejected[static_cast<size_t>(reason)];
    if (rejected.count++ > 0) return;
    rejected.first = labels;
    rejected.first_time = time;
    rejected.detail = std::move(detail);
  }
};

std::shared_ptr<const FloatHistogram> WithHint(FloatHistogram h, CounterResetHint hint) {
  if (h.counter_reset_hint != CounterResetHint::kGauge) h.counter_reset_hint = hint;
  return std::make_shared<const FloatHistogram>(std::move(h));
}

// The place a sample goes to, or why it has none. An accepted repetition has neither, nor has what only an earlier
// sample of the batch keeps out. `before`: the series as it was before the batch.
void Store(State& state, Series& series, const Series& before, SeriesRef ref, StoredSample sample, uint32_t index,
           Report& report) {
  const auto reject = [&](RejectReason reason) {
    if (before.samples.empty() || before.samples.back().t < sample.t) {
      ++report.report.accepted;
      return;
    }
    report.Reject(reason, series.labels, ref, sample.t, sample.is_histogram(), {}, index);
  };
  auto& samples = series.samples;
  if (IsStaleNaN(sample.value) && !sample.is_histogram() && !samples.empty() && samples.back().is_histogram()) {
    FloatHistogram stale;
    stale.sum = StaleNaN();
    sample.floats = std::make_shared<FloatHistogram>(std::move(stale));
    sample.value = 0;
  }
  const auto at = std::lower_bound(samples.begin(), samples.end(), sample.t,
                                   [](const StoredSample& s, TimestampMs t) { return s.t < t; });
  if (at != samples.end()) {
    const bool same_time = at->t == sample.t;
    if (same_time && SameValue(*at, sample)) {
      ++report.report.accepted;
      return;
    }
    const bool newest = at + 1 == samples.end();
    const bool was_newest = !before.samples.empty() && before.samples.back().t == sample.t;
    if (was_newest || (same_time && newest)) return reject(RejectReason::kDuplicate);
    const int64_t window = state.options.out_of_order_window_ms;
    if (window == 0) return reject(RejectReason::kOutOfOrder);
    if (sample.t < state.newest - window) return reject(RejectReason::kTooOld);
    if (same_time) return;  // what a late sample does to another one of its time is not played here
  }
  ++report.report.accepted;
  state.newest = std::max(state.newest, sample.t);
  if (sample.is_histogram()) sample.appended_hint = sample.floats->counter_reset_hint;
  if (at != samples.end()) {
    if (sample.is_histogram()) sample.floats = WithHint(*sample.floats, CounterResetHint::kUnknown);
  } else if (sample.is_histogram()) {
    sample.floats = WithHint(*sample.floats, series.hints.Next(*sample.floats));
  } else {
    series.hints.Break();
  }
  samples.insert(at, std::move(sample));
}

void StoreExemplar(Series& series, SeriesRef ref, Exemplar exemplar, uint32_t index, uint64_t commit, Report& report) {
  size_t runes = 0;
  for (const auto& label : exemplar.labels) runes += CountRunes(label.name) + CountRunes(label.value);
  if (runes > kMaxExemplarLabelRunes) {
    return report.Reject(RejectReason::kExemplarLabels, series.labels, ref, exemplar.time, false,
                         "label length for exemplar exceeds maximum of 128 UTF-8 characters", index);
  }
  if (!series.exemplars.empty()) {
    const Exemplar& last = series.exemplars.back().exemplar;
    if (last.labels == exemplar.labels && last.time == exemplar.time && SameBits(last.value, exemplar.value)) return;
    const bool older = exemplar.time < last.time || (exemplar.time == last.time && exemplar.value < last.value);
    if (older) {
      return report.Reject(RejectReason::kExemplar, series.labels, ref, exemplar.time, false, "out of order exemplar",
                           index);
    }
  }
  series.exemplars.push_back({std::move(exemplar), commit});
}

class Appender final : public BatchAppender {
 public:
  explicit Appender(std::shared_ptr<State> state) : state_(std::move(state)) {}

  Result<SeriesRef> Intern(const Labels& labels) override {
    const std::lock_guard lock(state_->mutex);
    if (labels.empty()) return Fail(ErrorCode::kInvalid, "empty labelset: invalid sample");
    if (const auto found = state_->refs.find(labels); found != state_->refs.end()) return SeriesRef{found->second};
    if (state_->series.size() >= state_->options.max_series) return Fail(ErrorCode::kLimit, "series limit reached");
    auto series = std::make_shared<Series>();
    series->labels = labels;
    for (const auto& label : labels) {
      series->symbols.push_back({state_->symbols->Intern(label.name), state_->symbols->Intern(label.value)});
    }
    const uint64_t ref = state_->next_ref++;
    state_->series.emplace(ref, std::move(series));
    state_->refs.emplace(labels, ref);
    return SeriesRef{ref};
  }

  SeriesRef Find(const Labels& labels) const override {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->refs.find(labels);
    return found == state_->refs.end() ? kNoSeries : SeriesRef{found->second};
  }

  void SetMetadata(SeriesRef ref, const MetricMetadata& metadata) override { metadata_.emplace_back(ref, metadata); }

  TimestampMs too_old_before() const override {
    const std::lock_guard lock(state_->mutex);
    const int64_t window = state_->options.out_of_order_window_ms;
    const TimestampMs none = std::numeric_limits<TimestampMs>::min();
    return window == 0 || state_->newest == none ? none : state_->newest - window;
  }
  bool RefuseTooOld(SeriesRef ref, TimestampMs time, bool) override {
    const TimestampMs limit = too_old_before();
    const std::lock_guard lock(state_->mutex);
    const auto series = state_->Find(static_cast<uint64_t>(ref));
    return series != nullptr && !series->samples.empty() && time < series->samples.back().t && time < limit;
  }
  bool WouldRefuse(const TimedSample& sample) const override {
    return WouldRefuse(sample.ref, {sample.time, 0, sample.value, nullptr, nullptr, 0});
  }
  bool WouldRefuse(const HistogramSample& sample) const override {
    return WouldRefuse(sample.ref, {sample.time, 0, 0, sample.integer, FloatsOf(sample), 0});
  }

  Result<AppendReport> Commit(TimestampMs time) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->commit_error) {
      Discard();
      return Fail(*state_->commit_error);
    }
    AppendReport report;
    report.commit = ++state_->commit;
    const auto before = Touched();
    const TimestampMs newest_before = state_->newest;
    Write(time, before, report);
    if (on_refusal_ == OnRefusal::kOnlyJudge || (on_refusal_ == OnRefusal::kAbort && report.any_sample_refused()) ||
        (on_dead_ == OnRefusal::kAbort && !report.dead.empty())) {
      for (const auto& [ref, series] : before) *state_->series[ref] = series;
      state_->newest = newest_before;
      --state_->commit;
      report.commit = 0;
      report.accepted = 0;
    }
    Discard();
    return report;
  }

 private:
  using SeriesByRef = std::map<uint64_t, Series>;
  static std::shared_ptr<const FloatHistogram> FloatsOf(const HistogramSample& sample) {
    if (sample.integer == nullptr) return sample.floats;
    return std::make_shared<FloatHistogram>(ToFloat(*sample.integer));
  }
  // Stores it in a copy.
  bool WouldRefuse(SeriesRef ref, StoredSample sample) const {
    const std::lock_guard lock(state_->mutex);
    const auto series = state_->Find(static_cast<uint64_t>(ref));
    if (series == nullptr) return false;
    Series copy = *series;
    AppendReport outcome;
    Report report{outcome, false};
    const TimestampMs newest = state_->newest;
    Store(*state_, copy, *series, ref, std::move(sample), 0, report);
    state_->newest = newest;
    return outcome.any_sample_refused();
  }
  void Write(TimestampMs time, const SeriesByRef& before, AppendReport& out) {
    Report report{out, list_refusals_};
    StoreInOrder(time, out.commit, before, report);
    for (uint32_t index = 0; index < exemplars_.size(); ++index) {
      auto& e = exemplars_[index];
      const auto series = Live(e.ref, report);
      if (series == nullptr) continue;
      if (!e.exemplar.has_time) e.exemplar.time = time;
      StoreExemplar(*series, e.ref, std::move(e.exemplar), index, out.commit, report);
    }
    for (auto& [ref, metadata] : metadata_) {
      if (const auto series = Live(ref, report)) series->metadata = std::move(metadata);
    }
  }
  // In the order of the calls: later lists know how many calls of the earlier ones came before theirs.
  void StoreInOrder(TimestampMs time, uint64_t commit, const SeriesByRef& before, Report& report) {
    const auto store = [&](SeriesRef ref, StoredSample sample, std::ptrdiff_t index) {
      if (const auto series = Live(ref, report))
        Store(*state_, *series, before.at(static_cast<uint64_t>(ref)), ref, std::move(sample),
              static_cast<uint32_t>(index), report);
    };
    const auto at = [time](TimestampMs t) { return t == kBatchTime ? time : t; };
    auto plain = floats_.begin();
    auto timed = timed_.begin();
    const auto plain_before = [&](size_t end) {
      for (; plain < floats_.begin() + static_cast<std::ptrdiff_t>(end); ++plain)
        store(plain->ref, StoredSample{time, 0, plain->value, nullptr, nullptr, commit}, plain - floats_.begin());
    };
    const auto timed_before = [&](size_t end) {
      for (; timed < timed_.begin() + static_cast<std::ptrdiff_t>(end); ++timed) {
        plain_before(timed->after_floats);
        store(timed->ref, StoredSample{at(timed->time), timed->start_time, timed->value, nullptr, nullptr, commit},
              timed - timed_.begin());
      }
    };
    for (const auto& s : histograms_) {
      timed_before(s.after_timed);
      plain_before(s.after_floats);
      StoredSample sample{at(s.time), s.start_time, 0, s.integer, FloatsOf(s), commit};
      store(s.ref, std::move(sample), &s - histograms_.data());
    }
    timed_before(timed_.size());
    plain_before(floats_.size());
  }
  // Copies of the series this batch names, to go back to.
  SeriesByRef Touched() const {
    SeriesByRef out;
    const auto add = [&](SeriesRef ref) {
      if (const auto series = state_->Find(static_cast<uint64_t>(ref)))
        out.emplace(static_cast<uint64_t>(ref), *series);
    };
    for (const auto& s : floats_) add(s.ref);
    for (const auto& s : timed_) add(s.ref);
    for (const auto& s : histograms_) add(s.ref);
    for (const auto& e : exemplars_) add(e.ref);
    for (const auto& m : metadata_) add(m.first);
    return out;
  }
  void Discard() {
    Rollback();
    metadata_.clear();
  }
  std::shared_ptr<Series> Live(SeriesRef ref, Report& report) {
    auto series = state_->Find(static_cast<uint64_t>(ref));
    auto& dead = report.report.dead;
    if (series == nullptr && std::find(dead.begin(), dead.end(), ref) == dead.end()) dead.push_back(ref);
    return series;
  }
  std::shared_ptr<State> state_;
  std::vector<std::pair<SeriesRef, MetricMetadata>> metadata_;
  bool refused_ = false;
};

// A series as one select found it: its own copies, so nothing that happens later shows.
struct Selected {
  std::vector<LabelSymbols> symbols;
  Labels labels;
  std::vector<TimestampMs> t;
  std::vector<double> v;
  std::vector<TimestampMs> start_times;
  std::vector<HistogramPoint> histograms;
  std::vector<std::shared_ptr<const FloatHistogram>> owners;
};

// Keeps what a batch's spans point at.
struct KeepSelected final : SeriesBatch::Scratch {
  std::shared_ptr<const std::vector<Selected>> selected;
};

class Selection final : public SeriesSelection {
 public:
  Selection(std::shared_ptr<const std::vector<Selected>> selected, bool share_columns, BudgetCharge charge)
      : selected_(std::move(selected)), share_columns_(share_columns), charge_(std::move(charge)) {}

  size_t size() const override { return selected_->size(); }
  LabelTuple labels(size_t index) const override { return (*selected_)[index].symbols; }

  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override {
    EPI_CHECK(count <= SeriesBatch::kMaxSeries && first + count <= selected_->size());
    batch.series.clear();
    auto keep = std::make_unique<KeepSelected>();
    keep->selected = selected_;
    batch.scratch = std::move(keep);
    std::map<std::vector<TimestampMs>, uint32_t> columns;
    for (size_t i = first; i < first + count; ++i) {
      const Selected& from = (*selected_)[i];
      SeriesSamples& to = batch.series.emplace_back();
      to.t = from.t;
      to.v = from.v;
      to.start_times = from.start_times;
      to.histograms = from.histograms;
      if (!share_columns_ || !from.histograms.empty() || from.t.empty()) continue;
      to.column = ColumnId{columns.emplace(from.t, static_cast<uint32_t>(columns.size())).first->second};
    }
    return {};
  }

 private:
  std::shared_ptr<const std::vector<Selected>> selected_;
  bool share_columns_;
  BudgetCharge charge_;
};

class MemoryView final : public View {
 public:
  MemoryView(std::shared_ptr<State> state, uint64_t commit, TimeRange range)
      : state_(std::move(state)), commit_(commit), range_(range) {}

  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    auto selected = std::make_shared<std::vector<Selected>>();
    {
      const std::lock_guard lock(state_->mutex);
      state_->selects.push_back({{matchers.begin(), matchers.end()}, hints});
      if (state_->select_error) return Fail(*state_->select_error);
      for (const auto& [ref, series] : state_->series) {
        if (MatchesAll(series->labels, matchers) && HasSample(*series, hints.range)) {
          selected->push_back(Copy(*series, hints.range));
        }
      }
    }
    if (hints.sorted) {
      std::sort(selected->begin(), selected->end(),
                [](const Selected& a, const Selected& b) { return a.labels < b.labels; });
    }
    if (hints.limit > 0 && selected->size() > hints.limit) selected->resize(hints.limit);
    BudgetCharge charge(budget);
    for (const auto& s : *selected) {
      EPI_TRY(
          charge.Add(static_cast<int64_t>(sizeof(s) + s.t.size() * 16 + s.histograms.size() * sizeof(FloatHistogram))));
    }
    std::unique_ptr<SeriesSelection> selection =
        std::make_unique<Selection>(std::move(selected), state_->options.share_columns, std::move(charge));
    return selection;
  }

  bool MayHoldHistograms() const override {
    const std::lock_guard lock(state_->mutex);
    return std::any_of(state_->series.begin(), state_->series.end(), [](const auto& entry) {
      const auto& samples = entry.second->samples;
      return std::any_of(samples.begin(), samples.end(), [](const StoredSample& s) { return s.is_histogram(); });
    });
  }

  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget&) const override {
    return Collect(matchers, limit, [name](const Labels& labels, std::set<std::string>& out) {
      if (labels.Has(name)) out.emplace(labels.Get(name));
    });
  }

  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit, Budget&) const override {
    return Collect(matchers, limit, [](const Labels& labels, std::set<std::string>& out) {
      for (const auto& label : labels) out.emplace(label.name);
    });
  }

  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override {
    std::map<Labels, std::vector<Exemplar>> found;
    const std::lock_guard lock(state_->mutex);
    if (state_->select_error) return Fail(*state_->select_error);
    for (const auto& [ref, series] : state_->series) {
      const Labels& labels = series->labels;
      const bool wanted = std::any_of(matcher_sets.begin(), matcher_sets.end(),
                                      [&labels](const auto& matchers) { return MatchesAll(labels, matchers); });
      if (!wanted) continue;
      for (const auto& stored : series->exemplars) {
        if (stored.commit <= commit_ && range.Contains(stored.exemplar.time)) {
          found[series->labels].push_back(stored.exemplar);
        }
      }
    }
    std::vector<SeriesExemplars> out;
    for (auto& [labels, exemplars] : found) {
      std::stable_sort(exemplars.begin(), exemplars.end(),
                       [](const Exemplar& a, const Exemplar& b) { return a.time < b.time; });
      out.push_back({labels, std::move(exemplars)});
    }
    return out;
  }

  const SymbolSpace& symbols() const override { return *state_->symbols; }

 private:
  bool Visible(const StoredSample& s, TimeRange range) const { return s.commit <= commit_ && range.Contains(s.t); }
  bool HasSample(const Series& series, TimeRange range) const {
    return std::any_of(series.samples.begin(), series.samples.end(),
                       [&](const StoredSample& s) { return Visible(s, range); });
  }

  Selected Copy(const Series& series, TimeRange range) const {
    Selected out;
    out.symbols = series.symbols;
    out.labels = series.labels;
    bool any_start = false;
    for (const auto& s : series.samples) {
      if (!Visible(s, range)) continue;
      if (s.is_histogram()) {
        out.histograms.push_back({s.t, s.floats.get(), s.start_time, s.integer != nullptr});
        out.owners.push_back(s.floats);
        continue;
      }
      out.t.push_back(s.t);
      out.v.push_back(s.value);
      out.start_times.push_back(s.start_time);
      any_start = any_start || s.start_time != 0;
    }
    if (!any_start) out.start_times.clear();
    return out;
  }

  template <typename Take>
  Result<std::vector<std::string>> Collect(std::span<const Matcher> matchers, size_t limit, Take take) const {
    std::set<std::string> found;
    const std::lock_guard lock(state_->mutex);
    if (state_->select_error) return Fail(*state_->select_error);
    for (const auto& [ref, series] : state_->series) {
      if (MatchesAll(series->labels, matchers) && HasSample(*series, range_)) take(series->labels, found);
    }
    std::vector<std::string> out(found.begin(), found.end());
    if (limit > 0 && out.size() > limit) out.resize(limit);
    return out;
  }

  std::shared_ptr<State> state_;
  uint64_t commit_;
  TimeRange range_;
};

}  // namespace

MemoryStorage::MemoryStorage(MemoryStorageOptions options) : state_(std::make_shared<State>(options)) {}
MemoryStorage::~MemoryStorage() = default;

Result<std::shared_ptr<const View>> MemoryStorage::OpenView(TimeRange range) const {
  const std::lock_guard lock(state_->mutex);
  if (state_->view_error) return Fail(*state_->view_error);
  std::shared_ptr<const View> view = std::make_shared<MemoryView>(state_, state_->commit, range);
  return view;
}

Result<std::unique_ptr<BatchAppender>> MemoryStorage::OpenGroup(const GroupIdentity&) {
  std::unique_ptr<BatchAppender> appender = std::make_unique<Appender>(state_);
  return appender;
}

TimestampMs MemoryStorage::OldestTime() const {
  const std::lock_guard lock(state_->mutex);
  TimestampMs oldest = std::numeric_limits<TimestampMs>::max();
  for (const auto& [ref, series] : state_->series) {
    if (!series->samples.empty()) oldest = std::min(oldest, series->samples.front().t);
  }
  return oldest;
}

void MemoryStorage::Append(const Labels& labels, TimestampMs time, double value, TimestampMs start_time) {
  Appender appender(state_);
  appender.AddAt(appender.Intern(labels).value(), time, value, start_time);
  EPI_CHECK(appender.Commit(time).value().all_accepted());
}

void MemoryStorage::Append(const Labels& labels, TimestampMs time, FloatHistogram histogram, TimestampMs start_time) {
  Appender appender(state_);
  appender.AddHistogram({appender.Intern(labels).value(), time, start_time, nullptr,
                         std::make_shared<FloatHistogram>(std::move(histogram))});
  EPI_CHECK(appender.Commit(time).value().all_accepted());
}

void MemoryStorage::AppendExemplar(const Labels& labels, Exemplar exemplar) {
  Appender appender(state_);
  const TimestampMs time = exemplar.time;
  exemplar.has_time = true;
  appender.AddExemplar(appender.Intern(labels).value(), std::move(exemplar));
  EPI_CHECK(appender.Commit(time).value().all_accepted());
}

void MemoryStorage::Clear() {
  const std::lock_guard lock(state_->mutex);
  state_->series.clear();
  state_->refs.clear();
  state_->newest = std::numeric_limits<TimestampMs>::min();
}

std::vector<Labels> MemoryStorage::SeriesLabels() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Labels> out;
  for (const auto& [ref, series] : state_->series) out.push_back(series->labels);
  return out;
}

std::vector<StoredSample> MemoryStorage::Samples(const Labels& labels) const {
  const std::lock_guard lock(state_->mutex);
  const auto series = state_->Find(labels);
  return series == nullptr ? std::vector<StoredSample>() : series->samples;
}

std::vector<Exemplar> MemoryStorage::ExemplarsOf(const Labels& labels) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Exemplar> out;
  if (const auto series = state_->Find(labels)) {
    for (const auto& stored : series->exemplars) out.push_back(stored.exemplar);
  }
  return out;
}

std::optional<MetricMetadata> MemoryStorage::MetadataOf(const Labels& labels) const {
  const std::lock_guard lock(state_->mutex);
  const auto series = state_->Find(labels);
  return series == nullptr ? std::nullopt : series->metadata;
}

uint64_t MemoryStorage::last_commit() const {
  const std::lock_guard lock(state_->mutex);
  return state_->commit;
}

void MemoryStorage::FailCommits(std::optional<Error> error) {
  const std::lock_guard lock(state_->mutex);
  state_->commit_error = std::move(error);
}
void MemoryStorage::FailSelects(std::optional<Error> error) {
  const std::lock_guard lock(state_->mutex);
  state_->select_error = std::move(error);
}
void MemoryStorage::FailViews(std::optional<Error> error) {
  const std::lock_guard lock(state_->mutex);
  state_->view_error = std::move(error);
}

std::vector<MemoryStorage::RecordedSelect> MemoryStorage::RecordedSelects() const {
  const std::lock_guard lock(state_->mutex);
  return state_->selects;
}

}  // namespace epi::testing
