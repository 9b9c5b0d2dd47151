// What rules would have done: their evaluation over stored data, as it would have gone on live.
//
// Rules are evaluated by range queries, many evaluation times at once, wherever that gives the same answers as one
// instant query each: when no rule reads what it, or one behind it, writes. What recording rules give is laid over
// storage for the rules that read it. Alerts go through the very code that live alerts go through.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "promql/engine/engine.h"
#include "rules/alert_event.h"
#include "rules/group.h"
#include "storage/storage.h"
#include "telemetry/log.h"

namespace epi::rules {

// All pointers outlive the run.
struct BacktestOptions {
  const promql::Engine* engine = nullptr;
  const Storage* storage = nullptr;
  ThreadPool* pool = nullptr;  // groups that have nothing to do with each other run at the same time; null: one by one
  std::string external_url;
  std::string path_prefix;
  Labels external_labels;
  Logger logger;
  std::stop_token stop;
  std::function<void(double)> progress;  // from any thread: how much is done, 0 to 1
  // Gets every sample that recording rules give, stale markers among them, oldest first for each series; from one
  // thread at a time. An error ends the run. Null: nobody wants them.
  std::function<Result<void>(const RuleSample&)> record;
  uint64_t max_events = 1'000'000;         // kLimit beyond
  uint64_t max_evaluations = 100'000'000;  // of all rules together; kInvalid beyond
  uint64_t max_bytes = uint64_t{1} << 30;  // of what recording rules give and others read; kLimit beyond
};

struct BacktestRule {
  std::shared_ptr<const RuleId> rule;
  bool alerting = false;
  std::string query;
  uint64_t evaluations = 0;
  uint64_t failures = 0;
  std::string first_error;  // of the first failure
  TimestampMs first_error_time = 0;
  uint64_t samples = 0;            // a recording rule gave
  std::vector<AlertEvent> events;  // by time, then labels
};

// Every evaluation with start <= time <= end, beginning without any alert. In the order of the groups and their rules.
// kInvalid for an expression that does not parse and for times or a number of evaluations out of bounds, kCanceled when
// stopped.
Result<std::vector<BacktestRule>> RunBacktest(const std::vector<GroupSettings>& groups, TimestampMs start,
                                              TimestampMs end, const BacktestOptions& options);

}  // namespace epi::rules
