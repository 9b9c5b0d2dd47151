// Keeps answers of range queries, so that a dashboard that asks again, for the same time or a little later, has only
// the new steps computed.
//
// Exact: an answer is the same, values, series, warnings and infos, as without the cache. A kept step is used only
// while nothing it reads has changed (storage/change_log.h), and only of queries whose answer at a step depends on
// nothing but the step (reach.h). The newest minute is never kept: batches still come in. What is not the same:
// statistics and limits count what was evaluated, not what was kept.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "promql/cache/reach.h"
#include "promql/engine/engine.h"
#include "storage/change_log.h"

namespace epi::promql {

struct RangeCacheOptions {
  int64_t max_bytes = int64_t{32} << 20;  // of kept answers; 0 keeps none
  Clock* clock = nullptr;                 // required
  MetricRegistry* metrics = nullptr;      // epimetheus_query_cache_*; none: not counted
};

// Thread-safe.
class RangeCache {
 public:
  // The engine outlives the cache. There is one cache to one engine: its settings are part of what is kept.
  RangeCache(const Engine& engine, RangeCacheOptions options);
  ~RangeCache();
  RangeCache(const RangeCache&) = delete;
  RangeCache& operator=(const RangeCache&) = delete;

  // As engine.Run. `scope` tells apart callers for whom the same storage shows different series.
  Result<QueryResult> Run(const ParsedQuery& query, const QuerySpec& spec, const Storage& storage,
                          const QueryContext& context, std::string_view scope = {});

  struct Counts {
    uint64_t hits = 0;      // nothing was computed
    uint64_t partial = 0;   // some steps were kept
    uint64_t misses = 0;    // no step was
    uint64_t bypassed = 0;  // queries of which nothing may be kept
    uint64_t steps_kept = 0;
    uint64_t steps_computed = 0;
    uint64_t evicted = 0;
    int64_t bytes = 0;
    size_t entries = 0;
  };
  Counts counts() const;

 private:
  // A kept answer. Immutable, but for its place in the list.
  struct Entry {
    std::string key;
    const ChangeLog* changes = nullptr;
    uint64_t position = 0;  // of `changes`, when the answer was read
    TimestampMs first = 0;  // steps
    TimestampMs last = 0;
    bool by_labels = false;    // series were handed out in label order
    bool notes_exact = false;  // the notes are those of these steps; otherwise maybe of a few later ones too
    MatrixValue value;
    std::vector<std::string> warnings;
    std::vector<std::string> infos;
    int64_t bytes = 0;
  };
  using EntryPtr = std::shared_ptr<const Entry>;
  struct Evaluation;
  struct Metrics;

  static std::string KeyOf(const ParsedQuery& query, const QuerySpec& spec, int64_t default_step_ms,
                           std::string_view scope);
  Result<QueryResult> RunThrough(const Evaluation& evaluation) const;
  Result<QueryResult> RunWith(Evaluation& evaluation, const EntryPtr& entry);
  Result<QueryResult> RunAllAndKeep(Evaluation& evaluation);
  void Keep(const Evaluation& evaluation, const QueryResult& result);
  EntryPtr Find(const std::string& key);
  void Insert(EntryPtr entry);
  void Count(uint64_t Counts::*what, uint64_t by = 1);

  const Engine& engine_;
  const RangeCacheOptions options_;
  std::unique_ptr<Metrics> metrics_;
  mutable std::mutex mutex_;
  std::list<EntryPtr> entries_;                                            // guarded by mutex_; last used first
  std::unordered_map<std::string, std::list<EntryPtr>::iterator> by_key_;  // guarded by mutex_
  Counts counts_;                                                          // guarded by mutex_
};

}  // namespace epi::promql
