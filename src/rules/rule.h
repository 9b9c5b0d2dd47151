// What recording and alerting rules have in common: an expression, labels, and what came of evaluating them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/engine/active_queries.h"
#include "promql/engine/result.h"
#include "rules/alert_event.h"
#include "rules/rule_file.h"
#include "rules/template/template.h"
#include "telemetry/log.h"

namespace epi::promql {
class ParsedQuery;
}

namespace epi::rules {

// One sample a rule gives.
struct RuleSample {
  Labels labels;
  TimestampMs t = 0;
  double v = 0;
  std::shared_ptr<const FloatHistogram> h;  // instead of v
};

// Asks the engine. Thread-safe.
class RuleQuerier {
 public:
  virtual ~RuleQuerier() = default;
  // The instant value as a vector; kExecution "rule result is not a vector or scalar" for other kinds. `origin` names
  // the group in the query log and may be null.
  virtual Result<promql::VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                               const promql::QueryOrigin* origin) const = 0;
  virtual Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const = 0;
};

// What one evaluation of a rule takes place in.
struct RuleContext {
  const RuleQuerier* querier = nullptr;
  const promql::QueryOrigin* origin = nullptr;  // what its queries are known by
  TimestampMs time = 0;                         // the slot
  int64_t query_offset_ms = 0;                  // queries and samples are that much earlier
  int64_t limit = 0;
  std::string external_url;
  std::string path_prefix;
  TemplateValue external_labels;  // map[string]string
  Logger logger;
  std::vector<AlertEvent>* events = nullptr;  // gets what happens to alerts; null: nobody wants to know
  // Annotations are rendered only for events, as they were when the alert was last present: what a backtest needs.
  bool annotate_events_only = false;
  TimestampMs SampleTime() const { return time - query_offset_ms; }
};

enum class RuleHealth : unsigned char { kUnknown, kOk, kErr };
std::string_view RuleHealthName(RuleHealth health);  // "unknown", "ok", "err"

// Evaluated by one thread at a time; the rest is thread-safe.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual bool alerting() const = 0;
  // Samples to store. An error leaves nothing to store.
  virtual Result<std::vector<RuleSample>> Evaluate(const RuleContext& context) = 0;

  const std::string& name() const { return name_; }
  const RuleLabels& labels() const { return labels_; }  // configured, the group's among them
  const std::shared_ptr<const RuleId>& id() const { return id_; }
  // Once, before the first evaluation.
  void SetId(std::shared_ptr<const RuleId> id) { id_ = std::move(id); }
  const promql::ParsedQuery& query() const { return *query_; }
  const std::string& query_text() const { return query_text_; }  // as the parser prints it

  struct Outcome {
    RuleHealth health = RuleHealth::kUnknown;
    std::string last_error;
    double evaluation_seconds = 0;
    int64_t evaluated_ns = INT64_MIN;  // wall clock; INT64_MIN: never
  };
  Outcome outcome() const;
  void SetHealth(RuleHealth health, std::string error);
  void SetEvaluation(double seconds, int64_t at_ns);

 protected:
  Rule(std::string name, RuleLabels labels, std::shared_ptr<const promql::ParsedQuery> query);

 private:
  std::string name_;
  RuleLabels labels_;
  std::shared_ptr<const RuleId> id_;
  std::shared_ptr<const promql::ParsedQuery> query_;
  std::string query_text_;
  mutable std::mutex mutex_;
  Outcome outcome_;  // guarded by mutex_
};

// Whether two samples have the same labels.
bool HasDuplicates(const std::vector<RuleSample>& samples);

}  // namespace epi::rules
