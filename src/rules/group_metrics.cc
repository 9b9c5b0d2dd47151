#include "rules/group_metrics.h"

#include <array>

namespace epi::rules {
namespace {

constexpr const char* kEvaluations = "prometheus_rule_evaluations_total";
constexpr const char* kFailures = "prometheus_rule_evaluation_failures_total";
constexpr const char* kIterations = "prometheus_rule_group_iterations_total";
constexpr const char* kMissed = "prometheus_rule_group_iterations_missed_total";
constexpr const char* kInterval = "prometheus_rule_group_interval_seconds";
constexpr const char* kLastDuration = "prometheus_rule_group_last_duration_seconds";
constexpr const char* kLastRuleDurationSum = "prometheus_rule_group_last_rule_duration_sum_seconds";
constexpr const char* kLastRestoreDuration = "prometheus_rule_group_last_restore_duration_seconds";
constexpr const char* kLastSamples = "prometheus_rule_group_last_evaluation_samples";
constexpr const char* kLastEvaluation = "prometheus_rule_group_last_evaluation_timestamp_seconds";
constexpr const char* kRules = "prometheus_rule_group_rules";
const std::vector<double> kDurationBounds = {.01, .1, 1, 10};  // Prometheus's

}  // namespace

RuleMetrics::RuleMetrics(MetricRegistry& metric_registry)
    : registry(metric_registry),
      evaluation_duration(registry.AddSummary("prometheus_rule_evaluation_duration_seconds",
                                              "The duration for a rule to execute.", {0.5, 0.9, 0.99})),
      evaluation_duration_histogram(registry.AddNativeHistogram("prometheus_rule_evaluation_duration_histogram_seconds",
                                                                "The duration for a rule to execute.",
                                                                kDurationBounds)),
      group_duration(registry.AddSummary("prometheus_rule_group_duration_seconds",
                                         "The duration of rule group evaluations.", {0.01, 0.05, 0.5, 0.90, 0.99})),
      group_duration_histogram(registry.AddNativeHistogram("prometheus_rule_group_duration_histogram_seconds",
                                                           "The duration of rule group evaluations.",
                                                           kDurationBounds)) {
  templates.expansions = &registry.AddCounter("prometheus_template_text_expansions_total",
                                              "The total number of template text expansions.");
  templates.failures = &registry.AddCounter("prometheus_template_text_expansion_failures_total",
                                            "The total number of template text expansion failures.");
}

GroupMetrics::GroupMetrics(RuleMetrics& all_groups, const std::string& group_key)
    : all(all_groups),
      labels{{"rule_group", group_key}},
      evaluations(all.registry.AddCounter(kEvaluations, "The total number of rule evaluations.", labels)),
      failures(all.registry.AddCounter(kFailures, "The total number of rule evaluation failures.", labels)),
      iterations(all.registry.AddCounter(
          kIterations, "The total number of scheduled rule group evaluations, whether executed or missed.", labels)),
      missed(all.registry.AddCounter(
          kMissed, "The total number of rule group evaluations missed due to slow rule group evaluation.", labels)),
      interval(all.registry.AddGauge(kInterval, "The interval of a rule group.", labels)),
      last_duration(all.registry.AddGauge(kLastDuration, "The duration of the last rule group evaluation.", labels)),
      last_rule_duration_sum(
          all.registry.AddGauge(kLastRuleDurationSum,
                                "The sum of time in seconds it took to evaluate each rule in the group regardless of "
                                "concurrency. This should be "
                                "higher than the group duration if rules are evaluated concurrently.",
                                labels)),
      last_restore_duration(all.registry.AddGauge(
          kLastRestoreDuration,
          "The duration of the last alert rules alerts restoration using the `ALERTS_FOR_STATE` series.", labels)),
      last_samples(all.registry.AddGauge(
          kLastSamples, "The number of samples returned during the last rule group evaluation.", labels)),
      last_evaluation(all.registry.AddGauge(kLastEvaluation,
                                            "The timestamp of the last rule group evaluation in seconds.", labels)),
      rules(all.registry.AddGauge(kRules, "The number of rules.", labels)) {}

GroupMetrics::~GroupMetrics() {
  for (const char* name : {kEvaluations, kFailures, kIterations, kMissed, kInterval, kLastDuration,
                           kLastRuleDurationSum, kLastRestoreDuration, kLastSamples, kLastEvaluation, kRules}) {
    all.registry.Remove(name, labels);
  }
}

}  // namespace epi::rules
