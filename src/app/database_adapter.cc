#include "app/database_adapter.h"

#include <algorithm>

namespace epi::app {
namespace {

web::NamedCounts Named(const std::vector<tsdb::NamedCount>& counts) {
  web::NamedCounts out;
  out.reserve(counts.size());
  for (const auto& count : counts) out.emplace_back(count.name, count.count);
  return out;
}

std::vector<web::NamedCost> Largest(const std::map<std::string, tsdb::Cost, std::less<>>& costs, size_t limit) {
  std::vector<web::NamedCost> out;
  out.reserve(costs.size());
  for (const auto& [name, cost] : costs) out.push_back({name, cost.count, cost.memory_bytes, cost.disk_bytes});
  std::stable_sort(out.begin(), out.end(), [](const web::NamedCost& a, const web::NamedCost& b) {
    return a.memory_bytes + a.disk_bytes > b.memory_bytes + b.disk_bytes;
  });
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace

Result<web::DatabaseStatus> DatabaseAdapter::Status(size_t limit) const {
  if (!db_.ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  tsdb::HeadStatus head = db_.Status(limit);
  // A head without samples begins where the blocks end.
  if (const auto blocks = db_.blocks().blocks(); head.min_time > head.max_time && !blocks->empty()) {
    for (const auto& block : *blocks) head.max_time = std::max(head.max_time, block->meta().max_time);
    head.min_time = head.max_time;
  }
  return web::DatabaseStatus{.series = head.series,
                             .label_pairs = head.label_pairs,
                             .chunks = head.chunks,
                             .min_time = head.min_time,
                             .max_time = head.max_time,
                             .series_by_metric = Named(head.series_by_metric),
                             .values_by_label = Named(head.values_by_label),
                             .bytes_by_label = Named(head.bytes_by_label),
                             .series_by_pair = Named(head.series_by_pair)};
}

Result<web::DatabaseCost> DatabaseAdapter::Cost(size_t limit) const {
  EPI_ASSIGN(const tsdb::CostTable table, db_.CostByName());
  return web::DatabaseCost{.metrics = Largest(table.metrics, limit), .labels = Largest(table.labels, limit)};
}

Result<std::vector<std::string>> DatabaseAdapter::BlockMetas() const {
  if (!db_.ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  std::vector<std::string> out;
  const auto blocks = db_.blocks().blocks();
  for (const auto& block : *blocks) out.push_back(tsdb::EncodeBlockMeta(block->meta()));
  return out;
}

web::ReplayProgress DatabaseAdapter::Replay() const {
  const auto& progress = db_.replay_progress();
  const auto number = [](const std::atomic<uint64_t>& n) {
    return static_cast<int64_t>(n.load(std::memory_order_relaxed));
  };
  return {number(progress.min), number(progress.max), number(progress.current)};
}

Result<void> DatabaseAdapter::DeleteSeries(std::span<const std::vector<Matcher>> matcher_sets, TimeRange range) {
  return db_.Delete(matcher_sets, range);
}
Result<void> DatabaseAdapter::CleanTombstones() { return db_.CleanTombstones(); }
Result<std::string> DatabaseAdapter::Snapshot(bool with_head) { return db_.Snapshot(with_head); }

}  // namespace epi::app
