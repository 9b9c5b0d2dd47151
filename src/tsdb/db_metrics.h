// The database's own metrics, under Prometheus's names.
#pragma once

#include <functional>
#include <memory>

#include "telemetry/metrics.h"
#include "tsdb/block/block_writer.h"

namespace epi::tsdb {

class Db;

// What is measured when it happens; everything else is read when it is asked for.
struct DbObservers {
  // The registry outlives it. `late_samples`: a window for them is configured.
  DbObservers(MetricRegistry& registry, bool late_samples);
  Observer& compaction;  // seconds, as all but the chunks
  ChunkObservers chunks;
  Observer& stale_series_compaction;
  Observer& tombstone_cleanup;
  Observer& head_gc;
  Observer& wal_truncation;
  Observer& wal_sync;
  Observer& late;
};

// Thread-safe. Calls `use` while the database is open, not at all afterwards.
class DbMetricsSource {
 public:
  virtual ~DbMetricsSource() = default;
  virtual void WithDb(const std::function<void(const Db&)>& use) = 0;
};

// What has no counterpart here says 0 or the nearest there is: docs/metrics.md.
void RegisterDbMetrics(MetricRegistry& registry, std::shared_ptr<DbMetricsSource> source);

}  // namespace epi::tsdb
