// The end of a phase, and what becomes of what is sealed, in blocks or gone.
#include <algorithm>

#include "tsdb/head/group.h"
#include "tsdb/head/value_codec.h"

namespace epi::tsdb {
namespace {
// Which block a time falls into; floor division.
int64_t BlockNumber(TimestampMs time, int64_t range) {
  const int64_t quotient = time / range;
  return time % range < 0 ? quotient - 1 : quotient;
}
}  // namespace

void Group::SealAtBoundary(TimestampMs time, uint64_t settled) {
  if (columns_.empty() || time <= phase_newest_) return;
  if (BlockNumber(time, options_.block_range_ms) != BlockNumber(phase_newest_, options_.block_range_ms))
    SealLocked(settled);
}

void Group::Seal(uint64_t settled) {
  const auto lock = Lock();
  SealLocked(settled);
}

void Group::SealIfIdle(uint64_t settled) {
  if (std::exchange(idle_time_, newest_time_) == newest_time_) Seal(settled);
}

void Group::SealLocked(uint64_t settled) {
  if (columns_.empty()) return;
  RunBuilder builder;
  auto commits = std::make_shared<RunRef::Commits>();
  std::vector<std::vector<TimestampMs>> times(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    times[i].resize(column.size());
    column.Times(times[i].data());
    builder.AddColumn(column.encoded(), column.size(), {times[i].front(), times[i].back()});
    commits->columns.push_back({column.see_all(), column.commits()});
    commits->last = std::max(commits->last, column.last_commit());
  }
  for (const auto& closed : closed_) {
    builder.AddChunk(closed.series, closed.chunk.column, closed.chunk);
    arena_.CopyStream(closed.chunk.first_cell, closed.chunk.bits, builder.stream_bytes());
  }
  for (const uint32_t slab : slabs_) {
    for (uint32_t id = slab; id < slab + Slab::kSeries; ++id) {
      HotRecord& hot = series_.hot(id);
      if (!hot.Has(HotRecord::kOpen)) continue;
      FinishStream(hot, arena_);
      builder.AddChunk(id, hot.column, hot);
      arena_.CopyStream(hot.first_cell, hot.bits, builder.stream_bytes());
      hot.SetLastTime(times[hot.column][hot.last_entry]);
      hot.bits = 0;
      hot.flags &= HotRecord::kSide | HotRecord::kStale;
    }
  }
  if (!builder.empty()) {
    auto run = Run::Open(builder.Finish(id_, phase_first_lsn_, phase_last_lsn_));
    EPI_CHECK(run.has_value());
    runs_.push_back({std::move(*run), commits->last > settled ? std::move(commits) : nullptr});
    unspilled_.Add(id_);
  }
  for (auto& ref : runs_) {
    if (ref.commits != nullptr && ref.commits->last <= settled) ref.commits.reset();
  }
  // Not {}, which would keep the memory.
  columns_ = std::vector<Column>();
  closed_ = std::vector<ClosedChunk>();
  arena_.Reset();
  phase_series_ = 0;
  // All series began anew in the first batch of a phase; a phase later is soon enough for that again.
  fresh_ = std::vector<uint32_t>();
  phase_first_lsn_ = 0;
  phase_newest_ = kNoTime;
  phase_limit_ = std::min<uint32_t>(options_.phase_entries, 200);
}

void Group::TruncateBefore(TimestampMs time, uint64_t visible, uint64_t settled) {
  const auto lock = Lock();
  if (phase_newest_ < time) SealLocked(settled);
  const size_t chunks = ChunkCount();
  std::erase_if(runs_,
                [&](const RunRef& ref) { return ref.run->range().max < time && ref.run->last_lsn() <= visible; });
  chunks_removed_ += chunks - ChunkCount();
  const auto in_block = [&](const auto& entry) { return entry.time < time && entry.commit <= visible; };
  for (auto at = sides_.begin(); at != sides_.end();) {
    SeriesSide& side = *at->second;
    HotRecord& hot = series_.hot(at->first);
    std::erase_if(side.histograms, in_block);
    std::erase_if(side.late, in_block);
    std::erase_if(side.starts, [&](const auto& s) { return s.time < time; });
    // A deletion is needed as long as what it hides is here: late samples may be older than the cut and in no block
    // yet.
    const auto hides_any = [](const TimeRange& r, const auto& entries) {
      return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return r.Contains(entry.time); });
    };
    std::erase_if(side.deleted, [&](const TimeRange& r) {
      return r.max < time && !hides_any(r, side.late) && !hides_any(r, side.histograms);
    });
    // A series of histograms keeps its last time for admission in a record without a chunk only.
    const bool needed = side.last_histogram_time > LastFloatTime(hot) && hot.Has(HotRecord::kOpen);
    if (needed || !side.histograms.empty() || !side.late.empty() || !side.starts.empty() || !side.deleted.empty()) {
      ++at;
      continue;
    }
    if (!hot.Has(HotRecord::kOpen) && side.last_histogram_time > hot.last_time()) {
      hot.SetLastTime(side.last_histogram_time);
    }
    hot.Unset(HotRecord::kSide);
    sides_.erase(at++);
  }
}

TimestampMs Group::OldestLate(uint64_t visible) const {
  const auto lock = ReadLock(visible);
  TimestampMs oldest = std::numeric_limits<TimestampMs>::max();
  for (const auto& [id, side] : sides_) {
    for (const auto& late : side->late) {
      if (late.commit <= visible) oldest = std::min(oldest, late.time);
    }
    for (const auto& histogram : side->histograms) {
      if (histogram.commit <= visible) oldest = std::min(oldest, histogram.time);
    }
  }
  return oldest;
}

// The next record of the log stands alone, and so do its bases: a number of the layout may get another series.
void Group::BreakChain() {
  for (const uint32_t id : chain_.series) series_.slab(id).in_layout = 0;
  chain_.series.clear();
  chain_.valid = false;
}

void Group::CollectGone(TimestampMs time, std::vector<uint32_t>& gone) {
  const auto lock = Lock();
  for (const uint32_t first : slabs_) {
    Slab& slab = series_.slab(first);
    for (uint32_t i = 0; i < Slab::kSeries; ++i) {
      HotRecord& hot = slab.hot[i];
      if (!series_.Alive(first + i) || hot.Has(HotRecord::kOpen) || hot.Has(HotRecord::kSide)) continue;
      const uint64_t bit = uint64_t{1} << i;
      const TimestampMs last = hot.last_time();
      if (last >= time) continue;
      if (last == kNoTime && (slab.unused & bit) == 0) {
        slab.unused |= bit;
        continue;
      }
      if ((slab.in_layout & bit) != 0) BreakChain();
      if (hot.Has(HotRecord::kStale)) --stale_series_;
      slab.unused &= ~bit;
      slab.cold[i].generation.fetch_add(1, std::memory_order_acq_rel);
      hot = HotRecord();
      gone.push_back(first + i);
    }
  }
}

std::vector<std::shared_ptr<const Run>> Group::InMemoryRuns() const {
  std::vector<std::shared_ptr<const Run>> out;
  const std::shared_lock<std::shared_mutex> lock(lock_);
  for (const auto& ref : runs_) {
    if (ref.run->in_memory()) out.push_back(ref.run);
  }
  return out;
}

void Group::ReplaceRun(const Run* in_memory, std::shared_ptr<const Run> spilled) {
  const auto lock = Lock();
  for (auto& ref : runs_) {
    if (ref.run.get() != in_memory) continue;
    ref.run = std::move(spilled);
    return;
  }
}

void Group::AppendTombstones(std::vector<Batch::TombstoneRow>& rows) const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  for (const auto& [id, side] : sides_) {
    for (const TimeRange& range : side->deleted) rows.push_back({id, range.min, range.max});
  }
}

void Group::RemoveSlab(uint32_t first_id) {
  const auto lock = Lock();
  std::erase(slabs_, first_id);
}

}  // namespace epi::tsdb
