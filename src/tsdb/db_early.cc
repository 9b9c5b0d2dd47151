// What is appended before the head is there.
#include <algorithm>

#include "tsdb/db.h"
#include "tsdb/early/early_merge.h"

namespace epi::tsdb {

// A directory that another version of this server wrote is refused before anything is written to it.
Result<void> Db::CheckLogVersions() const {
  EPI_TRY(CheckVersions(deps_.fs, JoinPath(native_, "series"), kSeriesLogSuffix, RecordFileKind::kSeriesLog));
  EPI_TRY(CheckVersions(deps_.fs, JoinPath(native_, "wal"), kWalSuffix, RecordFileKind::kWal));
  return CheckVersions(deps_.fs, JoinPath(native_, kEarlyName), kEarlySuffix, RecordFileKind::kEarly);
}

// Nothing is taken while the start may still refuse the directory: when blocks of another server are there that may be
// newer than everything in the log, which only the replay tells.
Result<void> Db::OpenEarly() {
  if (options_.take_over && !CheckForeignBlocks(in_blocks_.time)) return {};
  const std::string directory = JoinPath(native_, kEarlyName);
  uint64_t next = 1;
  for (const std::string_view suffix : {kEarlySuffix, kMergeMarkSuffix}) {
    EPI_ASSIGN(const auto numbers, ListNumbered(deps_.fs, directory, suffix));
    if (!numbers.empty()) next = std::max(next, numbers.back() + 1);
  }
  early_.Open(next);
  const std::lock_guard<std::mutex> lock(mutex_);
  wake_.notify_all();
  return {};
}

// Before the head is ready: no view sees it without what was acknowledged.
Result<void> Db::MergeEarly() {
  const MonotonicNs start = deps_.clock.Monotonic();
  const std::string directory = JoinPath(native_, kEarlyName);
  const uint64_t in_log =
      std::max({report_.highest_lsn, in_blocks_.lsn, loaded_snapshot_ ? loaded_snapshot_->highest_lsn : 0});
  EarlyMerge merge({deps_.fs, head_, next_lsn_, directory, JoinPath(native_, "damaged"), [this] { Spill(); }}, in_log);
  EPI_ASSIGN(const auto left_over, ListNumbered(deps_.fs, directory, kEarlySuffix));
  for (const uint64_t number : left_over) {
    if (number != early_.number()) EPI_TRY(merge.MergeFile(number));
  }
  EPI_TRY(early_.HandOver(merge));
  if (!merge.merged_any()) return {};
  // Only when the log has it for good may the files go; until then the next start takes what is missing.
  if (auto synced = wal_.Sync(); !synced) {
    deps_.log.Error("Syncing the WAL failed; it goes on in a new segment", {{"err", synced.error().message()}});
  } else if (auto removed = merge.RemoveFiles(); !removed) {
    deps_.log.Warn("Files of the early log stay until the next start", {{"err", removed.error().message()}});
  }
  const EarlyMergeReport& report = merge.report();
  ReportDamage(report.damage);
  deps_.log.Info("What arrived during the WAL replay was appended",
                 {{"batches", report.batches},
                  {"samples", report.samples},
                  {"refused", report.refused},
                  {"lost", report.lost},
                  {"duration", static_cast<double>(deps_.clock.Monotonic() - start) * 1e-9}});
  return {};
}

}  // namespace epi::tsdb
