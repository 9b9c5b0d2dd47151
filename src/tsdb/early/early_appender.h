// A writer of a group that came before the head: to the early log first, later to the head.
#pragma once

#include <memory>
#include <vector>

#include "storage/appender.h"
#include "tsdb/early/early_log.h"
#include "tsdb/early/early_record.h"

namespace epi::tsdb {

// Refs that it gave before the head took over stay good: they are translated. Until then every batch is accepted as a
// whole, Find knows nothing, and what the head will refuse is counted there.
class EarlyAppender final : public BatchAppender {
 public:
  // `number`: of the group in the log. The log outlives it.
  EarlyAppender(EarlyLog& log, std::shared_ptr<EarlyGroup> group, uint32_t number)
      : log_(log), group_(std::move(group)), number_(number) {}
  ~EarlyAppender() override { log_.Release(reserved_); }
  Result<SeriesRef> Intern(const Labels& labels) override;
  SeriesRef Find(const Labels& labels) const override;
  void SetMetadata(SeriesRef ref, const MetricMetadata& metadata) override;
  TimestampMs too_old_before() const override {
    return bound_ ? group_->head->too_old_before() : BatchAppender::too_old_before();
  }
  bool RefuseTooOld(SeriesRef ref, TimestampMs time, bool histogram) override {
    return bound_ && group_->head->RefuseTooOld(HeadRef(ref), time, histogram);
  }
  bool WouldRefuse(const TimedSample& sample) const override { return HeadWouldRefuse(sample); }
  bool WouldRefuse(const HistogramSample& sample) const override { return HeadWouldRefuse(sample); }
  Result<AppendReport> Commit(TimestampMs time) override;

 private:
  struct PendingMetadata {
    SeriesRef ref;
    MetricMetadata metadata;
  };
  EarlyBatch MakeBatch(TimestampMs time);
  AppendReport Accepted() const;
  Result<void> Bind();
  SeriesRef HeadRef(SeriesRef ref) const;
  template <typename Sample>
  bool HeadWouldRefuse(Sample sample) const {
    sample.ref = HeadRef(sample.ref);
    return bound_ && group_->head->WouldRefuse(sample);
  }
  Result<AppendReport> CommitToHead(TimestampMs time);
  void NameAsGiven(AppendReport& report) const;
  void Clear();

  EarlyLog& log_;
  const std::shared_ptr<EarlyGroup> group_;
  const uint32_t number_;
  bool known_ = false;             // the log has the group's identity
  uint32_t defined_ = 0;           // series that the log has
  std::vector<Labels> undefined_;  // those behind them
  uint64_t reserved_ = 0;          // for undefined_
  std::vector<PendingMetadata> metadata_;
  bool bound_ = false;  // group_ belongs to this appender alone, and its head has every series
};

}  // namespace epi::tsdb
