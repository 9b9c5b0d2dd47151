// Taking a directory over from Prometheus, and giving it back.
#include <algorithm>

#include "tsdb/block/backfill.h"
#include "tsdb/db.h"
#include "tsdb/import/head_import.h"
#include "tsdb/import/prometheus_head.h"

namespace epi::tsdb {

Result<void> Db::ImportForeignHead() {
  deps_.log.Info("Taking over the head of Prometheus", {{"dir", options_.directory}});
  const MonotonicNs start = deps_.clock.Monotonic();
  BackfillLayout layout;
  layout.ranges_ms = {options_.head.group.block_range_ms};
  layout.refuse_conflicts = false;
  layout.hint = std::string(kHintOutOfOrder);
  layout.foreign = EncodeNativeMark({});
  Backfill late(deps_.fs, options_.directory, deps_.clock, deps_.random, std::move(layout));
  HeadImport sink(head_, late, in_blocks_.time, [this] { Spill(); });
  ImportOptions options;
  options.min_valid_time = in_blocks_.time;
  options.progress = [this](uint64_t done, uint64_t total) {
    progress_.max.store(total);
    progress_.current.store(done);
  };
  EPI_ASSIGN(const ImportReport report, ImportPrometheusHead(deps_.fs, options_.directory, options, sink, deps_.log));
  EPI_ASSIGN(const BackfillReport late_report, late.Commit());
  if (!late_report.blocks.empty()) EPI_TRY(blocks_.Reload(0));
  corruptions_.fetch_add((report.wal_damage.empty() ? 0 : 1) + (report.late_log_damage.empty() ? 0 : 1) +
                             (report.chunks_damage.empty() ? 0 : 1),
                         std::memory_order_relaxed);
  // From here on our files say everything; then the others may go.
  EPI_TRY(StoreInBlocks());
  EPI_TRY(wal_.Sync());
  EPI_TRY(take_over_.Finish());
  deps_.log.Info("The head of Prometheus was taken over",
                 {{"series", report.series},
                  {"samples", sink.stored()},
                  {"late_samples", late_report.stored},
                  {"chunks", report.chunks},
                  {"refused", sink.refused()},
                  {"unknown_refs", report.unknown_refs},
                  {"dropped_histograms", report.dropped_histograms},
                  {"moved_aside", JoinPath(native_, kTakenOverName)},
                  {"duration", static_cast<double>(deps_.clock.Monotonic() - start) * 1e-9}});
  return {};
}

// Another server that cut a block after our newest sample went on with the directory while our log slept.
Result<void> Db::CheckForeignBlocks(TimestampMs newest) const {
  const auto list = blocks_.blocks();
  for (const auto& block : *list) {
    const BlockMeta& meta = block->meta();
    if (NativeMarkOf(meta) || !HeadEndOf(meta) || meta.min_time <= newest) continue;
    return Fail(ErrorCode::kInvalid, "data directory " + options_.directory + " holds block " + meta.ulid.ToString() +
                                         ", which another server wrote and which is newer than everything in the log "
                                         "of this server: run \"epitool tsdb flush-head " +
                                         options_.directory + "\" to make blocks of the log, then start again");
  }
  return {};
}

Result<Db::Flushed> Db::FlushHead() {
  if (!ready_.exchange(false)) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  const size_t before = blocks_.blocks()->size();
  Flushed out;
  if (head_.max_time() != kNoTime) {
    // The last block ends behind the last sample, not at its bound: what comes next must not be too old.
    const TimestampMs end = head_.max_time() + 1;
    while (std::max(head_.min_time(), in_blocks_.time) < end) {
      const TimestampMs reached = in_blocks_.time;
      EPI_TRY(CutHead(end));
      if (truncate_pending_) return Fail(ErrorCode::kUnavailable, "the head is still being read");
      if (in_blocks_.time <= reached) break;
    }
    const HeadView view(head_);
    EPI_TRY(CutLate(view, end));
  }
  EPI_TRY(blocks_.Reload(0));
  EPI_TRY(wal_.Sync());
  out.blocks = blocks_.blocks()->size() - before;
  EPI_TRY(RemoveNativeHead(deps_.fs, native_));
  return out;
}

}  // namespace epi::tsdb
