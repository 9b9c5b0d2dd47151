// What was asked of admin routes, by whom, and what came of it.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "net/http_message.h"
#include "telemetry/log.h"

namespace epi::app {

// Thread-safe. Every record goes to the server's log; where a file is named, also there, as one line of JSON, synced
// before the call returns.
class AuditLog {
 public:
  // `file_name` says where records go now; empty: to the log only. It may be another file at every call.
  AuditLog(std::function<std::string()> file_name, FileSystem& files, Clock& clock, Logger logger);
  void Note(const net::Request& request, int status);

 private:
  Result<void> Append(const std::string& path, std::string_view line);

  const std::function<std::string()> file_name_;
  FileSystem& files_;
  Clock& clock_;
  Logger logger_;
  std::mutex mutex_;
};

}  // namespace epi::app
