// The moving parts of the server as a table: started in order, stopped from last to first, told of each new
// configuration.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_runtime.h"
#include "base/clock.h"
#include "base/result.h"
#include "telemetry/log.h"

namespace epi::app {

struct Component {
  std::string_view name;                                   // as reload logs name it
  std::function<Result<void>()> start;                     // empty: nothing to start
  std::function<Result<void>(const LoadedConfig&)> apply;  // empty: nothing to reload
  std::function<void()> stop;                              // idempotent; empty: nothing to stop
  std::string_view stopping = {};                          // lines of the log before and after it stops; empty: none
  std::string_view stopped = {};
};

// Not thread-safe.
class Components {
 public:
  Components(Clock& clock, Logger logger) : clock_(clock), logger_(std::move(logger)) {}
  ~Components() { Stop(); }
  Components(const Components&) = delete;
  Components& operator=(const Components&) = delete;
  // Starts it; only a started component is kept and will be stopped.
  Result<void> Add(Component component);
  // Hands the configuration to every component, in order, also after one has refused it. kInvalid when one has.
  Result<void> Apply(const LoadedConfig& config, std::string_view file);
  void Stop();

 private:
  Clock& clock_;
  Logger logger_;
  std::vector<Component> started_;
};

}  // namespace epi::app
