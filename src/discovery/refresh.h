// Discoveries that ask again and again: at once, then every interval. A failure keeps the targets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "discovery/discoverer.h"

namespace epi::discovery {

// One question. Called by one thread.
class Refresher {
 public:
  virtual ~Refresher() = default;
  // All groups there are; a source that was sent before and is missing keeps its targets, so whoever drops one sends it
  // empty.
  virtual Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) = 0;
};

// `mechanism` labels prometheus_sd_refresh_* and logs; the interval is milliseconds.
std::unique_ptr<Discoverer> MakeRefreshing(std::unique_ptr<Refresher> refresher, std::string mechanism,
                                           int64_t interval_ms, const DiscoveryParts& parts);

}  // namespace epi::discovery
