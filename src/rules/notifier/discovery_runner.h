// The discoveries of one section, each on a thread of its own, merged into one list of target groups.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/discovery_config.h"
#include "discovery/discoverer.h"

namespace epi::rules {

// Thread-safe.
class DiscoveryRunner {
 public:
  using OnChange = std::function<void(const discovery::TargetGroups& groups)>;
  // Starts the discoveries; `on_change` is called from their threads, one at a time. Kinds that cannot run are logged
  // and left out.
  DiscoveryRunner(const config::SdConfigs& configs, const discovery::DiscoveryParts& parts, OnChange on_change);
  ~DiscoveryRunner();  // stops and joins

 private:
  class Sink;
  void Update(size_t provider, std::vector<discovery::TargetGroup> groups);

  OnChange on_change_;
  std::mutex mutex_;
  // By provider and source; guarded by mutex_.
  std::map<std::pair<size_t, std::string>, std::shared_ptr<const discovery::TargetGroup>> groups_;
  std::vector<std::unique_ptr<discovery::Discoverer>> discoverers_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::vector<std::jthread> threads_;
};

}  // namespace epi::rules
