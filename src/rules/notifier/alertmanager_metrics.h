// prometheus_notifications_* of each Alertmanager.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "telemetry/metrics.h"

namespace epi::rules {

// Of one Alertmanager; removed with it.
struct AlertmanagerMetrics {
  AlertmanagerMetrics(MetricRegistry& metric_registry, const std::string& url);
  ~AlertmanagerMetrics();
  AlertmanagerMetrics(const AlertmanagerMetrics&) = delete;
  AlertmanagerMetrics& operator=(const AlertmanagerMetrics&) = delete;
  MetricRegistry& registry;
  MetricLabels labels;
  Counter& sent;
  Counter& errors;
  Counter& dropped;
  Observer& latency;
  Observer& latency_histogram;
  Gauge& queue_length;
};

// Several sections of a configuration may post to one URL, and after a reload the section of before drains its queue
// while the new one is at work: they count in the same metrics, which go with the last of them. Thread-safe.
class AlertmanagerMetricsTable : public std::enable_shared_from_this<AlertmanagerMetricsTable> {
 public:
  // `registry` outlives the table and all metrics it has given.
  static std::shared_ptr<AlertmanagerMetricsTable> Make(MetricRegistry& registry);
  std::shared_ptr<AlertmanagerMetrics> Of(const std::string& url);

 private:
  explicit AlertmanagerMetricsTable(MetricRegistry& registry) : registry_(registry) {}
  void Release(const std::string& url);
  struct Entry {
    std::unique_ptr<AlertmanagerMetrics> metrics;
    size_t users = 0;
  };
  MetricRegistry& registry_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
};

}  // namespace epi::rules
