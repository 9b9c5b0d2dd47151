// What a consumer of discoveries (the scrape manager, the notifier) tells of them.
#pragma once

#include <string>

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace epi::discovery {

// Thread-safe, as the registry is. `name`: "scrape" or "notify".
class ManagerMetrics {
 public:
  ManagerMetrics(MetricRegistry& registry, std::string name);

  Gauge& failed_configs;
  Counter& received;
  Counter& delayed;
  Counter& sent;
  // Of a job of the scrape configuration, or a section of the alerting one: what it was given last, and when.
  void Report(const std::string& config, size_t targets, TimestampMs now);
  void Forget(const std::string& config);

 private:
  MetricRegistry& registry_;
  const std::string name_;
};

}  // namespace epi::discovery
