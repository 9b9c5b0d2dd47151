// scrape_failure_log_file: one JSON line for each failed scrape.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/file_system.h"

namespace epi::scrape {

// One open file. Thread-safe.
class FailureLog {
 public:
  FailureLog(std::unique_ptr<File> file, Clock& clock) : file_(std::move(file)), clock_(clock) {}
  void Write(std::string_view error, std::string_view job_name, std::string_view target);

 private:
  std::mutex mutex_;
  std::unique_ptr<File> file_;  // guarded by mutex_
  Clock& clock_;
};

// Jobs that name the same file share it. Not thread-safe.
class FailureLogs {
 public:
  FailureLogs(FileSystem& files, Clock& clock) : files_(files), clock_(clock) {}
  // Null for an empty path.
  Result<std::shared_ptr<FailureLog>> Open(const std::string& path);
  // Forgets files that no job uses, and makes the next Open open its file again.
  void Reopen() { logs_.clear(); }

 private:
  FileSystem& files_;
  Clock& clock_;
  std::unordered_map<std::string, std::shared_ptr<FailureLog>> logs_;
};

}  // namespace epi::scrape
