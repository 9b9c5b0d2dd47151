// The scrape module's own metrics, under Prometheus's names.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "telemetry/metrics.h"

namespace epi::scrape {

// Thread-safe; the registry outlives it.
class ScrapeMetrics {
 public:
  explicit ScrapeMetrics(MetricRegistry& registry);

  Counter& pools;
  Counter& pools_failed;
  Counter& pool_reloads;
  Counter& pool_reloads_failed;
  Counter& exceeded_target_limit;
  Counter& exceeded_label_limits;
  Counter& cache_flush_forced;
  Counter& exceeded_body_size_limit;
  Counter& exceeded_sample_limit;
  Counter& exceeded_bucket_limit;
  Counter& exemplar_out_of_order;
  Counter& duplicate_timestamp;
  Counter& out_of_bounds;
  Counter& out_of_order;
  Counter& refused_new_series;  // ours: by sample_limit_action drop_new
  Observer& scrape_duration;

  // Per interval, labelled with its text ("15s"). Looked up once a loop.
  struct IntervalMetrics {
    Observer* length;
    Observer* length_histogram;
  };
  IntervalMetrics ForInterval(const std::string& interval);

  // Per scrape job; exist as long as the pool.
  struct PoolMetrics {
    Counter* syncs;
    Counter* sync_failures;
    Gauge* targets;
    Gauge* target_limit;
    Gauge* symbol_table_items;
    Observer* sync_length;
    Observer* sync_length_histogram;
  };
  PoolMetrics ForPool(const std::string& job);
  void RemovePool(const std::string& job);
  Observer& ReloadLength(const std::string& interval);

 private:
  MetricRegistry& registry_;
};

}  // namespace epi::scrape
