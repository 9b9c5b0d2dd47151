// The targets of one scrape job and their loops.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "scrape/scrape_loop.h"

namespace epi::scrape {

using discovery::TargetGroups;

// Not thread-safe: the manager serialises. Loops run on their own.
class ScrapePool {
 public:
  ScrapePool(ScrapeContext& context, std::shared_ptr<const PoolSettings> settings);
  ~ScrapePool();

  // Makes the running loops those of these targets: new ones are started, those that are gone are stopped, all others
  // go on untouched.
  void Sync(TargetGroups groups);
  // Another configuration of the same job. Targets that are the same under it keep their schedule and, where lines
  // still mean the same, their caches.
  void Reload(std::shared_ptr<const PoolSettings> settings);
  void Stop(ScrapeLoop::StopReason reason);

  const PoolSettings& settings() const { return *settings_; }
  std::shared_ptr<const PoolSettings> shared_settings() const { return settings_; }
  struct RunningTarget {
    std::shared_ptr<ScrapeLoop> loop;
    DiscoveredTarget discovered;  // of several that come to the same target, the last
  };
  std::vector<RunningTarget> Running() const;  // by URL, then by labels
  const std::vector<DiscoveredTarget>& dropped() const { return dropped_; }
  uint64_t dropped_count() const { return dropped_count_; }

 private:
  void EnforceTargetLimit();

  ScrapeContext& context_;
  std::shared_ptr<const PoolSettings> settings_;
  ScrapeMetrics::PoolMetrics metrics_;
  TargetGroups groups_;
  std::unordered_map<uint64_t, RunningTarget> running_;               // by the target's hash
  std::unordered_map<uint64_t, std::weak_ptr<ScrapeLoop>> retiring_;  // stopped, stale markers not yet written
  std::vector<DiscoveredTarget> dropped_;
  uint64_t dropped_count_ = 0;
  bool over_limit_ = false;
};

}  // namespace epi::scrape
