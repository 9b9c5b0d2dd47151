#include "tsdb/noted_log.h"

#include <algorithm>
#include <optional>

namespace epi::tsdb {
namespace {

// The times of samples that a batch brings or takes away.
std::optional<TimeRange> TouchedBy(const Batch& batch) {
  TimeRange range{std::numeric_limits<TimestampMs>::max(), std::numeric_limits<TimestampMs>::min()};
  const auto include = [&](TimestampMs min, TimestampMs max) {
    range.min = std::min(range.min, min);
    range.max = std::max(range.max, max);
  };
  if (!batch.series.empty()) include(batch.time, batch.time);
  if (!batch.timed.empty()) include(batch.timed.front().time, batch.timed.back().time);
  for (const auto& row : batch.histograms) include(row.time, row.time);
  for (const auto& row : batch.tombstones) include(row.min, row.max);
  if (range.min > range.max) return std::nullopt;
  return range;
}

}  // namespace

Result<CommitLog::Appended> NotedLog::Append(const Batch& batch, LayoutChain& chain) {
  const auto touched = TouchedBy(batch);
  if (!touched) return log_.Append(batch, chain);
  const uint64_t ticket = changes_.Begin(*touched);
  auto appended = log_.Append(batch, chain);
  if (!appended) {
    changes_.End(ticket);
    return appended;
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  tickets_.emplace_back(appended->lsn, ticket);
  return appended;
}

Result<void> NotedLog::AwaitWritten(uint64_t lsn) {
  auto written = log_.AwaitWritten(lsn);
  std::optional<uint64_t> ticket;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto at = std::find_if(tickets_.begin(), tickets_.end(), [&](const auto& t) { return t.first == lsn; });
    if (at != tickets_.end()) {
      ticket = at->second;
      *at = tickets_.back();
      tickets_.pop_back();
    }
  }
  if (ticket) changes_.End(*ticket);
  return written;
}

}  // namespace epi::tsdb
