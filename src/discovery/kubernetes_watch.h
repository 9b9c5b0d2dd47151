// Lists one kind of Kubernetes object and follows its changes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "discovery/api_client.h"
#include "discovery/discovery_log.h"
#include "discovery/kubernetes_targets.h"
#include "telemetry/metrics.h"

namespace epi::discovery {

// Takes what a watch sees. Called on the watch's thread.
class KubeChanges {
 public:
  virtual ~KubeChanges() = default;
  // All objects there are, after a list.
  virtual void Replaced(size_t watch, std::vector<KubeObject> objects) = 0;
  virtual void Changed(size_t watch, KubeObject object) = 0;
  virtual void Deleted(size_t watch, const std::string& key) = 0;
};

struct KubeWatch {
  size_t id = 0;  // given back with every change
  KubeKind kind = KubeKind::kPod;
  std::string name_space;  // empty: all
  std::string label_selector;
  std::string field_selector;
};

// Runs until `stop`: list in pages, watch from there, and again when the server has forgotten where we were or ends the
// watch. After a failure, and after a watch that was over within a second, it waits: at first 1 s, at most 30 s.
void RunKubeWatch(const KubeWatch& watch, const ApiClient& api, Clock& clock, const DiscoveryLog& logger,
                  Counter& failures, KubeChanges& changes, std::stop_token stop);

}  // namespace epi::discovery
