// What the rule manager and its groups are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/thread_pool.h"
#include "model/labels.h"
#include "promql/parser/parser.h"
#include "rules/alert.h"
#include "rules/rule.h"
#include "storage/storage.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::rules {

class AlertJournal;

// Takes alerts that are due to be sent. Thread-safe; does not wait for the network.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  // `query` is the rule's expression, for the link back.
  virtual void Send(const std::string& query, std::vector<Alert> alerts) = 0;
};

// All pointers outlive the manager.
struct RuleOptions {
  Storage* storage = nullptr;
  const RuleQuerier* querier = nullptr;
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  AlertSink* alerts = nullptr;        // null: alerts are not sent
  AlertJournal* journal = nullptr;    // null: alerts are forgotten with the process
  MetricRegistry* metrics = nullptr;  // null: not counted
  Logger logger;
  promql::ParseOptions parser;
  NameScheme scheme = NameScheme::kUtf8;
  std::string external_url;
  std::string path_prefix;  // the external URL's path
  int64_t resend_delay_ms = 60'000;
  int64_t for_grace_period_ms = 600'000;
  int64_t outage_tolerance_ms = 3'600'000;
  size_t threads = 4;             // groups evaluated at the same time
  bool concurrent_rules = false;  // independent rules of a group at the same time
  size_t max_concurrent_rules = 4;
};

}  // namespace epi::rules
