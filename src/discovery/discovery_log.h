// The log of one discovery: its lines say of which kind it is and which job it was first made for, unless it was made
// for none.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/discoverer.h"
#include "telemetry/log.h"

namespace epi::discovery {

// Thread-safe.
class DiscoveryLog {
 public:
  DiscoveryLog(const DiscoveryParts& parts, std::string_view kind)
      : logger_(parts.logger), kind_(kind), config_(parts.set_name) {}
  void Debug(std::string_view msg, std::initializer_list<LogField> fields, LogSource source = {}) const {
    Write(LogLevel::kDebug, msg, fields, source);
  }
  void Warn(std::string_view msg, std::initializer_list<LogField> fields, LogSource source = {}) const {
    Write(LogLevel::kWarn, msg, fields, source);
  }
  void Error(std::string_view msg, std::initializer_list<LogField> fields, LogSource source = {}) const {
    Write(LogLevel::kError, msg, fields, source);
  }

 private:
  void Write(LogLevel level, std::string_view msg, std::initializer_list<LogField> fields, LogSource source) const {
    std::vector<LogField> all;
    if (!config_.empty()) all = {{"discovery", kind_}, {"config", config_}};
    all.insert(all.end(), fields.begin(), fields.end());
    logger_.Write(level, msg, all, source);
  }

  Logger logger_;
  std::string kind_;
  std::string config_;
};

}  // namespace epi::discovery
