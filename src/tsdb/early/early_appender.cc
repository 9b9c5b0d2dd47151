#include "tsdb/early/early_appender.h"

#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

namespace epi::tsdb {
namespace {

// No series of the head ever has an even generation.
constexpr uint32_t kEarlyGeneration = 2;
bool IsEarly(SeriesRef ref) { return RefGeneration(ref) == kEarlyGeneration; }

}  // namespace

Result<SeriesRef> EarlyAppender::Intern(const Labels& labels) {
  if (log_.handed_over()) {
    EPI_TRY(Bind());
    return group_->head->Intern(labels);
  }
  const uint64_t bytes = labels.bytes() + sizeof(Labels);
  EPI_TRY(log_.Reserve(bytes));
  reserved_ += bytes;
  undefined_.push_back(labels);
  return MakeRef(defined_ + static_cast<uint32_t>(undefined_.size()) - 1, kEarlyGeneration);
}

SeriesRef EarlyAppender::Find(const Labels& labels) const { return bound_ ? group_->head->Find(labels) : kNoSeries; }

void EarlyAppender::SetMetadata(SeriesRef ref, const MetricMetadata& metadata) { metadata_.push_back({ref, metadata}); }

void EarlyAppender::Clear() {
  Rollback();
  metadata_.clear();
}

Result<AppendReport> EarlyAppender::Commit(TimestampMs time) {
  if (log_.handed_over()) return CommitToHead(time);
  const EarlyBatch batch = MakeBatch(time);
  std::string payload;
  EncodeEarlyBatch(batch, payload);
  const auto written = log_.Append(payload);
  if (!written) {
    Clear();
    return Fail(written.error());
  }
  if (!*written) return CommitToHead(time);
  known_ = true;
  defined_ += static_cast<uint32_t>(undefined_.size());
  undefined_.clear();
  log_.Release(std::exchange(reserved_, 0));
  AppendReport report;
  report.accepted = static_cast<uint32_t>(batch.samples());
  Clear();
  return report;
}

EarlyBatch EarlyAppender::MakeBatch(TimestampMs time) {
  EarlyBatch batch;
  batch.group = number_;
  if (!known_) batch.identity = group_->identity;
  batch.first_defined = defined_;
  batch.defined = undefined_;
  batch.rows.time = time;
  const auto at = [time](TimestampMs t) { return t == kBatchTime ? time : t; };
  for (const auto& sample : floats_) {
    batch.rows.series.push_back(RefId(sample.ref));
    batch.rows.values.push_back(sample.value);
  }
  for (const auto& sample : timed_) {
    batch.timed.push_back({RefId(sample.ref), at(sample.time), sample.value, sample.start_time, sample.after_floats});
  }
  for (const auto& sample : histograms_) {
    batch.histogram_order.push_back({sample.after_floats, sample.after_timed});
    batch.rows.histograms.push_back(
        {RefId(sample.ref), at(sample.time), sample.start_time, sample.integer, sample.floats});
  }
  for (const auto& pending : exemplars_) batch.rows.exemplars.push_back({RefId(pending.ref), pending.exemplar});
  for (const auto& pending : metadata_) batch.metadata.push_back({RefId(pending.ref), pending.metadata});
  return batch;
}

// Once the head has taken over: what the merge knows of the group is this appender's from now on.
Result<void> EarlyAppender::Bind() {
  if (bound_) return {};
  if (group_->head == nullptr) {
    EPI_ASSIGN(group_->head, log_.head().OpenGroup(group_->identity));
  }
  group_->refs.resize(defined_, kNoSeries);
  for (const auto& labels : undefined_) {
    const auto ref = group_->head->Intern(labels);
    group_->refs.push_back(ref ? *ref : kNoSeries);
  }
  undefined_ = {};
  log_.Release(std::exchange(reserved_, 0));
  bound_ = true;
  return {};
}

SeriesRef EarlyAppender::HeadRef(SeriesRef ref) const {
  if (!IsEarly(ref)) return ref;
  return RefId(ref) < group_->refs.size() ? group_->refs[RefId(ref)] : kNoSeries;
}

Result<AppendReport> EarlyAppender::CommitToHead(TimestampMs time) {
  if (auto bound = Bind(); !bound) {
    Clear();
    return Fail(bound.error());
  }
  BatchAppender& head = *group_->head;
  head.set_on_refusal(on_refusal_);
  head.set_on_dead(on_dead_);
  head.set_list_refusals(list_refusals_);
  head.set_on_late(on_late_);
  ForEachInOrder(
      floats_.size(), timed_, histograms_, [&](size_t i) { head.Add(HeadRef(floats_[i].ref), floats_[i].value); },
      [&](size_t i) {
        const TimedSample& sample = timed_[i];
        if (sample.is_start_zero) {
          head.AddStartZero(HeadRef(sample.ref), sample.time);
        } else {
          head.AddAt(HeadRef(sample.ref), sample.time, sample.value, sample.start_time);
        }
      },
      [&](size_t i) {
        HistogramSample& sample = histograms_[i];
        sample.ref = HeadRef(sample.ref);
        head.AddHistogram(std::move(sample));
      });
  for (auto& pending : exemplars_) head.AddExemplar(HeadRef(pending.ref), std::move(pending.exemplar));
  for (const auto& pending : metadata_) head.SetMetadata(HeadRef(pending.ref), pending.metadata);
  Clear();
  EPI_ASSIGN(AppendReport report, head.Commit(time));
  NameAsGiven(report);
  return report;
}

// The caller knows its series by the refs that it got.
void EarlyAppender::NameAsGiven(AppendReport& report) const {
  if (report.dead.empty() && report.refusals.empty()) return;
  boost::unordered_flat_map<uint64_t, SeriesRef> given;
  const auto& refs = group_->refs;
  std::vector<SeriesRef> dead;
  for (uint32_t i = 0; i < refs.size(); ++i) {
    const SeriesRef early = MakeRef(i, kEarlyGeneration);
    // Which of those that the head would not have were meant is not known any more; none of them is of use.
    if (refs[i] != kNoSeries) {
      given[static_cast<uint64_t>(refs[i])] = early;
    } else if (!report.dead.empty()) {
      dead.push_back(early);
    }
  }
  const auto as_given = [&](SeriesRef ref) {
    const auto found = given.find(static_cast<uint64_t>(ref));
    return found == given.end() ? ref : found->second;
  };
  for (const SeriesRef ref : report.dead) {
    if (ref == kNoSeries) continue;
    dead.push_back(as_given(ref));
    // It may be known to the caller under both names.
    if (dead.back() != ref) dead.push_back(ref);
  }
  report.dead = std::move(dead);
  for (auto& refusal : report.refusals) refusal.ref = as_given(refusal.ref);
}

}  // namespace epi::tsdb
