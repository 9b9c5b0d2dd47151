#include "promql/cache/range_cache.h"

#include <algorithm>
#include <limits>

#include "promql/cache/splice.h"

namespace epi::promql {
namespace {

// Steps that read anything newer are not kept: scrapes take up to their timeout, and batches of other servers arrive
// late.
constexpr int64_t kSettleMs = 60'000;
// An answer that would take more than this part of the cache is not kept.
constexpr int64_t kLargestShare = 4;
// A kept answer is replaced when a sixteenth of the steps is new: copying costs more than computing a few.
constexpr TimestampMs kFreshShare = 16;
constexpr int64_t kEntryOverhead = 256;

// A view whose selections come in label order.
class LabelOrderView final : public View {
 public:
  explicit LabelOrderView(const View& view) : view_(view) {}
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    SelectHints sorted = hints;
    sorted.sorted = true;
    return view_.Select(matchers, sorted, budget);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override {
    return view_.LabelValues(name, matchers, limit, budget);
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override {
    return view_.LabelNames(matchers, limit, budget);
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> matcher_sets,
                                                 TimeRange range) const override {
    return view_.Exemplars(matcher_sets, range);
  }
  const SymbolSpace& symbols() const override { return view_.symbols(); }
  bool OrderedByLabels(TimeRange) const override { return true; }
  bool MayHoldHistograms() const override { return view_.MayHoldHistograms(); }

 private:
  const View& view_;
};

// Errors that the whole query gives too, whatever was kept of it.
bool EndsTheQuery(const Error& error) {
  return error.code() == ErrorCode::kCanceled || error.code() == ErrorCode::kTimeout;
}

}  // namespace

struct RangeCache::Metrics {
  struct Row {
    uint64_t Counts::*count;
    Counter* counter;
  };
  std::vector<Row> rows;
  Gauge* bytes = nullptr;
  Gauge* entries = nullptr;

  explicit Metrics(MetricRegistry& registry, int64_t max_bytes) {
    const auto requests = [&](uint64_t Counts::*count, const char* result) {
      rows.push_back(
          {count, &registry.AddCounter("epimetheus_query_cache_requests_total",
                                       "Range queries by what the result cache had of them.", {{"result", result}})});
    };
    requests(&Counts::hits, "hit");
    requests(&Counts::partial, "partial");
    requests(&Counts::misses, "miss");
    requests(&Counts::bypassed, "bypass");
    const auto steps = [&](uint64_t Counts::*count, const char* source) {
      rows.push_back({count, &registry.AddCounter("epimetheus_query_cache_steps_total",
                                                  "Steps of range queries that were kept, and that were computed.",
                                                  {{"source", source}})});
    };
    steps(&Counts::steps_kept, "cache");
    steps(&Counts::steps_computed, "computed");
    rows.push_back({&Counts::evicted, &registry.AddCounter("epimetheus_query_cache_evictions_total",
                                                           "Kept answers dropped to make room.")});
    bytes = &registry.AddGauge("epimetheus_query_cache_bytes", "Bytes of kept answers, about.");
    entries = &registry.AddGauge("epimetheus_query_cache_entries", "Kept answers.");
    registry.AddGauge("epimetheus_query_cache_max_bytes", "Most bytes of kept answers.")
        .Set(static_cast<double>(max_bytes));
  }
};

// One run of a query that may use the cache.
struct RangeCache::Evaluation {
  const ParsedQuery& query;
  const QuerySpec& spec;
  const QueryContext& context;
  std::string key;
  Reach reach;
  const ChangeLog* changes;
  uint64_t position;
  TimestampMs settled;  // nothing that reads later samples is kept
  std::shared_ptr<const View> view;
  bool by_labels;
  TimestampMs last;  // the last step

  uint64_t Steps(TimestampMs from, TimestampMs to) const {
    return from > to ? 0 : static_cast<uint64_t>((to - from) / spec.step_ms) + 1;
  }
  // The last step that is not after `time`; before the first one when none is.
  TimestampMs StepAtOrBefore(TimestampMs time) const {
    if (time < spec.start) return spec.start - spec.step_ms;
    return spec.start + (std::min(time, last) - spec.start) / spec.step_ms * spec.step_ms;
  }
  QuerySpec Part(TimestampMs from, TimestampMs to) const {
    QuerySpec part = spec;
    part.start = from;
    part.end = to;
    return part;
  }
};

RangeCache::RangeCache(const Engine& engine, RangeCacheOptions options)
    : engine_(engine), options_(std::move(options)) {
  if (options_.metrics != nullptr) metrics_ = std::make_unique<Metrics>(*options_.metrics, options_.max_bytes);
}

RangeCache::~RangeCache() = default;

std::string RangeCache::KeyOf(const ParsedQuery& query, const QuerySpec& spec, int64_t default_step_ms,
                              std::string_view scope) {
  std::string key = std::to_string(spec.step_ms) + " " + std::to_string(spec.lookback_delta_ms) + " " +
                    std::to_string(default_step_ms) + " " + std::to_string(scope.size()) + " ";
  key += scope;
  key += query.text();  // as written, for notes tell positions in it
  return key;
}

Result<QueryResult> RangeCache::Run(const ParsedQuery& query, const QuerySpec& spec, const Storage& storage,
                                    const QueryContext& context, std::string_view scope) {
  ChangeLog* const changes = storage.changes();
  const bool usable = options_.max_bytes > 0 && spec.step_ms > 0 && spec.end >= spec.start && !spec.per_step_stats;
  std::optional<Reach> reach;
  const int64_t default_step_ms = engine_.default_step_ms();
  if (usable && changes != nullptr) {
    const int64_t lookback = spec.lookback_delta_ms > 0 ? spec.lookback_delta_ms : engine_.options().lookback_delta_ms;
    const auto plan = MakePlan(query.expr(), {spec.start, spec.end, spec.step_ms, lookback, default_step_ms});
    if (plan) reach = FindReach(query.expr(), **plan, spec.start, spec.end, engine_.options().features);
  }
  if (!reach) {
    Count(&Counts::bypassed);
    return engine_.Run(query, spec, storage, context);
  }
  const TimestampMs settled = options_.clock->NowMs() - kSettleMs;
  const uint64_t position = changes->Watch(settled);
  EPI_ASSIGN(const auto view, storage.OpenView(engine_.ReadRange(query, spec)));
  const auto by_labels =
      static_cast<size_t>(std::count_if(reach->selectors.begin(), reach->selectors.end(),
                                        [&](const TimeRange& range) { return view->OrderedByLabels(range); }));
  const TimestampMs last = spec.start + (spec.end - spec.start) / spec.step_ms * spec.step_ms;
  Evaluation evaluation{query,
                        spec,
                        context,
                        KeyOf(query, spec, default_step_ms, scope),
                        std::move(*reach),
                        changes,
                        position,
                        settled,
                        view,
                        by_labels > 0,
                        last};
  // The order of series decides about the last bit of sums. Selectors that differ in it would need one view each.
  if (by_labels != 0 && by_labels != evaluation.reach.selectors.size()) {
    Count(&Counts::bypassed);
    return RunThrough(evaluation);
  }
  const EntryPtr entry = Find(evaluation.key);
  return entry == nullptr ? RunAllAndKeep(evaluation) : RunWith(evaluation, entry);
}

Result<QueryResult> RangeCache::RunThrough(const Evaluation& evaluation) const {
  return engine_.Run(evaluation.query, evaluation.spec, *evaluation.view, evaluation.context);
}

Result<QueryResult> RangeCache::RunAllAndKeep(Evaluation& evaluation) {
  auto result = RunThrough(evaluation);
  Count(&Counts::misses);
  Count(&Counts::steps_computed, evaluation.Steps(evaluation.spec.start, evaluation.last));
  if (result) Keep(evaluation, *result);
  return result;
}

Result<QueryResult> RangeCache::RunWith(Evaluation& evaluation, const EntryPtr& entry) {
  const QuerySpec& spec = evaluation.spec;
  const bool fits = entry->changes == evaluation.changes && entry->by_labels == evaluation.by_labels &&
                    (entry->first - spec.start) % spec.step_ms == 0;
  if (!fits) return RunAllAndKeep(evaluation);
  const TimestampMs touched = evaluation.changes->FirstTouched(std::min(entry->position, evaluation.position),
                                                               evaluation.reach.Read(entry->first, entry->last));
  const TimestampMs first = std::max(spec.start, entry->first);
  const TimestampMs last = evaluation.StepAtOrBefore(std::min(entry->last, evaluation.reach.LastStepBefore(touched)));
  if (first > last) return RunAllAndKeep(evaluation);

  // What is missing before and after.
  std::vector<QuerySpec> parts;
  if (spec.start < first) parts.push_back(evaluation.Part(spec.start, first - spec.step_ms));
  if (last < evaluation.last) parts.push_back(evaluation.Part(last + spec.step_ms, evaluation.last));
  const LabelOrderView ordered(*evaluation.view);
  const View& view = evaluation.by_labels ? static_cast<const View&>(ordered) : *evaluation.view;
  QueryResult result;
  MatrixValue before;
  MatrixValue after;
  NoteUnion warnings;
  NoteUnion infos;
  uint64_t computed = 0;
  for (const QuerySpec& part : parts) {
    auto answer = engine_.Run(evaluation.query, part, view, evaluation.context);
    if (!answer) {
      // The error of the whole query may name another step.
      if (EndsTheQuery(answer.error())) return answer;
      return RunAllAndKeep(evaluation);
    }
    auto* matrix = std::get_if<MatrixValue>(&answer->value);
    if (matrix == nullptr) return RunAllAndKeep(evaluation);
    (part.start < first ? before : after) = std::move(*matrix);
    std::move(answer->memory.begin(), answer->memory.end(), std::back_inserter(result.memory));
    warnings.Add(answer->warnings);
    infos.Add(answer->infos);
    computed += evaluation.Steps(part.start, part.end);
    result.stats = std::move(answer->stats);
  }
  // Notes of kept steps: all of them are shown when all steps are used. Of a part of the steps only those are known to
  // belong that came up again.
  const bool all = entry->notes_exact && first == entry->first && last == entry->last;
  const bool known = all || (warnings.Contains(entry->warnings) && infos.Contains(entry->infos));
  if (known) {
    warnings.Add(entry->warnings);
    infos.Add(entry->infos);
  }
  const bool alone = all && parts.empty();  // the very answer that was kept
  if (!known || (!alone && !(warnings.exact() && infos.exact()))) return RunAllAndKeep(evaluation);
  result.warnings = warnings.Take();
  result.infos = infos.Take();

  MatrixValue value = CutMatrix(entry->value, first, last);
  if (!before.empty()) {
    JoinMatrix(before, std::move(value));
    value = std::move(before);
  }
  JoinMatrix(value, std::move(after));
  if (PointsOf(value) > static_cast<size_t>(std::max<int64_t>(engine_.options().max_samples, 0)) &&
      engine_.options().max_samples > 0) {
    return RunAllAndKeep(evaluation);  // fails, and says so in the usual words
  }
  result.value = std::move(value);
  Count(parts.empty() ? &Counts::hits : &Counts::partial);
  Count(&Counts::steps_kept, evaluation.Steps(first, last));
  Count(&Counts::steps_computed, computed);
  const TimestampMs keepable = evaluation.StepAtOrBefore(evaluation.reach.LastStepBefore(evaluation.settled + 1));
  const bool grown = spec.start < first || keepable - last >= (evaluation.last - spec.start) / kFreshShare;
  if (!parts.empty() && grown) Keep(evaluation, result);
  return result;
}

void RangeCache::Keep(const Evaluation& evaluation, const QueryResult& result) {
  const auto* matrix = std::get_if<MatrixValue>(&result.value);
  const TimestampMs first = evaluation.spec.start;
  const TimestampMs last = evaluation.StepAtOrBefore(evaluation.reach.LastStepBefore(evaluation.settled + 1));
  if (matrix == nullptr || last < first) return;
  const int64_t largest = options_.max_bytes / kLargestShare;
  if (BytesOf(*matrix) > 2 * largest) return;  // not worth a copy
  auto entry = std::make_shared<Entry>();
  entry->key = evaluation.key;
  entry->changes = evaluation.changes;
  entry->position = evaluation.position;
  entry->first = first;
  entry->last = last;
  entry->by_labels = evaluation.by_labels;
  entry->value = CutMatrix(*matrix, first, last);
  entry->warnings = result.warnings;
  entry->infos = result.infos;
  entry->notes_exact = last == evaluation.last || (result.warnings.empty() && result.infos.empty());
  entry->bytes = BytesOf(entry->value) + static_cast<int64_t>(entry->key.size()) + kEntryOverhead;
  if (entry->bytes > largest) return;
  Insert(std::move(entry));
}

RangeCache::EntryPtr RangeCache::Find(const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto at = by_key_.find(key);
  if (at == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at->second);
  return *at->second;
}

void RangeCache::Insert(EntryPtr entry) {
  // What goes is destroyed without the lock.
  std::vector<EntryPtr> gone;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto drop = [&](std::list<EntryPtr>::iterator at) {
    counts_.bytes -= (*at)->bytes;
    by_key_.erase((*at)->key);
    gone.push_back(std::move(*at));
    entries_.erase(at);
  };
  if (const auto known = by_key_.find(entry->key); known != by_key_.end()) drop(known->second);
  counts_.bytes += entry->bytes;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front()->key, entries_.begin());
  const uint64_t evicted_before = counts_.evicted;
  while (counts_.bytes > options_.max_bytes && entries_.size() > 1) {
    drop(std::prev(entries_.end()));
    ++counts_.evicted;
  }
  counts_.entries = entries_.size();
  if (metrics_ == nullptr) return;
  metrics_->bytes->Set(static_cast<double>(counts_.bytes));
  metrics_->entries->Set(static_cast<double>(counts_.entries));
  for (const auto& row : metrics_->rows) {
    if (row.count == &Counts::evicted) row.counter->Increment(static_cast<double>(counts_.evicted - evicted_before));
  }
}

void RangeCache::Count(uint64_t Counts::*what, uint64_t by) {
  if (metrics_ != nullptr) {
    for (const auto& row : metrics_->rows) {
      if (row.count == what) row.counter->Increment(static_cast<double>(by));
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  counts_.*what += by;
}

RangeCache::Counts RangeCache::counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

}  // namespace epi::promql
