#include "rules/backtest/backtest.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <queue>

#include "rules/alerting_rule.h"
#include "rules/backtest/backtest_plan.h"
#include "rules/backtest/overlay_storage.h"

namespace epi::rules {
namespace {

// Evaluation times of one range query.
constexpr int64_t kStepsAtOnce = 360;
constexpr int64_t kBacktestNsPerMs = 1'000'000;

using promql::MatrixSeries;
using promql::MatrixValue;
using promql::VectorValue;

Result<VectorValue> VectorOf(promql::Value value) {
  if (auto* vector = std::get_if<VectorValue>(&value)) return std::move(*vector);
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
    VectorValue out(1);
    out[0].t = scalar->t;
    out[0].v = scalar->v;
    return out;
  }
  return Fail(ErrorCode::kExecution, "rule result is not a vector or scalar");
}

// Gives a rule the elements of a range query's answer, one evaluation time after the other; other queries are the
// templates', which the engine answers.
class StepQuerier final : public RuleQuerier {
 public:
  StepQuerier(const promql::Engine& engine, const Storage& storage, std::stop_token stop)
      : engine_(engine), storage_(storage), stop_(std::move(stop)) {}

  void Begin(const promql::ParsedQuery& query, MatrixValue matrix) {
    query_ = &query;
    matrix_ = std::move(matrix);
    floats_.assign(matrix_.size(), 0);
    histograms_.assign(matrix_.size(), 0);
  }
  void End() { query_ = nullptr; }

  Result<VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                               const promql::QueryOrigin*) const override {
    if (&query == query_) return Step(at);
    promql::QueryContext context;
    context.stop = stop_;
    EPI_ASSIGN(promql::QueryResult result,
               engine_.Run(query, promql::QuerySpec::Instant(query.text(), at), storage_, context));
    return VectorOf(std::move(result.value));
  }
  Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const override {
    return engine_.Parse(text);
  }

 private:
  // Times ascend from call to call.
  VectorValue Step(TimestampMs at) const {
    VectorValue out;
    for (size_t i = 0; i < matrix_.size(); ++i) {
      const MatrixSeries& series = matrix_[i];
      if (floats_[i] < series.floats.size() && series.floats[floats_[i]].t == at) {
        out.push_back({series.labels, at, series.floats[floats_[i]++].v, nullptr});
      } else if (histograms_[i] < series.histograms.size() && series.histograms[histograms_[i]].t == at) {
        out.push_back({series.labels, at, 0, series.histograms[histograms_[i]++].h});
      }
    }
    return out;
  }

  const promql::Engine& engine_;
  const Storage& storage_;
  std::stop_token stop_;
  const promql::ParsedQuery* query_ = nullptr;
  MatrixValue matrix_;
  mutable std::vector<size_t> floats_;  // the next of each series
  mutable std::vector<size_t> histograms_;
};

// What all parts of a run share.
struct BacktestShared {
  const BacktestOptions& options;
  TimestampMs start;
  TimestampMs end;
  uint64_t total = 0;  // evaluations
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> events{0};
  std::mutex record_mutex{};
  Result<void> record_result{};  // guarded by record_mutex: the first error
};

// One rule and what has come of it.
struct BacktestState {
  Group* group = nullptr;
  Rule* rule = nullptr;
  BacktestRule* result = nullptr;
  bool is_read = false;
  // Series of the last evaluation that went well, for stale markers; only when somebody reads them.
  std::map<Labels, OverlaySeries*> present;
};

class PartRun {
 public:
  PartRun(BacktestShared& shared, const std::vector<std::unique_ptr<Group>>& groups, const BacktestPart& part,
          const std::vector<std::vector<bool>>& is_read, std::vector<std::vector<BacktestRule>>& results)
      : shared_(shared),
        part_(part),
        overlay_(*shared.options.storage),
        querier_(*shared.options.engine, overlay_, shared.options.stop) {
    states_.resize(groups.size());
    for (const size_t g : part.groups) {
      for (size_t r = 0; r < groups[g]->rules().size(); ++r) {
        Rule& rule = *groups[g]->rules()[r];
        states_[g].push_back({groups[g].get(), &rule, &results[g][r], is_read[g][r], {}});
        if (is_read[g][r]) HideBase(*groups[g], rule);
      }
    }
    surroundings_ = LabelsValue(shared.options.external_labels);
  }

  Result<void> Run() { return part_.order.empty() ? RunByTurns() : RunByChunks(); }

 private:
  // What the rule gave live is in storage; the backtest gives it anew.
  void HideBase(const Group& group, const Rule& rule) {
    const TimestampMs from = shared_.start - group.settings().query_offset_ms;
    if (!rule.alerting()) {
      overlay_.Hide({Matcher::Equal(std::string(kMetricName), rule.name())}, from);
      return;
    }
    for (const std::string_view metric : {kAlertMetric, kAlertForStateMetric}) {
      overlay_.Hide({Matcher::Equal(std::string(kMetricName), std::string(metric)),
                     Matcher::Equal(std::string(kAlertNameLabel), rule.name())},
                    from);
    }
  }

  // The group's first evaluation time at or after `time`.
  static TimestampMs SlotFrom(const Group& group, TimestampMs time) {
    const int64_t interval = group.settings().interval_ms;
    TimestampMs slot = group.SlotNs(time * kBacktestNsPerMs) / kBacktestNsPerMs;
    while (slot < time) slot += interval;
    return slot;
  }

  RuleContext ContextAt(const BacktestState& state, TimestampMs time) {
    RuleContext context;
    context.querier = &querier_;
    context.time = time;
    context.query_offset_ms = state.group->settings().query_offset_ms;
    context.limit = state.group->settings().spec.limit;
    context.external_url = shared_.options.external_url;
    context.path_prefix = shared_.options.path_prefix;
    context.external_labels = surroundings_;
    context.logger = shared_.options.logger;
    context.annotate_events_only = true;
    return context;
  }

  Result<void> CheckOn() {
    if (shared_.options.stop.stop_requested()) return Fail(ErrorCode::kCanceled, "backtest canceled");
    if (shared_.events.load(std::memory_order_relaxed) > shared_.options.max_events) {
      return Fail(ErrorCode::kLimit, "more than " + std::to_string(shared_.options.max_events) + " alert events");
    }
    {
      const std::lock_guard lock(shared_.record_mutex);
      EPI_TRY(shared_.record_result);
    }
    if (overlay_.bytes() > shared_.options.max_bytes) {
      return Fail(ErrorCode::kLimit,
                  "results of recording rules take more than " + std::to_string(shared_.options.max_bytes) + " bytes");
    }
    return {};
  }

  void NoteDone(uint64_t evaluations) {
    const uint64_t done = shared_.done.fetch_add(evaluations, std::memory_order_relaxed) + evaluations;
    if (shared_.options.progress && shared_.total > 0) {
      shared_.options.progress(static_cast<double>(done) / static_cast<double>(shared_.total));
    }
  }

  // Whether anybody asks for the samples of the rule.
  bool IsWanted(const BacktestState& state) const {
    return state.is_read || (!state.rule->alerting() && shared_.options.record);
  }

  // One sample of a rule; `series` is null when no rule reads it.
  void Put(const BacktestState& state, OverlaySeries* series, RuleSample sample) {
    if (!state.rule->alerting() && shared_.options.record) {
      const std::lock_guard lock(shared_.record_mutex);
      if (shared_.record_result) shared_.record_result = shared_.options.record(sample);
    }
    if (series != nullptr) series->Append(sample.t, sample.v, std::move(sample.h));
  }

  OverlaySeries* SeriesFor(const BacktestState& state, const Labels& labels) {
    return state.is_read ? &overlay_.SeriesOf(labels) : nullptr;
  }

  static void NoteFailure(BacktestState& state, TimestampMs time, const std::string& error) {
    if (state.result->failures++ > 0) return;
    state.result->first_error = error;
    state.result->first_error_time = time;
  }

  // --- chunks of time, rule by rule ---

  Result<void> RunByChunks() {
    int64_t interval = INT64_MAX;
    for (const size_t g : part_.groups) interval = std::min(interval, states_[g].empty() ? INT64_MAX : IntervalOf(g));
    if (interval == INT64_MAX) return {};
    for (TimestampMs from = shared_.start; from <= shared_.end; from += interval * kStepsAtOnce) {
      const TimestampMs to = std::min(shared_.end, from + interval * kStepsAtOnce - 1);
      for (const BacktestPlace& place : part_.order) {
        BacktestState& state = states_[place.group][place.rule];
        const int64_t step = IntervalOf(place.group);
        const TimestampMs first = SlotFrom(*state.group, from);
        if (first > to) continue;
        const int64_t count = (to - first) / step + 1;
        EPI_TRY(EvaluateSteps(state, first, count));
        NoteDone(static_cast<uint64_t>(count));
        EPI_TRY(CheckOn());
      }
      overlay_.DropBefore(NeededFrom(to + 1));
    }
    return {};
  }

  int64_t IntervalOf(size_t group) const { return states_[group].front().group->settings().interval_ms; }

  // The earliest time that any rule evaluated at or after `time` reads.
  TimestampMs NeededFrom(TimestampMs time) const {
    TimestampMs needed = time;
    for (const size_t g : part_.groups) {
      for (const BacktestState& state : states_[g]) {
        const TimestampMs at = time - state.group->settings().query_offset_ms;
        const auto spec = promql::QuerySpec::Instant(state.rule->query().text(), at);
        needed = std::min(needed, shared_.options.engine->ReadRange(state.rule->query(), spec).min);
      }
    }
    return needed;
  }

  // One query for all; halves when that fails, so that only the evaluations fail that would have failed live.
  Result<void> EvaluateSteps(BacktestState& state, TimestampMs first, int64_t count) {
    const GroupSettings& settings = state.group->settings();
    const TimestampMs sample = first - settings.query_offset_ms;
    const promql::ParsedQuery& query = state.rule->query();
    promql::QueryContext context;
    context.stop = shared_.options.stop;
    auto spec = promql::QuerySpec::Range(query.text(), sample, sample + (count - 1) * settings.interval_ms,
                                         settings.interval_ms);
    auto result = shared_.options.engine->Run(query, spec, overlay_, context);
    if (!result) {
      const ErrorCode code = result.error().code();
      if (code == ErrorCode::kCanceled) return Fail(result.error());
      if (count == 1) {
        ++state.result->evaluations;
        NoteFailure(state, first, result.error().message());
        return {};
      }
      EPI_TRY(EvaluateSteps(state, first, count / 2));
      return EvaluateSteps(state, first + count / 2 * settings.interval_ms, count - count / 2);
    }
    EPI_ASSIGN(MatrixValue matrix, MatrixOf(std::move(result->value)));
    state.result->evaluations += static_cast<uint64_t>(count);
    if (state.rule->alerting()) {
      AdvanceAlerts(state, std::move(matrix), first, count);
    } else {
      Record(state, matrix, first, count);
    }
    return {};
  }

  static Result<MatrixValue> MatrixOf(promql::Value value) {
    if (auto* matrix = std::get_if<MatrixValue>(&value)) return std::move(*matrix);
    return Fail(ErrorCode::kExecution, "rule result is not a vector or scalar");
  }

  void AdvanceAlerts(BacktestState& state, MatrixValue matrix, TimestampMs first, int64_t count) {
    querier_.Begin(state.rule->query(), std::move(matrix));
    const int64_t interval = state.group->settings().interval_ms;
    RuleContext context = ContextAt(state, first);
    for (int64_t i = 0; i < count; ++i) {
      context.time = first + i * interval;
      EvaluateRule(state, context);
    }
    querier_.End();
  }

  // A rule's own evaluation, with what it gives laid over storage.
  void EvaluateRule(BacktestState& state, RuleContext& context) {
    std::vector<AlertEvent> events;
    context.events = &events;
    auto samples = state.rule->Evaluate(context);
    context.events = nullptr;
    std::stable_sort(events.begin(), events.end(),
                     [](const AlertEvent& a, const AlertEvent& b) { return a.alert.labels < b.alert.labels; });
    shared_.events.fetch_add(events.size(), std::memory_order_relaxed);
    for (AlertEvent& event : events) state.result->events.push_back(std::move(event));
    if (!samples) {
      NoteFailure(state, context.time, samples.error().message());
      return;
    }
    if (!state.rule->alerting()) state.result->samples += samples->size();
    if (!IsWanted(state)) return;
    std::map<Labels, OverlaySeries*> present;
    for (RuleSample& sample : *samples) {
      OverlaySeries* const series = SeriesFor(state, sample.labels);
      present.emplace(sample.labels, series);
      Put(state, series, std::move(sample));
    }
    for (const auto& [labels, series] : state.present) {
      if (!present.contains(labels)) Put(state, series, {labels, context.SampleTime(), StaleNaN(), nullptr});
    }
    state.present = std::move(present);
  }

  // A recording rule's answer, series by series.
  void Record(BacktestState& state, const MatrixValue& matrix, TimestampMs first, int64_t count) {
    const GroupSettings& settings = state.group->settings();
    std::map<Labels, std::vector<const MatrixSeries*>> outputs;
    LabelsBuilder builder;
    for (const MatrixSeries& series : matrix) {
      builder.Reset(series.labels);
      builder.Set(kMetricName, state.rule->name());
      for (const auto& [name, value] : state.rule->labels()) builder.Set(name, value);
      outputs[builder.Build()].push_back(&series);
    }
    const TimestampMs sample = first - settings.query_offset_ms;
    const auto step_of = [&](TimestampMs t) { return static_cast<size_t>((t - sample) / settings.interval_ms); };
    std::vector<int64_t> sizes(static_cast<size_t>(count), 0);
    std::vector<std::string> errors(static_cast<size_t>(count));
    for (const auto& entry : outputs) {
      std::vector<bool> taken(static_cast<size_t>(count), false);
      for (const MatrixSeries* series : entry.second) {
        const auto take = [&](TimestampMs t) {
          const size_t step = step_of(t);
          ++sizes[step];
          if (taken[step]) errors[step] = "vector contains metrics with the same labelset after applying rule labels";
          taken[step] = true;
        };
        for (const auto& point : series->floats) take(point.t);
        for (const auto& point : series->histograms) take(point.t);
      }
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (errors[i].empty() && settings.spec.limit > 0 && sizes[i] > settings.spec.limit) {
        errors[i] = "exceeded limit of " + std::to_string(settings.spec.limit) + " with " + std::to_string(sizes[i]) +
                    " series";
      }
      if (errors[i].empty()) {
        state.result->samples += static_cast<uint64_t>(sizes[i]);
      } else {
        NoteFailure(state, first + static_cast<int64_t>(i) * settings.interval_ms, errors[i]);
      }
    }
    if (IsWanted(state)) Lay(state, outputs, sample, errors);
  }

  // Hands on the samples of evaluations that went well, and stale markers where series end.
  void Lay(BacktestState& state, const std::map<Labels, std::vector<const MatrixSeries*>>& outputs, TimestampMs sample,
           const std::vector<std::string>& errors) {
    const int64_t interval = state.group->settings().interval_ms;
    std::map<Labels, OverlaySeries*> all = state.present;
    for (const auto& entry : outputs) all.emplace(entry.first, SeriesFor(state, entry.first));
    std::map<Labels, OverlaySeries*> present;
    for (const auto& entry : all) {
      const Labels& labels = entry.first;
      OverlaySeries* const series = entry.second;
      std::vector<std::pair<bool, double>> values(errors.size(), {false, 0});
      std::map<size_t, std::shared_ptr<const FloatHistogram>> histograms;
      if (const auto given = outputs.find(labels); given != outputs.end()) {
        for (const MatrixSeries* one : given->second) {
          for (const auto& point : one->floats) {
            values[static_cast<size_t>((point.t - sample) / interval)] = {true, point.v};
          }
          for (const auto& point : one->histograms) {
            histograms.emplace(static_cast<size_t>((point.t - sample) / interval), point.h);
          }
        }
      }
      bool was_present = state.present.contains(labels);
      for (size_t i = 0; i < errors.size(); ++i) {
        if (!errors[i].empty()) continue;
        const TimestampMs t = sample + static_cast<int64_t>(i) * interval;
        const auto histogram = histograms.find(i);
        const bool is_present = values[i].first || histogram != histograms.end();
        if (is_present) {
          Put(state, series,
              {labels, t, values[i].second, histogram == histograms.end() ? nullptr : histogram->second});
        } else if (was_present) {
          Put(state, series, {labels, t, StaleNaN(), nullptr});
        }
        was_present = is_present;
      }
      if (was_present) present.emplace(labels, series);
    }
    state.present = std::move(present);
  }

  // --- one evaluation at a time, groups taking turns ---

  Result<void> RunByTurns() {
    using Turn = std::pair<TimestampMs, size_t>;
    std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
    for (const size_t g : part_.groups) {
      if (!states_[g].empty()) turns.emplace(SlotFrom(*states_[g].front().group, shared_.start), g);
    }
    uint64_t count = 0;
    while (!turns.empty() && turns.top().first <= shared_.end) {
      const auto [time, g] = turns.top();
      turns.pop();
      for (BacktestState& state : states_[g]) {
        ++state.result->evaluations;
        RuleContext context = ContextAt(state, time);
        EvaluateRule(state, context);
      }
      turns.emplace(time + IntervalOf(g), g);
      NoteDone(states_[g].size());
      if (++count % kStepsAtOnce == 0) overlay_.DropBefore(NeededFrom(time));
      EPI_TRY(CheckOn());
    }
    return {};
  }

  BacktestShared& shared_;
  const BacktestPart& part_;
  OverlayStorage overlay_;
  StepQuerier querier_;
  std::vector<std::vector<BacktestState>> states_;  // by group and rule; empty for groups of other parts
  TemplateValue surroundings_;
};

// Evaluation times are computed in nanoseconds of 64 bits, with room for intervals beside them.
constexpr TimestampMs kFarthestTime = INT64_MAX / (2 * kBacktestNsPerMs);

Result<uint64_t> CountEvaluations(const std::vector<std::unique_ptr<Group>>& groups, TimestampMs start, TimestampMs end,
                                  uint64_t most) {
  uint64_t total = 0;
  for (const auto& group : groups) {
    total += static_cast<uint64_t>((end - start) / group->settings().interval_ms + 1) * group->rules().size();
    if (total > most) {
      return Fail(ErrorCode::kInvalid, "the rules would be evaluated more than " + std::to_string(most) +
                                           " times: choose a shorter range, longer intervals or fewer rules");
    }
  }
  return total;
}

}  // namespace

Result<std::vector<BacktestRule>> RunBacktest(const std::vector<GroupSettings>& settings, TimestampMs start,
                                              TimestampMs end, const BacktestOptions& options) {
  if (end < start) return Fail(ErrorCode::kInvalid, "end of the backtest before its start");
  if (start < -kFarthestTime || end > kFarthestTime) {
    return Fail(ErrorCode::kInvalid, "rules can be evaluated between the years 1824 and 2116 only");
  }
  // Groups are made for their rules; they are never iterated, so nothing is written.
  OverlayStorage unused(*options.storage);
  const StepQuerier parser(*options.engine, unused, options.stop);
  RuleOptions rule_options;
  rule_options.storage = &unused;
  rule_options.querier = &parser;
  rule_options.logger = options.logger;
  std::vector<std::unique_ptr<Group>> groups;
  std::vector<std::vector<BacktestRule>> results;
  for (const GroupSettings& one : settings) {
    EPI_ASSIGN(auto group, Group::Make(one, rule_options, false, nullptr));
    std::vector<BacktestRule>& rules = results.emplace_back();
    for (const auto& rule : group->rules()) {
      BacktestRule& result = rules.emplace_back();
      result.rule = rule->id();
      result.alerting = rule->alerting();
      result.query = rule->query_text();
    }
    groups.push_back(std::move(group));
  }
  const BacktestPlan plan = PlanBacktest(groups);
  BacktestShared shared{options, start, end};
  EPI_ASSIGN(shared.total, CountEvaluations(groups, start, end, options.max_evaluations));
  std::mutex mutex;
  Result<void> outcome;
  const auto run = [&](size_t i) {
    PartRun part(shared, groups, plan.parts[i], plan.is_read, results);
    auto done = part.Run();
    const std::lock_guard lock(mutex);
    if (!done && outcome) outcome = std::move(done);
  };
  if (options.pool != nullptr) {
    options.pool->ParallelFor(plan.parts.size(), options.pool->size(), run);
  } else {
    for (size_t i = 0; i < plan.parts.size(); ++i) run(i);
  }
  if (!outcome) return Fail(outcome.error());
  std::vector<BacktestRule> out;
  for (std::vector<BacktestRule>& rules : results) {
    std::move(rules.begin(), rules.end(), std::back_inserter(out));
  }
  return out;
}

}  // namespace epi::rules
