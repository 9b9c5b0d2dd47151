#include "app/rules_adapter.h"

namespace epi::app {
namespace {

constexpr int64_t kRuleNsPerMs = 1'000'000;
constexpr double kSecondsPerMs = 1e-3;

web::AlertStatus ToWeb(const rules::Alert& alert) {
  web::AlertStatus out;
  out.labels = alert.labels;
  out.annotations = alert.annotations;
  out.state = rules::AlertStateName(alert.state);
  out.active_at_ns = alert.active_at * kRuleNsPerMs;
  if (alert.keep_firing_since) out.keep_firing_since_ns = *alert.keep_firing_since * kRuleNsPerMs;
  out.value = alert.value;
  return out;
}

web::RuleStatus ToWeb(const rules::RuleStatus& rule) {
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
  for (const auto& alert : rule.alerts) out.alerts.push_back(ToWeb(alert));
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
    for (const auto& rule : group.rules) row.rules.push_back(ToWeb(rule));
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace epi::app
