// One running service discovery: a file a kind, started through the table in discoverer.cc.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "config/discovery_config.h"
#include "discovery/target_group.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::net {
class HttpClient;
}

namespace epi::discovery {

// Takes what a discovery finds. Thread-safe; never blocks for long.
class TargetGroupSink {
 public:
  virtual ~TargetGroupSink() = default;
  // Whole groups: each replaces the one with its source; one without targets removes it.
  virtual void Update(std::vector<TargetGroup> groups) = 0;
};

// Owned and run by one thread.
class Discoverer {
 public:
  virtual ~Discoverer() = default;
  // Runs until `stop` asks to end; returns soon then, also out of a request in flight. Returning earlier (a fixed list)
  // keeps what was sent.
  virtual void Run(TargetGroupSink& sink, std::stop_token stop) = 0;
};

// What a discovery is made of. All outlive it.
struct DiscoveryParts {
  net::HttpClient& http;
  FileSystem& files;
  Clock& clock;
  Logger logger;
  MetricRegistry& registry;
  std::string set_name;         // the scrape job or Alertmanager section it was first made for; may be empty
  std::string resolver_config;  // path of resolv.conf; empty: the system's
};

// kUnsupported `service discovery of kind "x" is not built; …` for a kind that is only parsed; kInvalid when the
// configuration can never work (an unreadable CA file, for one).
Result<std::unique_ptr<Discoverer>> MakeDiscoverer(const config::SdConfig& config, const DiscoveryParts& parts);

// Names of the kinds that can be started, sorted.
std::vector<std::string_view> BuiltDiscoveries();

}  // namespace epi::discovery
