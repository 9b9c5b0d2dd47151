// A database in memory and an engine with a result cache over it, for comparing answers with and without the cache.
#pragma once

#include <memory>

#include "base/thread_pool.h"
#include "promql/cache/range_cache.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::naive {

class CacheWorld {
 public:
  explicit CacheWorld(TimestampMs now_ms, int64_t max_bytes = int64_t{32} << 20)
      : clock_(now_ms), random_(7), pool_(1) {
    tsdb::DbOptions options;
    options.directory = "/data";
    options.head.group.block_range_ms = 20 * 60 * 1000;
    options.head.group.phase_entries = 10;
    options.head.out_of_order_window_ms = 15 * 60 * 1000;
    options.max_block_duration_ms = 60 * 60 * 1000;
    db_ = *tsdb::Db::Open(options, {fs_, clock_, random_, Logger()});
    EPI_CHECK(db_->Load().has_value());
    promql::EngineOptions engine;
    engine.features.experimental_functions = true;
    engine.features.binop_fill_modifiers = true;
    engine.pool = &pool_;
    engine.threads = 2;
    engine_ = std::make_unique<promql::Engine>(engine);
    cache_ = std::make_unique<promql::RangeCache>(*engine_, promql::RangeCacheOptions{max_bytes, &clock_, nullptr});
  }

  tsdb::Db& db() { return *db_; }
  testing::SimulatedClock& clock() { return clock_; }
  const promql::Engine& engine() const { return *engine_; }
  promql::RangeCache& cache() { return *cache_; }

  Result<promql::QueryResult> Cached(const promql::QuerySpec& spec) {
    EPI_ASSIGN(const auto query, engine_->Parse(spec.text));
    return cache_->Run(*query, spec, *db_, {});
  }
  Result<promql::QueryResult> Direct(const promql::QuerySpec& spec) { return engine_->Run(spec, *db_); }

 private:
  testing::MemoryFileSystem fs_;
  testing::SimulatedClock clock_;
  SeededRandom random_;
  ThreadPool pool_;
  std::unique_ptr<tsdb::Db> db_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<promql::RangeCache> cache_;
};

}  // namespace epi::naive
