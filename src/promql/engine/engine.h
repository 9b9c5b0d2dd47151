// The query engine: text or a parsed expression in, a value out. Evaluation is columnar (see operator.h): operators
// announce their output labels first and then produce batches of series, all steps at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "model/sample.h"
#include "promql/engine/active_queries.h"
#include "promql/engine/features.h"
#include "promql/engine/profile.h"
#include "promql/engine/query_log.h"
#include "promql/engine/result.h"
#include "storage/storage.h"
#include "storage/view.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::promql {

struct Expr;  // promql/parser/ast.h

struct EngineOptions {
  int64_t lookback_delta_ms = 5 * 60 * 1000;  // <= 0 means the default of five minutes
  int64_t max_samples = 50'000'000;           // samples held at once, as Prometheus counts them
  int64_t timeout_ms = 2 * 60 * 1000;
  size_t max_concurrency = 20;  // further queries wait; 0 = no limit
  int64_t max_memory_per_query = Budget::kUnlimited;
  int64_t max_memory = Budget::kUnlimited;  // all queries of this engine together
  FeatureSwitches features;
  bool optimize = true;        // false: without the passes over plans that change nothing but cost; for comparing
  ThreadPool* pool = nullptr;  // leaves are read on it; none: all on the calling thread. Outlives the engine.
  size_t threads = 1;          // at most this many threads at a time work for one query, the caller included
  Clock* clock = nullptr;      // none: the system's
  Logger logger;
  MetricRegistry* metrics = nullptr;       // prometheus_engine_*; none: not counted
  QueryLog* log = nullptr;                 // outlives the engine
  ActiveQueryFile* active_file = nullptr;  // likewise
};

// One question. An instant query has step_ms == 0 and start == end.
struct QuerySpec {
  std::string text;
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step_ms = 0;
  int64_t lookback_delta_ms = 0;  // <= 0: the engine's
  bool per_step_stats = false;    // only with FeatureSwitches::per_step_stats

  static QuerySpec Instant(std::string text, TimestampMs at) { return {std::move(text), at, at, 0, 0, false}; }
  static QuerySpec Range(std::string text, TimestampMs start, TimestampMs end, int64_t step_ms) {
    return {std::move(text), start, end, step_ms, 0, false};
  }
};

// A parsed and checked expression, without a time. Immutable; shared between evaluations and threads (rules keep one
// each).
class ParsedQuery {
 public:
  ~ParsedQuery();
  ParsedQuery(const ParsedQuery&) = delete;
  ParsedQuery& operator=(const ParsedQuery&) = delete;
  const std::string& text() const { return text_; }
  const Expr& expr() const { return *expr_; }

 private:
  friend class Engine;
  ParsedQuery(std::string text, std::unique_ptr<Expr> expr);
  std::string text_;
  std::unique_ptr<Expr> expr_;
};

// Whose turn and memory a query takes. Requests cannot take the last quarter of --query.max-memory, and rules wait for
// each other only, so that dashboards never keep an alert from being evaluated.
enum class QueryShare : unsigned char { kRequests, kRules };

// What a caller brings to one run. All pointers are optional and outlive the run.
struct QueryContext {
  std::stop_token stop;    // ends the run with kCanceled
  int64_t timeout_ms = 0;  // > 0: shortens the engine's
  QueryShare share = QueryShare::kRequests;
  const QueryOrigin* origin = nullptr;  // for the query log and the list of running queries
  QueryProfile* profile = nullptr;      // what each operator did
  bool logged = true;                   // false: the caller uses Engine::Log
};

// Thread-safe.
class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // kInvalid with Prometheus's text ("1:5: parse error: …", or "@ modifier is disabled" and its like).
  Result<std::shared_ptr<const ParsedQuery>> Parse(std::string_view text) const;

  // The times an evaluation reads from storage: what to open a view for.
  TimeRange ReadRange(const ParsedQuery& query, const QuerySpec& spec) const;

  // Evaluates over one view. Errors: kInvalid (parse, parameters), kExecution (Prometheus's 422 texts), kTimeout,
  // kCanceled, kLimit (samples or bytes; the API shows it as an execution error), kUnsupported, or what storage
  // answered. spec.text is ignored by the forms that take a ParsedQuery.
  Result<QueryResult> Run(const QuerySpec& spec, const View& view, const QueryContext& context = {}) const;
  Result<QueryResult> Run(const ParsedQuery& query, const QuerySpec& spec, const View& view,
                          const QueryContext& context = {}) const;
  // Opens the view itself.
  Result<QueryResult> Run(const QuerySpec& spec, const Storage& storage, const QueryContext& context = {}) const;
  Result<QueryResult> Run(const ParsedQuery& query, const QuerySpec& spec, const Storage& storage,
                          const QueryContext& context = {}) const;

  // Writes to the query log, if there is one. For callers that answer one query by several runs.
  void Log(const QuerySpec& spec, const Result<QueryResult>& result, const QueryOrigin* origin) const;

  // The step of subqueries that name none: Prometheus's global evaluation interval. Set at start and on reload.
  void SetDefaultStepMs(int64_t step_ms) { default_step_ms_.store(step_ms, std::memory_order_relaxed); }
  int64_t default_step_ms() const { return default_step_ms_.load(std::memory_order_relaxed); }
  const EngineOptions& options() const { return options_; }
  // Those that wait or run now.
  ActiveQueries& active() const { return *active_; }

 private:
  struct Budgets;
  struct QueryBudget;
  struct Slots;
  class Turn;
  Result<QueryResult> RunInTurn(const ParsedQuery& query, const QuerySpec& spec, const View& view,
                                const QueryContext& context, ActiveQueries::Entry& entry, MonotonicNs began) const;
  EngineOptions options_;
  std::atomic<int64_t> default_step_ms_{60 * 1000};
  std::shared_ptr<Budgets> budgets_;  // shared with answers, which may outlive the engine
  std::unique_ptr<Slots> slots_;
  std::unique_ptr<ActiveQueries> active_;
};

}  // namespace epi::promql
