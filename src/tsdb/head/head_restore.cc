// What a start brings back beside definitions: batches of the log, and what a snapshot says of the whole head.
#include <algorithm>

#include "tsdb/head/head.h"

namespace epi::tsdb {

void Head::RestoreTimes(TimestampMs min, TimestampMs max) {
  // What is in blocks since the snapshot was taken has left, but for late samples.
  NoteTimes(std::max(min, in_blocks_time_), max);
  NoteTimes(OldestLate(std::numeric_limits<uint64_t>::max()), max);
}

void Head::NoteUnknown(std::span<const uint32_t> ids) {
  unknown_ids_.insert(unknown_ids_.end(), ids.begin(), ids.end());
}

void Head::PrepareReplay(Batch& batch, uint64_t lsn, ReplayPlan& plan) const {
  plan.owners.clear();
  plan.unknown.clear();
  plan.dropped = 0;
  if (lsn <= in_blocks_lsn_) {
    const auto in_block = [&](const auto& row) { return row.time < in_blocks_time_; };
    if (batch.time < in_blocks_time_) batch.series.clear();
    std::erase_if(batch.timed, in_block);
    std::erase_if(batch.histograms, in_block);
  }
  const auto unknown = [&](uint32_t id) {
    const bool is = !series_.Alive(id) || (id < first_lsn_.size() && lsn < first_lsn_[id]);
    if (is) {
      ++plan.dropped;
      if (plan.unknown.empty() || plan.unknown.back() != id) plan.unknown.push_back(id);
    }
    return is;
  };
  size_t kept = 0;
  for (size_t i = 0; i < batch.series.size(); ++i) {
    if (unknown(batch.series[i])) continue;
    batch.series[kept] = batch.series[i];
    batch.values[kept++] = batch.values[i];
  }
  batch.series.resize(kept);
  batch.values.resize(kept);
  std::erase_if(batch.timed, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.histograms, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.exemplars, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.tombstones, [&](const auto& row) { return unknown(row.series); });
  const auto own = [&](uint32_t id) {
    const uint32_t group = series_.slab(id).group;
    auto& owners = plan.owners;
    if (owners.empty() || (owners.back() != group && std::find(owners.begin(), owners.end(), group) == owners.end())) {
      owners.push_back(group);
    }
  };
  for (const uint32_t id : batch.series) own(id);
  for (const auto& row : batch.timed) own(row.series);
  for (const auto& row : batch.histograms) own(row.series);
  for (const auto& row : batch.tombstones) own(row.series);
}

void Head::ReplayInto(uint32_t group, const Batch& batch, uint64_t lsn) {
  Group& owner = *groups_[group];
  if (lsn <= restored_lsn_ || lsn <= owner.applied_lsn()) return;
  owner.BeginTurn();
  owner.Apply(batch, {lsn, lsn, min_valid_time()});
}

void Head::FinishReplayOf(const Batch& batch, uint64_t lsn, const ReplayPlan& plan) {
  NoteUnknown(plan.unknown);
  if (lsn <= restored_lsn_) return;
  for (const auto& row : batch.exemplars) {
    // A snapshot may have exemplars of batches that came while it was taken, and the log those that were written again.
    if (exemplars_.Has(row.series, row.exemplar)) continue;
    exemplars_.Add(row.series, row.exemplar);
  }
  for (const auto& row : batch.metadata) SetMetadata(row.metric, row.metadata);
  if (!batch.series.empty()) NoteTimes(batch.time, batch.time);
  for (const auto& row : batch.timed) NoteTimes(row.time, row.time);
  for (const auto& row : batch.histograms) NoteTimes(row.time, row.time);
}

}  // namespace epi::tsdb
