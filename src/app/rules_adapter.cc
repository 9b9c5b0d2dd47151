#include "app/rules_adapter.h"

namespace epi::app {
namespace {

constexpr int64_t kRuleNsPerMs = 1'000'000;
constexpr double kSecondsPerMs = 1e-3;

// States are kept in milliseconds; what an evaluation's time has beyond them is the same for all of a group.
int64_t EvaluationNs(TimestampMs time, const rules::GroupStatus& group) {
  const bool evaluated = (time - group.slot_offset_ns / kRuleNsPerMs) % group.interval_ms == 0;
  return time * kRuleNsPerMs + (evaluated ? group.slot_offset_ns % kRuleNsPerMs : 0);
}

web::AlertStatus ToWeb(const rules::Alert& alert, const rules::GroupStatus& group) {
  web::AlertStatus out;
  out.labels = alert.labels;
  out.annotations = alert.annotations;
  out.state = rules::AlertStateName(alert.state);
  out.active_at_ns = EvaluationNs(alert.active_at, group);
  if (alert.keep_firing_since) out.keep_firing_since_ns = EvaluationNs(*alert.keep_firing_since, group);
  out.value = alert.value;
  return out;
}

web::RuleStatus ToWeb(const rules::RuleStatus& rule, const rules::GroupStatus& group) {
  web::RuleStatus out;
  out.alerting = rule.alerting;
  out.name = rule.name;
  out.query = rule.query;
  out.labels = rule.labels;
  out.health = rules::RuleHealthName(rule.outcome.health);
  out.last_error = rule.outcome.last_error;
  out.evaluation_seconds = rule.outcome.evaluation_seconds;
  out.last_evaluation_ns = rule.outcome.evaluated_ns;
  if (!rule.alerting) return out;
  out.state = rule.evaluated ? rules::AlertStateName(rule.state) : "unknown";
  out.duration_seconds = static_cast<double>(rule.hold_ms) * kSecondsPerMs;
  out.keep_firing_for_seconds = static_cast<double>(rule.keep_firing_ms) * kSecondsPerMs;
  out.annotations = rule.annotations;
  for (const auto& alert : rule.alerts) out.alerts.push_back(ToWeb(alert, group));
  return out;
}

}  // namespace

std::vector<web::RuleGroupStatus> RulesAdapter::Groups() const {
  std::vector<web::RuleGroupStatus> out;
  for (const auto& group : manager_.Groups()) {
    web::RuleGroupStatus row;
    row.name = group.name;
    row.file = group.file;
    row.interval_seconds = static_cast<double>(group.interval_ms) * kSecondsPerMs;
    row.limit = group.limit;
    row.evaluation_seconds = group.evaluation_seconds;
    row.last_evaluation_ns = group.evaluated_ns;
    for (const auto& rule : group.rules) row.rules.push_back(ToWeb(rule, group));
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace epi::app
