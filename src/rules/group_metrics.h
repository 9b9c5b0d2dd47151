// The metrics of rule evaluation, under Prometheus's names.
#pragma once

#include <string>

#include "rules/alerting_rule.h"
#include "telemetry/metrics.h"

namespace epi::rules {

// Of all groups together. Handles live as long as the registry.
struct RuleMetrics {
  explicit RuleMetrics(MetricRegistry& registry);
  MetricRegistry& registry;
  Observer& evaluation_duration;
  Observer& evaluation_duration_histogram;
  Observer& group_duration;
  Observer& group_duration_histogram;
  TemplateCounters templates;
};

// Of one group; its members go with it.
struct GroupMetrics {
  GroupMetrics(RuleMetrics& all, const std::string& group_key);
  ~GroupMetrics();
  GroupMetrics(const GroupMetrics&) = delete;
  GroupMetrics& operator=(const GroupMetrics&) = delete;

  RuleMetrics& all;
  MetricLabels labels;
  Counter& evaluations;
  Counter& failures;
  Counter& iterations;
  Counter& missed;
  Gauge& interval;
  Gauge& last_duration;
  Gauge& last_rule_duration_sum;
  Gauge& last_restore_duration;
  Gauge& last_samples;
  Gauge& last_evaluation;
  Gauge& rules;
};

}  // namespace epi::rules
