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
  Reclaim();
  const uint64_t settled = Settled();
  PostingsIndex::Gone gone;
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = *groups_[i];
    group.BeginTurn();
    group.TruncateBefore(time, visible, settled);
    group.Abandon();
    CollectGone(group, time, gone);
  }
  // All at once: lists that have most of the ids are written again as a whole.
  postings_.Remove(std::move(gone));
  ForgetMetadata();
  graves_at_ = symbols_.Advance();
  // Times of late samples may lie before; what is in order does not.
  TimestampMs seen = min_time_.load(std::memory_order_relaxed);
  while (seen < time && !min_time_.compare_exchange_weak(seen, time, std::memory_order_acq_rel)) {
  }
  counters_.truncations.fetch_add(1, std::memory_order_relaxed);
  Reclaim();
  return true;
}

// Series that have nothing left are not found any more from here on; only views that selected them before still name
// them, and the index until the end of the truncation.
void Head::CollectGone(Group& group, TimestampMs time, PostingsIndex::Gone& gone) {
  std::vector<uint32_t> ids;
  const auto before = static_cast<std::ptrdiff_t>(gone.labels.size());
  const std::lock_guard<std::mutex> lock(creation_);
  group.BeginTurn();
  group.CollectGone(time, ids);
  if (!ids.empty()) removals_.fetch_add(1, std::memory_order_acq_rel);
  group.Abandon();
  for (const uint32_t id : ids) {
    const ColdRecord& cold = series_.cold(id);
    by_labels_.Remove(cold.label_hash, id);
    exemplars_.Forget(id);
    labels_.Decode(cold.labels, gone.labels);
    graves_.push_back({id, cold.labels});
    if (journal_ != nullptr) journal_->NoteRemoved(id);
  }
  gone.ids.insert(gone.ids.end(), ids.begin(), ids.end());
  // Series of a group have most of their labels in common.
  std::sort(gone.labels.begin() + before, gone.labels.end());
  gone.labels.erase(std::unique(gone.labels.begin() + before, gone.labels.end()), gone.labels.end());
  live_series_.fetch_sub(ids.size(), std::memory_order_relaxed);
  counters_.series_removed.fetch_add(ids.size(), std::memory_order_relaxed);
}

void Head::ForgetMetadata() {
  std::vector<std::string> metrics;
  {
    const std::shared_lock<std::shared_mutex> lock(metadata_mutex_);
    for (const auto& [metric, metadata] : metadata_) metrics.push_back(metric);
  }
  const auto drop_used = [&] {
    const PostingsIndex::ReadLock index(postings_);
    const auto name_id = symbols_.Find(kMetricName);
    const NamePostings* names = name_id ? index.Name(*name_id) : nullptr;
    std::erase_if(metrics, [&](const std::string& metric) {
      const auto id = symbols_.Find(metric);
      return names != nullptr && id && names->Find(*id) != nullptr;
    });
  };
  drop_used();
  const std::unique_lock<std::shared_mutex> lock(metadata_mutex_);
  // A metric may have come back meanwhile; it is in the index before anybody says something about it.
  drop_used();
  for (const auto& metric : metrics) metadata_.erase(metric);
}

// --- reclaiming ---

bool Head::ViewsBefore(SymbolTable::Moment moment) const {
  const std::lock_guard<std::mutex> lock(views_mutex_);
  return !moments_.empty() && moments_.begin()->first < moment;
}

// Those that look at labels without a view: they hold a turn, the creation lock or the hash table's.
void Head::AwaitReaders() const {
  by_labels_.AwaitReaders();
  for (size_t i = 0; i < groups_.size(); ++i) {
    groups_[i]->BeginTurn();
    groups_[i]->Abandon();
  }
}

void Head::Reclaim() {
  ReclaimSeries();
  ReclaimSymbols();
  ReclaimGroups();
}

void Head::ReclaimSeries() {
  if (graves_.empty() || ViewsBefore(graves_at_)) return;
  AwaitReaders();
  const std::lock_guard<std::mutex> lock(creation_);
  std::vector<uint32_t> slabs;
  for (const Grave& grave : graves_) {
    labels_.Free(grave.labels);
    groups_[series_.slab(grave.id).group]->free_ids.push_back(grave.id);
    slabs.push_back(grave.id / Slab::kSeries * Slab::kSeries);
  }
  std::vector<Grave>().swap(graves_);
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

// What no series of the index has is retired: found by older views only. When those are gone it is released. The series
// log was written again between the two, or else says in order what a number meant when.
void Head::ReclaimSymbols() {
  if (symbols_.has_abandoned() && !ViewsBefore(symbols_.abandoned_at())) {
    AwaitReaders();
    const std::lock_guard<std::mutex> lock(creation_);
    symbols_.FreeAbandoned();
  }
  if (symbols_.has_retired()) {
    if (ViewsBefore(symbols_.retired_at())) return;
    AwaitReaders();
    const std::lock_guard<std::mutex> lock(creation_);
    for (const uint32_t id : symbols_.ReleaseRetired()) {
      if (id < noted_symbols_.size()) noted_symbols_[id] = false;
    }
    return;
  }
  if (removals() == reclaimed_removals_) return;
  reclaimed_removals_ = removals();
  {
    const std::lock_guard<std::mutex> lock(creation_);  // nobody is between the symbols and the series
    symbols_.BeginRetiring();
  }
  std::vector<bool> used(symbols_.count());
  postings_.MarkUsed(used);
  symbols_.Retire(used);
}

void Head::ReclaimGroups() {
  const std::lock_guard<std::mutex> lock(creation_);
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = *groups_[i];
    if (group.identity().key.empty() || group.appenders.load(std::memory_order_acquire) != 0 || !group.Empty())
      continue;
    const auto known = group_ids_.find({group.identity().kind, group.identity().key});
    if (known == group_ids_.end() || known->second != i) continue;
    group_ids_.erase(known);
    group.Adopt({});
    free_groups_.push_back(static_cast<uint32_t>(i));
  }
}

void Head::SealIdle() {
  // A target that is scraped once in a few minutes is not idle.
  constexpr int64_t kIdleMs = 6 * 60 * 1000;
  const TimestampMs newest = max_time();
  if (newest == kNoTime) return;
  const uint64_t settled = Settled();
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = *groups_[i];
    group.BeginTurn();
    if (group.newest_time() < newest - kIdleMs) group.SealIfIdle(settled);
    group.Abandon();
  }
}

}  // namespace epi::tsdb
