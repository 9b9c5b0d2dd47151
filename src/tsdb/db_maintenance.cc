// From the head to blocks, and what else happens to a database over time.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "telemetry/stopwatch.h"
#include "tsdb/compact/throttled_pace.h"
#include "tsdb/db.h"
#include "tsdb/head/block_cut.h"

namespace epi::tsdb {
namespace {

constexpr std::string_view kInBlocksName = "in-blocks";
constexpr uint32_t kInBlocksVersion = 1;
TimestampMs BlockStart(TimestampMs time, int64_t range) {
  const int64_t rest = time % range;
  return time - (rest < 0 ? rest + range : rest);
}

}  // namespace

// Where there is no head of ours yet, blocks of others say where it begins, as in Prometheus; later only our own word
// counts, for blocks may be put into the directory that never were in this head.
Result<Db::InBlocks> Db::LoadInBlocks(bool native_head) {
  InBlocks known;
  const auto content = deps_.fs.ReadFile(JoinPath(native_, kInBlocksName), 1 << 10);
  if (content) {
    ByteReader reader(*content);
    const uint32_t version = reader.Little32();
    const InBlocks stored{static_cast<TimestampMs>(reader.Little64()), reader.Little64()};
    const uint32_t checksum = reader.Little32();
    // Without it everything is replayed, and what is in blocks twice is merged: slow, not wrong.
    if (reader.ok() && version == kInBlocksVersion && checksum == Crc32c(std::string_view(*content).substr(0, 20)))
      known = stored;
  } else if (content.error().code() != ErrorCode::kNotFound) {
    return Fail(content.error());
  }
  const auto list = blocks_.blocks();
  for (const auto& block : *list) {
    const auto mark = NativeMarkOf(block->meta());
    if (mark && mark->until && mark->lsn > known.lsn) known = {std::max(known.time, *mark->until), mark->lsn};
    const auto head_end = HeadEndOf(block->meta());
    if (!native_head && head_end) known.time = std::max(known.time, *head_end);
  }
  return known;
}

Result<void> Db::StoreInBlocks() {
  std::string content;
  ByteWriter writer(content);
  writer.Little32(kInBlocksVersion);
  writer.Little64(static_cast<uint64_t>(in_blocks_.time));
  writer.Little64(in_blocks_.lsn);
  writer.Little32(Crc32c(content));
  return deps_.fs.WriteFileAtomically(JoinPath(native_, kInBlocksName), content);
}

void Db::SetFloatEncoding(ChunkEncoding encoding) {
  float_encoding_ = encoding;
  blocks_.SetFloatEncoding(encoding);
}

void Db::RunMaintenance() {
  MonotonicNs next = deps_.clock.Monotonic();
  bool snapshot_only = false;
  for (;;) {
    next = std::max(next + options_.maintenance_interval_ms * 1'000'000, deps_.clock.Monotonic());
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const bool woken = deps_.clock.WaitUntil(lock, wake_, next, [this] { return stopping_ || snapshot_wanted_; });
      if (stopping_) return;
      if (woken) next -= options_.maintenance_interval_ms * 1'000'000;  // the rest of the minute is still to come
      snapshot_only = std::exchange(snapshot_wanted_, false);
    }
    if (snapshot_only) {
      if (auto done = SnapshotHead(); !done)
        deps_.log.Error("Writing a snapshot failed", {{"err", done.error().message()}});
      continue;
    }
    if (auto done = Maintain(); !done)
      deps_.log.Error("Maintenance of the blocks failed", {{"err", done.error().message()}});
  }
}

void Db::Spill() {
  const std::lock_guard<std::mutex> lock(spill_mutex_);
  if (auto done = spill_.SpillAll(head_); !done) {
    deps_.log.Warn("Sealed samples stay in memory", {{"err", done.error().message()}});
  }
}

Result<void> Db::Maintain() {
  head_.SealIdle();
  Spill();
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  EPI_TRY(blocks_.Reload(log_bytes()));
  counters_.compactions_triggered.fetch_add(1, std::memory_order_relaxed);
  auto done = CompactAll();
  if (!done && done.error().code() != ErrorCode::kCanceled)
    counters_.compactions_failed.fetch_add(1, std::memory_order_relaxed);
  return done;
}

Result<void> Db::CompactAll() {
  EPI_TRY(TryTruncate());
  head_.Reclaim();
  EPI_TRY(blocks_.ApplyRetentionRules());
  const auto stopping = [this] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stopping_;
  };
  // Compaction makes way for the head's next block and for the end of the database; what it had is begun again.
  ThrottledPace pace(
      deps_.clock, [&] { return stopping() || (!truncate_pending_ && Cuttable()); },
      [this](MonotonicNs until) {
        std::unique_lock<std::mutex> lock(mutex_);
        deps_.clock.WaitUntil(lock, wake_, until, [this] { return stopping_; });
      });
  for (;;) {
    while (!truncate_pending_ && Cuttable()) EPI_TRY(CutHead(std::numeric_limits<TimestampMs>::max()));
    if (SnapshotDue()) {
      if (auto done = SnapshotHeadLocked(); !done)
        deps_.log.Error("Writing a snapshot failed", {{"err", done.error().message()}});
    }
    const auto compacted = blocks_.CompactOnce(log_bytes(), &pace);
    if (!compacted && compacted.error().code() != ErrorCode::kCanceled) return Fail(compacted.error());
    if (compacted ? !compacted->has_value() : stopping()) break;
  }
  blocks_.DropResident();
  return {};
}

BlockCutOptions Db::CutOptions(std::string foreign) const {
  return {.samples_per_chunk = options_.samples_per_chunk,
          .float_encoding = float_encoding_,
          .keep_start_times = options_.keep_start_times,
          .foreign = std::move(foreign),
          .histogram_start_times = options_.histogram_start_times,
          .observers = &observers_.chunks};
}

bool Db::Cuttable() const {
  if (head_.max_time() == kNoTime) return false;
  const int64_t range = options_.head.group.block_range_ms;
  return head_.max_time() - head_.min_time() > range / 2 * 3;
}

Result<void> Db::CutHead(TimestampMs limit) {
  const int64_t range = options_.head.group.block_range_ms;
  const MonotonicNs start = deps_.clock.Monotonic();
  const TimestampMs first = std::max(head_.min_time(), in_blocks_.time);
  const TimestampMs block_start = BlockStart(first, range);
  const TimestampMs end = std::min(block_start + range, limit);
  // No batch may bring samples before `end` any more, except late ones, which are told apart by their number.
  head_.SetMinValidTime(end);
  uint64_t lsn = 0;
  {
    const HeadView view(head_);
    lsn = view.visible();
    const TimestampMs oldest_late = head_.OldestLate(lsn);
    const TimestampMs from = oldest_late < first ? std::max(oldest_late, block_start) : first;
    const Ulid ulid = blocks_.NewUlid();
    const BlockCutOptions cut = CutOptions(EncodeNativeMark({lsn, end}));
    EPI_ASSIGN(const auto meta, [&] {
      const BlockWriteMeter::Scope metered(blocks_.meter());
      return CutBlock(deps_.fs, options_.directory, ulid, view, from, end, std::nullopt, cut);
    }());
    EPI_TRY(CutLate(view, block_start));
    deps_.log.Info("write block", {{"mint", from},
                                   {"maxt", end},
                                   {"ulid", meta ? ulid.ToString() : std::string("none")},
                                   {"duration_ms", (deps_.clock.Monotonic() - start) / 1'000'000}});
  }
  EPI_TRY(blocks_.Reload(log_bytes()));
  in_blocks_ = {end, lsn};
  EPI_TRY(StoreInBlocks());
  truncate_pending_ = true;
  return TryTruncate();
}

// Late samples of stretches that have blocks already: one more block each, merged by compaction.
Result<void> Db::CutLate(const HeadView& view, TimestampMs before) {
  const int64_t range = options_.head.group.block_range_ms;
  const TimestampMs oldest = head_.OldestLate(view.visible());
  if (oldest >= before) return {};
  for (TimestampMs at = BlockStart(oldest, range); at < before; at += range) {
    const BlockCutOptions cut = CutOptions(EncodeNativeMark({}));
    const BlockWriteMeter::Scope metered(blocks_.meter());
    EPI_TRY(CutBlock(deps_.fs, options_.directory, blocks_.NewUlid(), view, at, at + range,
                     std::string(kHintOutOfOrder), cut));
  }
  return {};
}

Result<void> Db::TryTruncate() {
  if (!truncate_pending_) return {};
  const MonotonicNs start = deps_.clock.Monotonic();
  if (!head_.TruncateBefore(in_blocks_.time, in_blocks_.lsn)) return {};
  observers_.head_gc.Observe(static_cast<double>(deps_.clock.Monotonic() - start) * 1e-9);
  truncate_pending_ = false;
  snapshot_outdated_ = true;
  auto done = TruncateLog();
  if (!done) counters_.head_truncations_failed.fetch_add(1, std::memory_order_relaxed);
  return done;
}

Result<void> Db::TruncateLog() {
  const Stopwatch watch(deps_.clock, observers_.wal_truncation);
  EPI_TRY(take_over_.RemoveMovedAside());
  EPI_TRY(RewriteUntimed());
  wal_.CutSegment();
  EPI_TRY(wal_.RemoveOldSegments(in_blocks_.time, in_blocks_.lsn));
  return series_log_.Compact(head_);
}

Result<void> Db::RewriteUntimed() {
  const Batch batch = head_.Untimed();
  if (batch.empty()) return {};
  LayoutChain none;
  EPI_ASSIGN(const auto appended, wal_.Append(batch, none));
  EPI_TRY(wal_.AwaitWritten(appended.lsn));
  // It stands for what the old segments say, so it must be durable before they go.
  return wal_.Sync();
}

Result<void> Db::Delete(std::span<const std::vector<Matcher>> matcher_sets, TimeRange range) {
  if (!ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  for (const auto& matchers : matcher_sets) {
    EPI_TRY(blocks_.Delete(matchers, range));
    EPI_TRY(head_.Delete(matchers, range));
  }
  return {};
}

Result<void> Db::CleanTombstones() {
  if (!ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  const Stopwatch watch(deps_.clock, observers_.tombstone_cleanup);
  return blocks_.CleanTombstones(log_bytes(), nullptr);
}

Result<std::string> Db::Snapshot(bool with_head) {
  if (!ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const std::lock_guard<std::mutex> exclusive(work_mutex_);
  const std::time_t seconds = deps_.clock.NowMs() / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char time[32];
  std::strftime(time, sizeof time, "%Y%m%dT%H%M%SZ", &parts);
  char name[64];
  std::snprintf(name, sizeof name, "%s-%016llx", time, static_cast<unsigned long long>(deps_.random.Next()));
  const std::string directory = JoinPath(JoinPath(options_.directory, "snapshots"), name);
  EPI_TRY(deps_.fs.CreateDirectories(directory));
  EPI_TRY(blocks_.Snapshot(directory));
  if (with_head && head_.max_time() != kNoTime) {
    const HeadView view(head_);
    const BlockCutOptions cut = CutOptions({});
    const BlockWriteMeter::Scope metered(blocks_.meter());
    const TimestampMs first = std::min(head_.min_time(), head_.OldestLate(view.visible()));
    EPI_TRY(CutBlock(deps_.fs, directory, blocks_.NewUlid(), view, first, head_.max_time() + 1, std::nullopt, cut));
  }
  return std::string(name);
}

}  // namespace epi::tsdb
