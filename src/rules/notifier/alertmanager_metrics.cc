#include "rules/notifier/alertmanager_metrics.h"

namespace epi::rules {
namespace {

constexpr const char* kSent = "prometheus_notifications_sent_total";
constexpr const char* kErrors = "prometheus_notifications_errors_total";
constexpr const char* kDropped = "prometheus_notifications_dropped_total";
constexpr const char* kLatency = "prometheus_notifications_latency_seconds";
constexpr const char* kLatencyHistogram = "prometheus_notifications_latency_histogram_seconds";
constexpr const char* kQueueLength = "prometheus_notifications_queue_length";

}  // namespace

AlertmanagerMetrics::AlertmanagerMetrics(MetricRegistry& metric_registry, const std::string& url)
    : registry(metric_registry),
      labels{{"alertmanager", url}},
      sent(registry.AddCounter(kSent, "Total number of alerts sent.", labels)),
      errors(registry.AddCounter(kErrors, "Total number of sent alerts affected by errors.", labels)),
      dropped(registry.AddCounter(
          kDropped, "Total number of alerts dropped due to errors when sending to Alertmanager.", labels)),
      latency(registry.AddSummary(kLatency, "Latency quantiles for sending alert notifications.", {0.5, 0.9, 0.99},
                                  labels)),
      latency_histogram(registry.AddNativeHistogram(
          kLatencyHistogram, "Latency histogram for sending alert notifications.", {.01, .1, 1, 10}, labels)),
      queue_length(registry.AddGauge(kQueueLength, "The number of alert notifications in the queue.", labels)) {}

AlertmanagerMetrics::~AlertmanagerMetrics() {
  for (const char* name : {kSent, kErrors, kDropped, kLatency, kLatencyHistogram, kQueueLength})
    registry.Remove(name, labels);
}

std::shared_ptr<AlertmanagerMetricsTable> AlertmanagerMetricsTable::Make(MetricRegistry& registry) {
  return std::shared_ptr<AlertmanagerMetricsTable>(new AlertmanagerMetricsTable(registry));
}

std::shared_ptr<AlertmanagerMetrics> AlertmanagerMetricsTable::Of(const std::string& url) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[url];
  if (entry.metrics == nullptr) entry.metrics = std::make_unique<AlertmanagerMetrics>(registry_, url);
  ++entry.users;
  return {entry.metrics.get(), [self = shared_from_this(), url](AlertmanagerMetrics*) { self->Release(url); }};
}

void AlertmanagerMetricsTable::Release(const std::string& url) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(url);
  if (--entry->second.users == 0) entries_.erase(entry);
}

}  // namespace epi::rules
