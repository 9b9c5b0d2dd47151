#include "discovery/kind_metrics.h"

#include <utility>

namespace epi::discovery {
namespace {

const std::vector<double> kQuantiles = {0.5, 0.9, 0.99};

Observer& ConsulDuration(MetricRegistry& registry, const std::string& call) {
  return registry.AddSummary("prometheus_sd_consul_rpc_duration_seconds",
                             "The duration of a Consul RPC call in seconds.", kQuantiles,
                             {{"endpoint", "catalog"}, {"call", call}});
}

Counter& KubernetesEvent(MetricRegistry& registry, const std::string& role, const std::string& event) {
  return registry.AddCounter("prometheus_sd_kubernetes_events_total", "The number of Kubernetes events handled.",
                             {{"event", event}, {"role", role}});
}

constexpr std::pair<KubeKind, const char*> kRoles[] = {
    {KubeKind::kEndpoints, "endpoints"},
    {KubeKind::kEndpointSlice, "endpointslice"},
    {KubeKind::kIngress, "ingress"},
    {KubeKind::kNode, "node"},
    {KubeKind::kPod, "pod"},
    {KubeKind::kService, "service"},
};

// Kinds that are not built here count nothing.
void RegisterOtherKinds(MetricRegistry& registry) {
  registry.AddCounter("prometheus_sd_azure_failures_total", "Number of Azure service discovery refresh failures.");
  registry.AddCounter("prometheus_sd_azure_cache_hit_total", "Number of cache hit during refresh.");
  registry.AddCounter("prometheus_sd_linode_failures_total", "Number of Linode service discovery refresh failures.");
  registry.AddCounter("prometheus_sd_kuma_fetch_failures_total", "The number of Kuma MADS fetch call failures.");
  registry.AddCounter("prometheus_sd_kuma_fetch_skipped_updates_total",
                      "The number of Kuma MADS fetch calls that result in no updates to the targets.");
  registry.AddSummary("prometheus_sd_kuma_fetch_duration_seconds", "The duration of a Kuma MADS fetch call.",
                      kQuantiles);
  registry.AddGauge("prometheus_treecache_watcher_goroutines", "The current number of watcher goroutines.");
  registry.AddCounter("prometheus_treecache_zookeeper_failures_total", "The total number of ZooKeeper failures.");
}

}  // namespace

ConsulMetrics::ConsulMetrics(MetricRegistry& registry)
    : failures(
          registry.AddCounter("prometheus_sd_consul_rpc_failures_total", "The number of Consul RPC call failures.")),
      services_duration(ConsulDuration(registry, "services")),
      service_duration(ConsulDuration(registry, "service")) {}

DnsMetrics::DnsMetrics(MetricRegistry& registry)
    : lookups(registry.AddCounter("prometheus_sd_dns_lookups_total", "The number of DNS-SD lookups.")),
      failures(
          registry.AddCounter("prometheus_sd_dns_lookup_failures_total", "The number of DNS-SD lookup failures.")) {}

FileMetrics::FileMetrics(MetricRegistry& registry)
    : read_errors(registry.AddCounter("prometheus_sd_file_read_errors_total", "The number of File-SD read errors.")),
      watcher_errors(registry.AddCounter("prometheus_sd_file_watcher_errors_total",
                                         "The number of File-SD errors caused by filesystem watch failures.")),
      scan_duration(registry.AddSummary("prometheus_sd_file_scan_duration_seconds",
                                        "The duration of the File-SD scan in seconds.", kQuantiles)) {}

Counter& HttpFailures(MetricRegistry& registry) {
  return registry.AddCounter("prometheus_sd_http_failures_total", "Number of HTTP service discovery refresh failures.");
}

Counter& NomadFailures(MetricRegistry& registry) {
  return registry.AddCounter("prometheus_sd_nomad_failures_total",
                             "Number of nomad service discovery refresh failures.");
}

Counter& KubernetesFailures(MetricRegistry& registry) {
  return registry.AddCounter("prometheus_sd_kubernetes_failures_total", "The number of failed WATCH/LIST requests.");
}

KubernetesEvents::KubernetesEvents(MetricRegistry& registry, KubeKind kind) {
  for (const auto& [role_kind, role] : kRoles) {
    if (role_kind != kind) continue;
    added = &KubernetesEvent(registry, role, "add");
    updated = &KubernetesEvent(registry, role, "update");
    deleted = &KubernetesEvent(registry, role, "delete");
  }
}

void RegisterKindMetrics(MetricRegistry& registry) {
  static_cast<void>(ConsulMetrics(registry));
  static_cast<void>(DnsMetrics(registry));
  static_cast<void>(FileMetrics(registry));
  HttpFailures(registry);
  NomadFailures(registry);
  KubernetesFailures(registry);
  for (const auto& [kind, role] : kRoles) static_cast<void>(KubernetesEvents(registry, kind));
  RegisterOtherKinds(registry);
}

}  // namespace epi::discovery
