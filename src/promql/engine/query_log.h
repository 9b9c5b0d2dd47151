// The file that every query is written to, one JSON line each, in the shape of Prometheus's query log.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "promql/engine/active_queries.h"
#include "promql/engine/result.h"
#include "telemetry/metrics.h"

namespace epi::promql {

struct QueryLogEntry {
  std::string text;
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step_ms = 0;
  const Error* error = nullptr;
  QueryStats stats;
  const QueryOrigin* origin = nullptr;
};

// Thread-safe.
class QueryLog {
 public:
  // All outlive it; `metrics` may be null.
  QueryLog(FileSystem& files, Clock& clock, MetricRegistry* metrics);

  // Begins or goes on with this file, opened anew even when it has the same name, so that a moved one is let go. Empty:
  // no log. On an error the log stays as it was.
  Result<void> SetFile(const std::string& path);
  bool enabled() const;
  // Failures are counted, not reported.
  void Write(const QueryLogEntry& entry);

 private:
  FileSystem& files_;
  Clock& clock_;
  Gauge* enabled_metric_ = nullptr;
  Counter* failures_ = nullptr;
  mutable std::mutex mutex_;
  std::unique_ptr<File> file_;  // guarded by mutex_
};

// The line, without its end.
std::string FormatQueryLogEntry(const QueryLogEntry& entry, TimestampMs now);

}  // namespace epi::promql
