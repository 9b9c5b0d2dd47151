// All service discoveries of a set of jobs: equal configurations run once, a reload touches only what changed, and
// updates are handed on as whole sets, not too often.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "config/discovery_config.h"
#include "discovery/discoverer.h"

namespace epi::discovery {

// Every job's targets; a job without any has an empty list.
using TargetSets = std::map<std::string, TargetGroups>;

struct DiscoveryManagerOptions {
  std::string name = "scrape";        // label of the metrics: "scrape" or "notify"
  int64_t max_update_wait_ms = 5000;  // between updates in a busy time; the first comes after 100 ms
};

// Thread-safe.
class DiscoveryManager {
 public:
  // `receive` is called on the manager's thread with all sets, never two at a time. `parts.set_name` is not used.
  DiscoveryManager(DiscoveryParts parts, DiscoveryManagerOptions options, std::function<void(TargetSets)> receive);
  ~DiscoveryManager();  // Stop

  // Makes these the jobs. Discoveries that are still wanted keep running. One that cannot be made is logged and counted
  // in prometheus_sd_failed_configs; the others run. Returns how many failed.
  size_t ApplyConfig(const std::map<std::string, config::SdConfigs>& jobs);
  // Ends all discoveries and calls to `receive`; returns when their threads have ended.
  void Stop();
  // Discoveries running or ended by themselves, for tests and status.
  size_t provider_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace epi::discovery
