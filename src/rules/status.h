// What the API shows of rules and alerts, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rules/alert.h"
#include "rules/rule.h"

namespace epi::rules {

struct RuleStatus {
  bool alerting = false;
  std::string name;
  std::string query;
  RuleLabels labels;
  Rule::Outcome outcome;
  // Of alerting rules.
  AlertState state = AlertState::kInactive;
  bool evaluated = false;  // false: the state is "unknown"
  int64_t hold_ms = 0;
  int64_t keep_firing_ms = 0;
  RuleLabels annotations;
  std::vector<Alert> alerts;
};

struct GroupStatus {
  std::string name;
  std::string file;
  std::vector<RuleStatus> rules;
  int64_t interval_ms = 0;
  int64_t slot_offset_ns = 0;  // evaluations are at multiples of the interval and so much more
  int64_t limit = 0;
  double evaluation_seconds = 0;
  int64_t evaluated_ns = INT64_MIN;  // wall clock; INT64_MIN: never
};

}  // namespace epi::rules
