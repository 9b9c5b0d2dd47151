// A group: the series that one writer writes together, their timestamp columns, values and sealed runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "model/histogram.h"
#include "model/sample.h"
#include "storage/storage.h"
#include "tsdb/head/cell_arena.h"
#include "tsdb/head/column.h"
#include "tsdb/head/run.h"
#include "tsdb/head/series_table.h"
#include "tsdb/head/unspilled_groups.h"
#include "tsdb/wal/batch.h"

namespace epi::tsdb {

struct GroupOptions {
  int64_t block_range_ms = 2 * 3600 * 1000;  // a phase does not cross a multiple of it
  uint32_t phase_entries = 120;              // a column with so many entries seals the group; at most 200
  uint32_t phase_bytes = 128;                // so does an open phase that takes more than this a series
};

// What a series has beside its float samples in order. Most series have none of it.
struct SeriesSide {
  struct HistogramEntry {
    TimestampMs time = 0;
    uint64_t commit = 0;
    TimestampMs start_time = 0;
    std::shared_ptr<const Histogram> integer;
    std::shared_ptr<const FloatHistogram> floats;
    CounterResetHint hint =
        CounterResetHint::kUnknown;  // what readers are shown; the histogram keeps the one it came with
    bool late = false;               // it came out of order
  };
  struct LateFloat {
    TimestampMs time = 0;
    uint64_t commit = 0;
    double value = 0;
  };
  struct StartTime {
    TimestampMs time = 0;
    TimestampMs start_time = 0;
  };
  std::vector<HistogramEntry> histograms;  // in the order of commits; late ones among them
  std::vector<LateFloat> late;             // in the order of commits
  std::vector<StartTime> starts;           // of float samples that have one
  std::vector<TimeRange> deleted;
  TimestampMs last_histogram_time = kNoTime;
  size_t bytes() const;
};

// The last sample of a series, as admission needs it.
struct LastSample {
  TimestampMs time = kNoTime;
  double value = 0;
  const SeriesSide::HistogramEntry* histogram = nullptr;  // when the last one is a histogram
};

// A sealed run as a group refers to it.
struct RunRef {
  std::shared_ptr<const Run> run;
  // Commit numbers of the columns' last entries while some view may have to tell them apart; null otherwise.
  struct Commits {
    struct OfColumn {
      size_t see_all = 0;  // entries below belong to every view
      std::vector<uint64_t> commits;
    };
    std::vector<OfColumn> columns;
    uint64_t last = 0;
  };
  std::shared_ptr<const Commits> commits;
  // How many of `entries` entries of a column a view at `visible` sees.
  size_t Visible(uint32_t column, size_t entries, uint64_t visible) const;
};

// What Collect copies under the group's lock, to be decoded without it. Reusable.
struct GroupSnapshot {
  struct ColumnCopy {
    std::vector<TimestampMs> times;  // those that the view sees
  };
  struct ChunkCopy {
    ValueChunk values;  // `stream` is set by stream_offset once all is copied
    size_t stream_offset = 0;
    uint32_t column = 0;  // index into columns
  };
  struct SeriesCopy {
    uint32_t id = 0;
    uint32_t first_chunk = 0;
    uint32_t chunks = 0;
    int32_t side = -1;  // index into sides
  };
  std::vector<RunRef> runs;
  std::vector<ColumnCopy> columns;
  std::vector<ChunkCopy> chunks;
  std::vector<SeriesCopy> series;
  std::vector<SeriesSide> sides;
  std::string bytes;
  void Clear();
};

struct GroupMemory {
  size_t runs = 0;
  size_t arena = 0;
  size_t columns = 0;
  size_t sides = 0;
  size_t spilled = 0;  // bytes of runs in files
};

struct GroupCounts {
  size_t open_chunks = 0;
  size_t sealed_chunks = 0;
  uint64_t chunks_created = 0;  // since the start, those that the start found included
  uint64_t chunks_removed = 0;
  size_t stale_series = 0;
  size_t histogram_series = 0;   // whose newest sample in order is a histogram
  size_t histogram_buckets = 0;  // of these samples
  size_t chunks() const { return open_chunks + sealed_chunks; }
  GroupCounts& operator+=(const GroupCounts& other);
};

// Commits to a group are one after the other: BeginTurn … Announce … Apply or Abandon. Between Announce and the end,
// readers whose view includes the announced number wait; others go on.
class Group {
 public:
  Group(uint32_t id, GroupIdentity identity, SeriesTable& series, UnspilledGroups& unspilled,
        const GroupOptions& options);

  uint32_t id() const { return id_; }
  // Guarded by the head's creation lock.
  const GroupIdentity& identity() const { return identity_; }
  // Makes it another group. It must be Empty(), and nobody may have an appender for it. Takes the turn.
  void Adopt(GroupIdentity identity);
  // Whether it holds neither ids nor samples.
  bool Empty() const;

  // --- for whoever has the turn ---
  // Waits for the turn. Of several groups, the one with the lower id first.
  void BeginTurn();
  // The group's lock, exclusively: the log number is taken while it is held.
  std::unique_lock<std::shared_mutex> Lock() { return std::unique_lock<std::shared_mutex>(lock_); }
  // Requires no turn: nothing is applied while it is held.
  std::shared_lock<std::shared_mutex> LockShared() const { return std::shared_lock<std::shared_mutex>(lock_); }
  // Says that commit `lsn` is under way. Requires Lock().
  void Announce(uint64_t lsn) { announced_.store(lsn, std::memory_order_release); }
  // How a batch is applied. `settled`: as in Column. Samples before `late_before` are kept as late ones, even when
  // their series has none that is newer: in order they would be taken for samples that are in a block.
  struct Moment {
    uint64_t lsn = 0;
    uint64_t settled = 0;
    TimestampMs late_before = kNoTime;
  };
  // Makes the rows of `batch` whose series are this group's visible, and ends the turn.
  void Apply(const Batch& batch, const Moment& moment);
  // Ends the turn without any change.
  void Abandon();
  // No sample of the group is newer.
  TimestampMs newest_time() const { return newest_time_; }
  // Without the turn: requires LockShared().
  LastSample Last(uint32_t series) const;
  // Whether one of the last late samples of the series has this time: how far back Prometheus compares, too
  // (storage.tsdb.out-of-order-cap-max).
  bool HasRecentLate(uint32_t series, TimestampMs time) const;
  // The time of its newest sample, late ones included.
  TimestampMs NewestOf(uint32_t series) const;
  LayoutChain& chain() { return chain_; }
  // The slab of `series` must be this group's.
  bool Owns(uint32_t series) const { return series_.slab(series).group == id_; }

  // --- for readers ---
  // Copies what a view at `visible` sees of `ids` (this group's, ascending) in `range`.
  void Collect(uint64_t visible, TimeRange range, std::span<const uint32_t> ids, GroupSnapshot& out) const;
  // Takes out of `ids` (this group's) those without samples, or with none that could be in `range`.
  void DropAbsent(uint64_t visible, TimeRange range, std::vector<uint32_t>& ids) const;
  GroupMemory Memory() const;
  GroupCounts Counts() const;
  // Calls visit(id, bytes) for every series that lives, with the bytes of its open chunk and of what it has beside.
  template <typename Visit>
  void VisitSeries(Visit visit) const;

  // --- for maintenance ---
  // Seals the open phase now, for tests and shutdown.
  void Seal(uint64_t settled);
  // Seals when nothing was written since the last call.
  void SealIfIdle(uint64_t settled);
  // Drops what is older than `time` and was committed at most at `visible`: it is in a block. What straddles stays.
  void TruncateBefore(TimestampMs time, uint64_t visible, uint64_t settled);
  // The time of the oldest late sample committed at most at `visible`; max when there is none.
  TimestampMs OldestLate(uint64_t visible) const;
  // For whoever has the turn: series without a sample at or after `time` are forgotten and named in `gone`. Series that
  // never had a sample are left alone the first time.
  void CollectGone(TimestampMs time, std::vector<uint32_t>& gone);
  // Runs that are in memory only. Whenever there come to be some, the group is added to the unspilled ones.
  std::vector<std::shared_ptr<const Run>> InMemoryRuns() const;
  // Puts the spilled form of a run in its place, unless it is gone.
  void ReplaceRun(const Run* in_memory, std::shared_ptr<const Run> spilled);
  // Deletions that still hide something.
  void AppendTombstones(std::vector<Batch::TombstoneRow>& rows) const;
  // --- for the snapshot of the head (docs/formats/snapshot.md) ---
  // Appends everything the group holds, as of applied_lsn(). For whoever has the turn.
  void AppendImage(std::string& out) const;
  // What restoring depends on.
  struct ImageContext {
    // Opens the file of spilled runs with this number; an error when it is not there or shorter than `size`.
    std::function<Result<std::shared_ptr<const RunFile>>(uint64_t number, uint64_t size)> open_runs;
    // As Head::SetInBlocks: what was committed up to `in_blocks_lsn` before that time is in blocks.
    TimestampMs in_blocks_time = std::numeric_limits<TimestampMs>::min();
    uint64_t in_blocks_lsn = 0;
  };
  // Which group an image is of.
  static Result<std::pair<uint32_t, GroupIdentity>> OwnerOfImage(std::string_view image);
  // Puts the group into the state of the image, which is as of `applied_lsn`. Series that do not live any more are left
  // out; those that are not known at all and have samples are named in `unknown`. kDataLoss when the image is not one
  // of this group or refers to what is not there: then Forget. For the start, before any view.
  Result<void> RestoreImage(std::string_view image, const ImageContext& context, std::vector<uint32_t>& unknown);
  // Drops all samples, as if nothing had been written.
  void Forget();
  // The number of the last batch that was applied; 0 = none. For replay.
  uint64_t applied_lsn() const { return phase_last_lsn_; }

  // Takes back a slab; its series are all gone.
  void RemoveSlab(uint32_t first_id);

  // Slabs of this group, in the order they were added. Guarded by the head's creation lock for adding, by Lock() for
  // use.
  void AddSlab(uint32_t first_id);
  uint32_t next_free_id = kNoSeriesId;  // owned by the head's creation lock
  std::vector<uint32_t> free_ids;       // likewise: of series that are gone
  bool noted = false;                   // likewise: the journal knows the group
  std::atomic<uint32_t> appenders{0};   // open ones; counts up under the creation lock
  // Guarded by the head's creation lock.
  const std::vector<uint32_t>& slabs() const { return slabs_; }

 private:
  struct ClosedChunk {
    uint32_t series;
    HotRecord chunk;
  };
  // One time of a batch being applied.
  struct Placement {
    TimestampMs time;
    uint64_t commit;
    uint64_t settled;
    uint32_t from = kNoColumn;  // the last lookup: series of this column go to entry `entry` of column `to`
    uint32_t to = kNoColumn;
    uint8_t entry = 0;
    struct Move {
      uint32_t from;
      uint32_t to;
    };
    std::vector<Move> moves;      // all lookups; few
    uint32_t joined = kNoColumn;  // a column this batch has pushed `time` on, for series without one
  };
  static constexpr uint32_t kNoColumn = 0xffffffff;

  void ApplyAt(TimestampMs time, uint64_t commit, uint64_t settled, std::span<const uint32_t> ids,
               std::span<const double> values);
  void ApplyFloats(const Batch& batch, const Moment& moment);
  void ApplyTimed(const Batch& batch, const Moment& moment);
  void ApplyHistograms(const Batch& batch, uint64_t lsn);
  CounterResetHint HintFor(const SeriesSide& side, const HotRecord& hot, const Batch::HistogramRow& row,
                           bool in_order) const;
  void AppendOne(Placement& place, uint32_t id, HotRecord& hot, double value);
  void AppendFresh(Placement& place, uint32_t id, HotRecord& hot, double value);
  void FindColumn(Placement& place, HotRecord& hot);
  uint32_t PushNewColumn(Placement& place);
  void CloseChunk(uint32_t id, HotRecord& hot);
  void NoteStale(HotRecord& hot, double value);
  void BreakChain();
  size_t ChunkCount() const;
  bool PhaseIsOver(const Placement& place) const;
  void SealLocked(uint64_t settled);
  void SealAtBoundary(TimestampMs time, uint64_t settled);
  void AddLate(uint32_t id, HotRecord& hot, TimestampMs time, double value, uint64_t lsn);
  SeriesSide& Side(uint32_t id, HotRecord& hot);
  TimestampMs LastFloatTime(const HotRecord& hot) const;
  void CopySeries(uint64_t visible, TimeRange range, uint32_t id, std::vector<int32_t>& column_copies,
                  GroupSnapshot& out) const;
  void CopyChunk(uint64_t visible, TimeRange range, const HotRecord& hot, std::vector<int32_t>& column_copies,
                 GroupSnapshot& out) const;
  std::shared_lock<std::shared_mutex> ReadLock(uint64_t visible) const;
  void EndTurn();
  uint32_t FirstPhaseLimit() const;
  class ImageReader;

  const uint32_t id_;
  GroupIdentity identity_;
  SeriesTable& series_;
  UnspilledGroups& unspilled_;
  const GroupOptions options_;

  mutable std::shared_mutex lock_;
  std::vector<Column> columns_;                                             // guarded by lock_
  CellArena arena_;                                                         // guarded by lock_
  std::vector<ClosedChunk> closed_;                                         // guarded by lock_
  std::vector<RunRef> runs_;                                                // guarded by lock_; oldest first
  std::vector<uint32_t> slabs_;                                             // guarded by lock_; first ids
  boost::unordered_flat_map<uint32_t, std::unique_ptr<SeriesSide>> sides_;  // guarded by lock_
  uint64_t phase_first_lsn_ = 0;                                            // guarded by lock_
  uint64_t phase_last_lsn_ = 0;                                             // guarded by lock_
  size_t phase_series_ = 0;      // guarded by lock_; that have a chunk in the open phase
  uint32_t phase_limit_;         // guarded by lock_; the first phase is shorter, so that groups do not seal in step
  size_t stale_series_ = 0;      // guarded by lock_
  uint64_t chunks_created_ = 0;  // guarded by lock_
  uint64_t chunks_removed_ = 0;  // guarded by lock_
  TimestampMs newest_time_ = kNoTime;   // owned by the turn
  TimestampMs idle_time_ = kNoTime;     // owned by the turn; newest_time_ at the last SealIfIdle
  TimestampMs phase_newest_ = kNoTime;  // owned by the turn
  LayoutChain chain_;                   // owned by the turn
  std::vector<uint32_t> scratch_ids_;   // owned by the turn
  std::vector<double> scratch_values_;  // owned by the turn
  std::vector<uint32_t> fresh_;         // owned by the turn

  mutable std::mutex turn_mutex_;
  mutable std::condition_variable turn_;
  bool busy_ = false;                   // guarded by turn_mutex_
  std::atomic<uint64_t> announced_{0};  // set under lock_; 0 = nothing under way
};

template <typename Visit>
void Group::VisitSeries(Visit visit) const {
  const std::shared_lock<std::shared_mutex> lock(lock_);
  for (const uint32_t first : slabs_) {
    for (uint32_t id = first; id < first + Slab::kSeries; ++id) {
      if (!series_.Alive(id)) continue;
      const HotRecord& hot = series_.hot(id);
      size_t bytes = hot.Has(HotRecord::kOpen) ? CellArena::StreamBytes(hot.bits) : 0;
      if (hot.Has(HotRecord::kSide)) bytes += sides_.at(id)->bytes();
      visit(id, bytes);
    }
  }
}

}  // namespace epi::tsdb
