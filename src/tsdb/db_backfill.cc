// Samples of any age into blocks beside the head.
#include <algorithm>

#include "tsdb/block/backfill.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int64_t kAheadMs = 10 * 60'000;  // as far as a scrape may be ahead of the clock

class DbBackfill final : public BackfillAppender {
 public:
  DbBackfill(std::unique_ptr<Backfill> backfill, Db& db) : backfill_(std::move(backfill)), db_(db) {}
  Result<void> Add(const Labels& labels, TimestampMs time, double value, TimestampMs start_time) override {
    return backfill_->Add(labels, time, value, start_time);
  }
  Result<void> AddHistogram(const Labels& labels, TimestampMs time, const Histogram& histogram,
                            TimestampMs start_time) override {
    return backfill_->AddHistogram(labels, time, histogram, start_time);
  }
  Result<void> AddHistogram(const Labels& labels, TimestampMs time, const FloatHistogram& histogram,
                            TimestampMs start_time) override {
    return backfill_->AddHistogram(labels, time, histogram, start_time);
  }
  Result<BackfillReport> Commit() override {
    auto report = backfill_->Commit();
    if (!report) return report;
    if (!report->blocks.empty()) EPI_TRY(db_.ReloadBlocks());
    return report;
  }

 private:
  const std::unique_ptr<Backfill> backfill_;
  Db& db_;
};

}  // namespace

Result<void> Db::ReloadBlocks() { return blocks_.Reload(log_bytes()); }

Result<std::unique_ptr<BackfillAppender>> Db::OpenBackfill(const BackfillOptions& options) {
  if (!ready()) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const TimestampMs now = deps_.clock.NowMs();
  TimestampMs newest = head_.max_time();
  const auto list = blocks_.blocks();
  for (const auto& block : *list) newest = std::max(newest, block->meta().max_time - 1);
  BackfillLayout layout;
  layout.ranges_ms = ExponentialRanges(options_.head.group.block_range_ms, options_.max_block_duration_ms);
  layout.settled = std::min(now, head_.min_time());
  layout.refuse_conflicts = false;
  layout.foreign = EncodeNativeMark({});
  layout.accepted.max = std::max(now, newest) + kAheadMs;
  // Retention counts from the newest block, so what lies so far behind it would go at the next look.
  const int64_t keep = blocks_.retention().duration_ms;
  if (keep > 0) layout.accepted.min = (newest == kNoTime ? now : newest) - keep;
  auto backfill =
      std::make_unique<Backfill>(deps_.fs, options_.directory, deps_.clock, deps_.random, std::move(layout), options);
  return std::unique_ptr<BackfillAppender>(std::make_unique<DbBackfill>(std::move(backfill), *this));
}

}  // namespace epi::tsdb
