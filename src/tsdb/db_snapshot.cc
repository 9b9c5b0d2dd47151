// The head's snapshot in the life of the database.
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {
constexpr std::string_view kHeadSnapshotDirectory = "snapshot";
}

Result<void> Db::LoadSnapshot(ThreadPool* pool) {
  Group::ImageContext context;
  context.open_runs = [this](uint64_t number, uint64_t size) { return spill_.OpenExisting(number, size); };
  context.in_blocks_time = in_blocks_.time;
  context.in_blocks_lsn = in_blocks_.lsn;
  EPI_ASSIGN(SnapshotLoad load,
             LoadHeadSnapshot(deps_.fs, JoinPath(native_, kHeadSnapshotDirectory), head_, context, pool));
  for (const auto& refused : load.refused) {
    snapshot_errors_.fetch_add(1, std::memory_order_relaxed);
    deps_.log.Error("Failed to load the snapshot of the head, replaying the WAL instead", {{"err", refused}});
  }
  next_snapshot_ = load.next_number;
  loaded_snapshot_ = load.point;
  loaded_contents_ = std::move(load.contents);
  snapshot_time_.store(deps_.clock.Monotonic(), std::memory_order_relaxed);
  if (!load.point) return {};
  last_snapshot_ = *load.point;
  deps_.log.Info("Snapshot of the head loaded", {{"number", load.point->number}, {"lsn", load.point->floor_lsn}});
  return {};
}

uint64_t Db::SamplesAppended() const {
  const HeadCounters::ByType& appended = head_.counters().appended;
  return appended.floats.load(std::memory_order_relaxed) + appended.histograms.load(std::memory_order_relaxed);
}

bool Db::SnapshotDue() const {
  const uint64_t samples = SamplesAppended() - snapshot_samples_.load(std::memory_order_relaxed);
  if (samples == 0) return false;
  return samples >= options_.head_snapshot_samples ||
         deps_.clock.Monotonic() - snapshot_time_.load(std::memory_order_relaxed) >=
             options_.head_snapshot_interval_ms * 1'000'000;
}

Result<void> Db::SyncForSnapshot() {
  EPI_TRY(series_log_.Flush());
  EPI_TRY(wal_.Sync());
  const std::lock_guard<std::mutex> lock(spill_mutex_);
  return spill_.Sync();
}

Result<void> Db::SnapshotHead() {
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  return SnapshotHeadLocked();
}

Result<void> Db::SnapshotHeadLocked() {
  // Nothing has happened since.
  const uint64_t newest = next_lsn_.load(std::memory_order_acquire) - 1;
  if (newest == 0 || (last_snapshot_.number != 0 && newest == last_snapshot_.highest_lsn && !snapshot_outdated_))
    return {};
  // Whatever comes of it: a disk that is full is not filled again at once.
  snapshot_samples_.store(SamplesAppended(), std::memory_order_relaxed);
  snapshot_time_.store(deps_.clock.Monotonic(), std::memory_order_relaxed);
  const MonotonicNs start = deps_.clock.Monotonic();
  Spill();
  EPI_ASSIGN(last_snapshot_, WriteHeadSnapshot({deps_.fs, JoinPath(native_, kHeadSnapshotDirectory), head_, wal_,
                                                next_lsn_, [this] { return SyncForSnapshot(); }},
                                               next_snapshot_++));
  snapshot_outdated_ = false;
  deps_.log.Info("Snapshot of the head written", {{"number", last_snapshot_.number},
                                                  {"bytes", last_snapshot_.bytes},
                                                  {"duration_ms", (deps_.clock.Monotonic() - start) / 1'000'000}});
  return {};
}

}  // namespace epi::tsdb
