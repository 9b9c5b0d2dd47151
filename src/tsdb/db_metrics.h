// The database's own metrics, under Prometheus's names.
#pragma once

#include <functional>
#include <memory>

#include "telemetry/metrics.h"

namespace epi::tsdb {

class Db;

// Thread-safe. Calls `use` while the database is open, not at all afterwards.
class DbMetricsSource {
 public:
  virtual ~DbMetricsSource() = default;
  virtual void WithDb(const std::function<void(const Db&)>& use) = 0;
};

void RegisterDbMetrics(MetricRegistry& registry, std::shared_ptr<DbMetricsSource> source);

}  // namespace epi::tsdb
