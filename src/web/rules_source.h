// What the API shows of rules and alerts, as plain data, and who supplies it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/labels.h"

namespace epi::web {

// Nanoseconds since the Unix epoch; kNever prints as 0001-01-01T00:00:00Z.
inline constexpr int64_t kNever = INT64_MIN;

// Sorted by name; values may be empty.
using ConfiguredLabels = std::vector<std::pair<std::string, std::string>>;

struct AlertStatus {
  Labels labels;
  ConfiguredLabels annotations;
  std::string state;  // "pending", "firing", "inactive"
  int64_t active_at_ns = kNever;
  std::optional<int64_t> keep_firing_since_ns;
  double value = 0;
};

struct RuleStatus {
  bool alerting = false;
  std::string name;
  std::string query;               // as the parser prints it
  ConfiguredLabels labels;
  std::string health = "unknown";  // "ok", "err", "unknown"
  std::string last_error;
  double evaluation_seconds = 0;
  int64_t last_evaluation_ns = kNever;
  // Of alerting rules.
  std::string state;  // "inactive", "pending", "firing", "unknown"
  double duration_seconds = 0;
  double keep_firing_for_seconds = 0;
  ConfiguredLabels annotations;
  std::vector<AlertStatus> alerts;
};

struct RuleGroupStatus {
  std::string name;
  std::string file;
  std::vector<RuleStatus> rules;
  double interval_seconds = 0;
  int64_t limit = 0;
  double evaluation_seconds = 0;
  int64_t last_evaluation_ns = kNever;
};

// Thread-safe.
class RulesSource {
 public:
  virtual ~RulesSource() = default;
  // By file, then in the order of the file.
  virtual std::vector<RuleGroupStatus> Groups() const = 0;
};

// Thread-safe. URLs as the notifier posts to.
class AlertmanagersSource {
 public:
  virtual ~AlertmanagersSource() = default;
  virtual std::vector<std::string> Active() const = 0;
  virtual std::vector<std::string> Dropped() const = 0;
};

}  // namespace epi::web
