// What leaves the head: samples that are in blocks, and series that have no others. Numbers and label sets of series
// that are gone are reused only when no view can name them any more.
#include <algorithm>

#include "tsdb/head/head.h"

namespace epi::tsdb {

TimestampMs Head::OldestLate(uint64_t visible) const {
  TimestampMs oldest = std::numeric_limits<TimestampMs>::max();
  for (size_t i = 0; i < groups_.size(); ++i) oldest = std::min(oldest, groups_[i]->OldestLate(visible));
  return oldest;
}

bool Head::TruncateBefore(TimestampMs time, uint64_t visible) {
  SetMinValidTime(time);
  SetClip(time);
  {
    const std::lock_guard<std::mutex> lock(views_mutex_);
    if (!clips_.empty() && clips_.begin()->first < time) return false;
  }
  Recycle();
  const uint64_t settled = Settled();
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = *groups_[i];
    group.BeginTurn();
    group.TruncateBefore(time, visible, settled);
    group.Abandon();
    RemoveGone(group, time);
  }
  graves_clip_ = time;
  // Times of late samples may lie before; what is in order does not.
  TimestampMs seen = min_time_.load(std::memory_order_relaxed);
  while (seen < time && !min_time_.compare_exchange_weak(seen, time, std::memory_order_acq_rel)) {
  }
  counters_.truncations.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Head::RemoveGone(Group& group, TimestampMs time) {
  std::vector<uint32_t> ids;
  const std::lock_guard<std::mutex> lock(creation_);
  group.BeginTurn();
  group.CollectGone(time, ids);
  if (!ids.empty()) removals_.fetch_add(1, std::memory_order_acq_rel);
  group.Abandon();
  if (ids.empty()) return;
  std::vector<PostingsIndex::Gone> gone;
  for (const uint32_t id : ids) {
    const ColdRecord& cold = series_.cold(id);
    by_labels_.Remove(cold.label_hash, id);
    exemplars_.Forget(id);
    auto& labels = gone.emplace_back(PostingsIndex::Gone{id, {}}).labels;
    labels_.Decode(cold.labels, labels);
    graves_.push_back({id, cold.labels});
    if (journal_ != nullptr) journal_->NoteRemoved(id);
  }
  postings_.Remove(gone);
  live_series_.fetch_sub(ids.size(), std::memory_order_relaxed);
  counters_.series_removed.fetch_add(ids.size(), std::memory_order_relaxed);
}

// A view that was open when the graves were made has the clip of that time or an earlier one, and a view that opened
// since finds no way to them. Called when every open view has at least the clip of the next truncation.
void Head::Recycle() {
  {
    const std::lock_guard<std::mutex> lock(views_mutex_);
    if (graves_.empty() || (!clips_.empty() && clips_.begin()->first <= graves_clip_)) return;
  }
  const std::lock_guard<std::mutex> lock(creation_);
  std::vector<uint32_t> slabs;
  for (const Grave& grave : graves_) {
    labels_.Free(grave.labels);
    groups_[series_.slab(grave.id).group]->free_ids.push_back(grave.id);
    slabs.push_back(grave.id / Slab::kSeries * Slab::kSeries);
  }
  graves_.clear();
  std::sort(slabs.begin(), slabs.end());
  slabs.erase(std::unique(slabs.begin(), slabs.end()), slabs.end());
  // Slabs without any series go to whoever needs one next.
  for (const uint32_t first : slabs) {
    Group& group = *groups_[series_.slab(first).group];
    const auto in_slab = [first](uint32_t id) {
      return id != kNoSeriesId && id / Slab::kSeries * Slab::kSeries == first;
    };
    const bool filling = in_slab(group.next_free_id);
    const auto free = static_cast<uint32_t>(std::count_if(group.free_ids.begin(), group.free_ids.end(), in_slab));
    if (free + (filling ? Slab::kSeries - group.next_free_id % Slab::kSeries : 0) < Slab::kSeries) continue;
    std::erase_if(group.free_ids, in_slab);
    if (filling) group.next_free_id = kNoSeriesId;
    group.RemoveSlab(first);
    free_slabs_.push_back(first);
  }
}

}  // namespace epi::tsdb
