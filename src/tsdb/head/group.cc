#include "tsdb/head/group.h"

#include <algorithm>

namespace epi::tsdb {
size_t SeriesSide::bytes() const {
  size_t sum = sizeof *this + histograms.capacity() * sizeof(HistogramEntry) + late.capacity() * sizeof(LateFloat) +
               starts.capacity() * sizeof(StartTime) + deleted.capacity() * sizeof(TimeRange);
  for (const auto& entry : histograms) {
    if (entry.integer != nullptr) {
      const Histogram& h = *entry.integer;
      sum += sizeof h + (h.positive_spans.size() + h.negative_spans.size() + h.positive_buckets.size() +
                         h.negative_buckets.size() + h.custom_values.size()) *
                            8;
    } else if (entry.floats != nullptr) {
      const FloatHistogram& h = *entry.floats;
      sum += sizeof h + (h.positive_spans.size() + h.negative_spans.size() + h.positive_buckets.size() +
                         h.negative_buckets.size() + h.custom_values.size()) *
                            8;
    }
  }
  return sum;
}

size_t RunRef::Visible(uint32_t column, size_t entries, uint64_t visible) const {
  if (commits == nullptr || commits->last <= visible) return entries;
  const auto& of = commits->columns[column];
  return of.see_all +
         static_cast<size_t>(std::upper_bound(of.commits.begin(), of.commits.end(), visible) - of.commits.begin());
}

void GroupSnapshot::Clear() {
  runs.clear();
  columns.clear();
  chunks.clear();
  series.clear();
  sides.clear();
  bytes.clear();
}

Group::Group(uint32_t id, GroupIdentity identity, SeriesTable& series, UnspilledGroups& unspilled,
             const GroupOptions& options)
    : id_(id), identity_(std::move(identity)), series_(series), unspilled_(unspilled), options_(options) {
  phase_limit_ = FirstPhaseLimit();
}

// Any spread over [1/2, 1] of a phase will do.
uint32_t Group::FirstPhaseLimit() const {
  const uint32_t limit = std::min<uint32_t>(options_.phase_entries, 200);
  return std::max<uint32_t>(1, limit - (id_ * 0x9e3779b1u >> 8) % (limit / 2 + 1));
}

void Group::Adopt(GroupIdentity identity) {
  identity_ = std::move(identity);
  noted = false;
  next_free_id = kNoSeriesId;
  free_ids = {};
  // Maintenance may be looking.
  BeginTurn();
  {
    const auto lock = Lock();
    // Not {}, which would keep the memory.
    slabs_ = std::vector<uint32_t>();
    runs_ = std::vector<RunRef>();
    columns_ = std::vector<Column>();
    closed_ = std::vector<ClosedChunk>();
    scratch_ids_ = std::vector<uint32_t>();
    scratch_values_ = std::vector<double>();
    fresh_ = std::vector<uint32_t>();
    chain_ = LayoutChain();  // of no series: they are gone
    phase_first_lsn_ = phase_last_lsn_ = 0;
    newest_time_ = idle_time_ = kNoTime;
    stale_series_ = 0;
  }
  Abandon();
}

bool Group::Empty() const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  return slabs_.empty() && runs_.empty() && columns_.empty() && sides_.empty();
}

// --- turns ---

void Group::BeginTurn() {
  std::unique_lock<std::mutex> lock(turn_mutex_);
  turn_.wait(lock, [&] { return !busy_; });
  busy_ = true;
}

void Group::EndTurn() {
  {
    const std::lock_guard<std::mutex> lock(turn_mutex_);
    busy_ = false;
    announced_.store(0, std::memory_order_release);
  }
  turn_.notify_all();
}

void Group::Abandon() { EndTurn(); }

std::shared_lock<std::shared_mutex> Group::ReadLock(uint64_t visible) const {
  for (;;) {
    std::shared_lock<std::shared_mutex> lock(lock_);
    const uint64_t announced = announced_.load(std::memory_order_acquire);
    if (announced == 0 || announced > visible) return lock;
    lock.unlock();
    std::unique_lock<std::mutex> wait(turn_mutex_);
    turn_.wait(wait, [&] { return announced_.load(std::memory_order_acquire) != announced; });
  }
}

void Group::AddSlab(uint32_t first_id) {
  const auto lock = Lock();
  slabs_.push_back(first_id);
}

// --- what it takes ---

size_t Group::ChunkCount() const {
  size_t chunks = closed_.size() + phase_series_;
  for (const auto& ref : runs_) chunks += ref.run->chunk_count();
  return chunks;
}

GroupMemory Group::Memory() const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  GroupMemory memory;
  for (const auto& ref : runs_) {
    memory.runs += ref.run->memory_bytes();
    if (!ref.run->in_memory()) memory.spilled += ref.run->size();
  }
  memory.arena = arena_.bytes();
  for (const auto& column : columns_) memory.columns += column.bytes();
  for (const auto& [id, side] : sides_) memory.sides += side->bytes();
  return memory;
}

GroupCounts& GroupCounts::operator+=(const GroupCounts& other) {
  open_chunks += other.open_chunks;
  sealed_chunks += other.sealed_chunks;
  chunks_created += other.chunks_created;
  chunks_removed += other.chunks_removed;
  stale_series += other.stale_series;
  histogram_series += other.histogram_series;
  histogram_buckets += other.histogram_buckets;
  return *this;
}

GroupCounts Group::Counts() const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  GroupCounts counts;
  counts.open_chunks = closed_.size() + phase_series_;
  counts.sealed_chunks = ChunkCount() - counts.open_chunks;
  counts.chunks_created = chunks_created_;
  counts.chunks_removed = chunks_removed_;
  counts.stale_series = stale_series_;
  for (const auto& [id, side] : sides_) {
    const SeriesSide::HistogramEntry* last = Last(id).histogram;
    if (last == nullptr) continue;
    ++counts.histogram_series;
    counts.histogram_buckets += last->integer != nullptr
                                    ? last->integer->positive_buckets.size() + last->integer->negative_buckets.size()
                                    : last->floats->positive_buckets.size() + last->floats->negative_buckets.size();
  }
  return counts;
}

}  // namespace epi::tsdb
