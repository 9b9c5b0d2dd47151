#include "promql/engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "promql/engine/run.h"
#include "promql/parser/parser.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

constexpr int64_t kDefaultLookbackMs = 5 * 60 * 1000;
constexpr int64_t kNsPerMs = 1'000'000;

int64_t RequestsShare(int64_t max_memory) {
  return max_memory == Budget::kUnlimited ? max_memory : max_memory - max_memory / 4;
}

// Features that embedding can switch off.
Result<void> CheckModifiers(const Expr& expr, const FeatureSwitches& features) {
  if (features.at_modifier && features.negative_offset) return {};
  bool at = false;
  bool negative = false;
  const auto look = [&](const TimeModifiers& time) {
    at = at || time.timestamp_ms.has_value() || time.at != AtPreprocessor::kNone;
    negative = negative || time.offset_ms < 0;
  };
  Walk(expr, [&](const Expr& node) {
    if (const auto* selector = node.As<VectorSelector>()) look(selector->time);
    if (const auto* selector = node.As<MatrixSelector>()) look(selector->selector.time);
    if (const auto* subquery = node.As<Subquery>()) look(subquery->time);
  });
  if (at && !features.at_modifier) return Fail(ErrorCode::kInvalid, "@ modifier is disabled");
  if (negative && !features.negative_offset) return Fail(ErrorCode::kInvalid, "negative offset is disabled");
  return {};
}

}  // namespace

// How many queries run, and who waits.
struct Engine::Slots {
  std::mutex mutex;
  std::condition_variable wake;
  size_t running[2] = {};  // of each share; guarded by mutex

  Gauge* queries_running = nullptr;
  Counter* samples = nullptr;
  Counter* samples_read = nullptr;
  // How long queries wait, are prepared, evaluated and sorted: a summary and a histogram for each.
  struct Slice {
    Observer* summary = nullptr;
    Observer* histogram = nullptr;
    void Observe(double seconds) const {
      if (summary == nullptr) return;
      summary->Observe(seconds);
      histogram->Observe(seconds);
    }
  };
  Slice queue_time;
  Slice prepare_time;
  Slice inner_eval;
  Slice result_sort;

  void Register(MetricRegistry& metrics, size_t max_concurrency) {
    queries_running =
        &metrics.AddGauge("prometheus_engine_queries", "The current number of queries being executed or waiting.");
    metrics.AddGauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
        .Set(static_cast<double>(max_concurrency));
    samples = &metrics.AddCounter(
        "prometheus_engine_query_samples_total",
        "The total number of samples loaded by all queries (full window per step for range-vector).");
    samples_read = &metrics.AddCounter(
        "prometheus_engine_query_samples_read_total",
        "The total number of samples read by all queries (only new points per step for range-vector).");
    const auto slice = [&](Slice& to, const char* name) {
      to.summary = &metrics.AddSummary("prometheus_engine_query_duration_seconds", "Query timings", {0.5, 0.9, 0.99},
                                       {{"slice", name}});
      to.histogram = &metrics.AddNativeHistogram("prometheus_engine_query_duration_histogram_seconds",
                                                 "The duration of various parts of PromQL query execution.",
                                                 {0.01, 0.1, 1, 10}, {{"slice", name}});
    };
    slice(queue_time, "queue_time");
    slice(prepare_time, "prepare_time");
    slice(inner_eval, "inner_eval");
    slice(result_sort, "result_sort");
  }
};

// Of all queries together.
struct Engine::Budgets {
  explicit Budgets(int64_t max_memory)
      : all("the memory of all queries (--query.max-memory)", max_memory),
        requests("the memory of all queries but rules' (3/4 of --query.max-memory)", RequestsShare(max_memory), &all) {}
  Budget all;
  Budget requests;  // all but rules'
};

// Of one query, from its start until its answer is not needed any more.
struct Engine::QueryBudget {
  QueryBudget(std::shared_ptr<Budgets> all, QueryShare share, int64_t limit)
      : budgets(std::move(all)),
        budget("a query's memory (--query.max-memory-per-query)", limit,
               share == QueryShare::kRules ? &budgets->all : &budgets->requests) {}
  const std::shared_ptr<Budgets> budgets;
  Budget budget;
};

ParsedQuery::ParsedQuery(std::string text, std::unique_ptr<Expr> expr)
    : text_(std::move(text)), expr_(std::move(expr)) {}
ParsedQuery::~ParsedQuery() = default;

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      budgets_(std::make_shared<Budgets>(options_.max_memory)),
      slots_(std::make_unique<Slots>()) {
  if (options_.lookback_delta_ms <= 0) options_.lookback_delta_ms = kDefaultLookbackMs;
  if (options_.clock == nullptr) options_.clock = &SystemClock();
  options_.threads = std::max<size_t>(options_.threads, 1);
  active_ = std::make_unique<ActiveQueries>(*options_.clock, options_.active_file);
  if (options_.metrics != nullptr) slots_->Register(*options_.metrics, options_.max_concurrency);
}

Engine::~Engine() = default;

Result<std::shared_ptr<const ParsedQuery>> Engine::Parse(std::string_view text) const {
  ParseOptions parse;
  parse.experimental_functions = options_.features.experimental_functions;
  parse.extended_range_selectors = options_.features.extended_range_selectors;
  parse.binop_fill_modifiers = options_.features.binop_fill_modifiers;
  EPI_ASSIGN(ExprPtr expr, ParseExpr(text, parse));
  EPI_TRY(CheckModifiers(*expr, options_.features));
  return std::shared_ptr<const ParsedQuery>(new ParsedQuery(std::string(text), std::move(expr)));
}

namespace {

PlanContext ContextOf(const QuerySpec& spec, const EngineOptions& options, int64_t default_step_ms) {
  const int64_t lookback = spec.lookback_delta_ms > 0 ? spec.lookback_delta_ms : options.lookback_delta_ms;
  return {spec.start,       spec.end,
          spec.step_ms,     lookback,
          default_step_ms,  options.features.type_and_unit_labels,
          options.optimize, options.features.use_start_timestamps};
}

}  // namespace

TimeRange Engine::ReadRange(const ParsedQuery& query, const QuerySpec& spec) const {
  const auto plan = MakePlan(query.expr(), ContextOf(spec, options_, default_step_ms()));
  if (!plan) return {0, 0};
  const TimeRange range = promql::ReadRange(**plan);
  return range.min > range.max ? TimeRange{0, 0} : range;
}

Result<QueryResult> Engine::Run(const QuerySpec& spec, const View& view, const QueryContext& context) const {
  EPI_ASSIGN(const auto query, Parse(spec.text));
  return Run(*query, spec, view, context);
}

Result<QueryResult> Engine::Run(const QuerySpec& spec, const Storage& storage, const QueryContext& context) const {
  EPI_ASSIGN(const auto query, Parse(spec.text));
  return Run(*query, spec, storage, context);
}

Result<QueryResult> Engine::Run(const ParsedQuery& query, const QuerySpec& spec, const Storage& storage,
                                const QueryContext& context) const {
  EPI_ASSIGN(const auto view, storage.OpenView(ReadRange(query, spec)));
  return Run(query, spec, *view, context);
}

Result<QueryResult> Engine::Run(const ParsedQuery& query, const QuerySpec& spec, const View& view,
                                const QueryContext& context) const {
  Clock& clock = *options_.clock;
  const MonotonicNs began = clock.Monotonic();
  const ValueType type = TypeOf(query.expr());
  const bool instant = spec.step_ms == 0;
  if (!instant && type != ValueType::kVector && type != ValueType::kScalar) {
    return Fail(ErrorCode::kInvalid, "invalid expression type \"" + std::string(DocumentedValueTypeName(type)) +
                                         "\" for range query, must be Scalar or instant Vector");
  }
  const bool of_rule = context.share == QueryShare::kRules;
  ActiveQueries::Entry entry(*active_, spec, query.text(), of_rule, context.origin, context.stop);
  auto result = RunInTurn(query, spec, view, context, entry, began);
  if (!context.logged) return result;
  QuerySpec named = spec;
  named.text = query.text();
  Log(named, result, context.origin);
  return result;
}

void Engine::Log(const QuerySpec& spec, const Result<QueryResult>& result, const QueryOrigin* origin) const {
  if (options_.log == nullptr || !options_.log->enabled()) return;
  QueryLogEntry line{spec.text, spec.start, spec.end, spec.step_ms, nullptr, {}, origin};
  if (result) {
    line.stats = result->stats;
  } else {
    line.error = &result.error();
  }
  options_.log->Write(line);
}

// One of the places of those that run at the same time, given back whatever happens.
class Engine::Turn {
 public:
  Turn(Slots& slots, QueryShare share) : slots_(slots), running_(slots.running[static_cast<size_t>(share)]) {}
  ~Turn() {
    if (!taken_) return;
    {
      const std::lock_guard lock(slots_.mutex);
      --running_;
    }
    slots_.wake.notify_all();
    if (slots_.queries_running != nullptr) slots_.queries_running->Add(-1);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  Result<void> Wait(size_t most, const std::stop_token& stop, MonotonicNs deadline, Clock& clock) {
    std::unique_lock lock(slots_.mutex);
    const std::stop_callback on_stop(stop, [this] { slots_.wake.notify_all(); });
    const auto free = [&] { return most == 0 || running_ < most || stop.stop_requested(); };
    const bool in_time = free() || clock.WaitUntil(lock, slots_.wake, deadline, free);
    if (stop.stop_requested()) return Fail(CanceledError("query queue"));
    if (!in_time) return Fail(TimeoutError("query queue"));
    ++running_;
    taken_ = true;
    if (slots_.queries_running != nullptr) slots_.queries_running->Add(1);
    return {};
  }

 private:
  Slots& slots_;
  size_t& running_;
  bool taken_ = false;
};

Result<QueryResult> Engine::RunInTurn(const ParsedQuery& query, const QuerySpec& spec, const View& view,
                                      const QueryContext& context, ActiveQueries::Entry& entry,
                                      MonotonicNs began) const {
  Clock& clock = *options_.clock;
  const bool instant = spec.step_ms == 0;
  const int64_t timeout =
      context.timeout_ms > 0 ? std::min(context.timeout_ms, options_.timeout_ms) : options_.timeout_ms;
  const MonotonicNs deadline = began + timeout * kNsPerMs;
  Turn turn(*slots_, context.share);
  EPI_TRY(turn.Wait(options_.max_concurrency, entry.stop(), deadline, clock));
  const MonotonicNs queued = clock.Monotonic();

  const auto owner = std::make_shared<QueryBudget>(budgets_, context.share, options_.max_memory_per_query);
  Budget& budget = owner->budget;
  entry.Run(budget);
  struct Finished {
    ActiveQueries::Entry& entry;
    ~Finished() { entry.Finish(); }
  } const finished{entry};
  QueryState state(view, budget, clock);
  state.features = options_.features;
  state.lookback_ms = spec.lookback_delta_ms > 0 ? spec.lookback_delta_ms : options_.lookback_delta_ms;
  state.max_samples = options_.max_samples > 0 ? options_.max_samples : std::numeric_limits<int64_t>::max();
  state.default_step_ms = default_step_ms();
  state.deadline = deadline;
  state.stop = entry.stop();
  state.profile = context.profile;
  state.pool = options_.pool;
  state.threads = options_.threads;

  std::vector<PassReport>* passes = state.profile == nullptr ? nullptr : &state.profile->passes;
  PlanContext plan_context = ContextOf(spec, options_, state.default_step_ms);
  plan_context.native_histograms = view.MayHoldHistograms();
  EPI_ASSIGN(const PlanPtr plan, MakePlan(query.expr(), plan_context, passes));
  const StepGrid grid = instant ? StepGrid::Instant(spec.start) : StepGrid::Range(spec.start, spec.end, spec.step_ms);
  EPI_ASSIGN(QueryResult result, RunPlan(*plan, grid, instant, query.text(),
                                         spec.per_step_stats && options_.features.per_step_stats, state));
  const MonotonicNs done = clock.Monotonic();
  result.stats.timings.exec_queue = SecondsBetween(began, queued);
  result.stats.timings.eval_total = SecondsBetween(queued, done);
  result.stats.timings.exec_total = SecondsBetween(began, done);
  result.stats.peak_bytes = budget.peak();
  result.memory.push_back(owner);
  slots_->queue_time.Observe(result.stats.timings.exec_queue);
  slots_->prepare_time.Observe(result.stats.timings.query_preparation);
  slots_->inner_eval.Observe(result.stats.timings.inner_eval);
  slots_->result_sort.Observe(result.stats.timings.result_sort);
  if (slots_->samples != nullptr) {
    slots_->samples->Increment(static_cast<double>(result.stats.samples.total_queryable));
    slots_->samples_read->Increment(static_cast<double>(result.stats.samples.samples_read));
  }
  return result;
}

}  // namespace epi::promql
