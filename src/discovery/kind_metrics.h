// The metrics of each kind of discovery, shared by all discoveries of the kind.
#pragma once

#include <string>

#include "discovery/kubernetes_targets.h"
#include "telemetry/metrics.h"

namespace epi::discovery {

struct ConsulMetrics {
  explicit ConsulMetrics(MetricRegistry& registry);
  Counter& failures;
  Observer& services_duration;
  Observer& service_duration;
};

struct DnsMetrics {
  explicit DnsMetrics(MetricRegistry& registry);
  Counter& lookups;
  Counter& failures;
};

// Beside the times of the files, which are there as long as the files are.
struct FileMetrics {
  explicit FileMetrics(MetricRegistry& registry);
  Counter& read_errors;
  Counter& watcher_errors;
  Observer& scan_duration;
};

Counter& HttpFailures(MetricRegistry& registry);
Counter& NomadFailures(MetricRegistry& registry);
Counter& KubernetesFailures(MetricRegistry& registry);

// What a watch of one kind of object saw. Kinds without a role of their own count for none.
struct KubernetesEvents {
  KubernetesEvents(MetricRegistry& registry, KubeKind kind);
  Counter* added = nullptr;
  Counter* updated = nullptr;
  Counter* deleted = nullptr;
};

// Makes the families of all kinds that Prometheus 3.14 has, those that are not built here included: it exposes them
// from the start, whatever the configuration uses (prometheus-surface.md, "Service discovery").
void RegisterKindMetrics(MetricRegistry& registry);

}  // namespace epi::discovery
