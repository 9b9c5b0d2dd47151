#include "discovery/manager_metrics.h"

namespace epi::discovery {
namespace {
constexpr const char* kTargets = "prometheus_sd_discovered_targets";
constexpr const char* kLastUpdate = "prometheus_sd_last_update_timestamp_seconds";
}  // namespace

ManagerMetrics::ManagerMetrics(MetricRegistry& registry, std::string name)
    : failed_configs(registry.AddGauge("prometheus_sd_failed_configs",
                                       "Current number of service discovery configurations that failed to load.",
                                       {{"name", name}})),
      received(registry.AddCounter("prometheus_sd_received_updates_total",
                                   "Total number of update events received from the SD providers.", {{"name", name}})),
      delayed(registry.AddCounter("prometheus_sd_updates_delayed_total",
                                  "Total number of update events that couldn't be sent immediately.",
                                  {{"name", name}})),
      sent(registry.AddCounter("prometheus_sd_updates_total", "Total number of update events sent to the SD consumers.",
                               {{"name", name}})),
      registry_(registry),
      name_(std::move(name)) {}

void ManagerMetrics::Report(const std::string& config, size_t targets, TimestampMs now) {
  const MetricLabels labels = {{"name", name_}, {"config", config}};
  registry_.AddGauge(kTargets, "Current number of discovered targets.", labels).Set(static_cast<double>(targets));
  registry_.AddGauge(kLastUpdate, "Timestamp of the last update sent to the SD consumers.", labels)
      .Set(static_cast<double>(now) / 1000);
}

void ManagerMetrics::Forget(const std::string& config) {
  for (const char* family : {kTargets, kLastUpdate}) registry_.Remove(family, {{"name", name_}, {"config", config}});
}

}  // namespace epi::discovery
