#include "tsdb/head/group.h"

#include <algorithm>
#include <bit>

#include "model/histogram_convert.h"
#include "model/histogram_hints.h"
#include "tsdb/block/intervals.h"
#include "tsdb/head/value_codec.h"

namespace epi::tsdb {
namespace {
constexpr size_t kPrefetchNear = 6;
constexpr size_t kPrefetchFar = 12;

// Assigning {} would keep the memory.
template <typename... T>
void GiveUp(std::vector<T>&... vectors) {
  (std::vector<T>().swap(vectors), ...);
}

// Which block a time falls into; floor division.
int64_t BlockNumber(TimestampMs time, int64_t range) {
  const int64_t quotient = time / range;
  return time % range < 0 ? quotient - 1 : quotient;
}
}  // namespace

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

Group::Group(uint32_t id, GroupIdentity identity, SeriesTable& series, const GroupOptions& options)
    : id_(id), identity_(std::move(identity)), series_(series), options_(options) {
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
    GiveUp(slabs_, runs_, columns_, closed_, scratch_ids_, scratch_values_, fresh_);
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

// --- append ---

TimestampMs Group::LastFloatTime(const HotRecord& hot) const {
  return hot.Has(HotRecord::kOpen) ? columns_[hot.column].TimeAt(hot.last_entry) : hot.last_time();
}

LastSample Group::Last(uint32_t series) const {
  const HotRecord& hot = series_.hot(series);
  LastSample last{LastFloatTime(hot), hot.last_value, nullptr};
  if (!hot.Has(HotRecord::kSide)) return last;
  const SeriesSide& side = *sides_.at(series);
  if (side.last_histogram_time <= last.time) return last;
  last.time = side.last_histogram_time;
  for (auto entry = side.histograms.rbegin(); entry != side.histograms.rend(); ++entry) {
    if (entry->time != last.time) continue;
    last.histogram = &*entry;
    break;
  }
  return last;
}

bool Group::HasRecentLate(uint32_t series, TimestampMs time) const {
  constexpr size_t kRecent = 32;
  if (!series_.hot(series).Has(HotRecord::kSide)) return false;
  const SeriesSide& side = *sides_.at(series);
  size_t seen = 0;
  for (auto late = side.late.rbegin(); late != side.late.rend() && seen < kRecent; ++late, ++seen) {
    if (late->time == time) return true;
  }
  seen = 0;
  for (auto entry = side.histograms.rbegin(); entry != side.histograms.rend() && seen < kRecent; ++entry) {
    if (!entry->late) continue;
    if (entry->time == time) return true;
    ++seen;
  }
  return false;
}

TimestampMs Group::NewestOf(uint32_t series) const {
  TimestampMs newest = Last(series).time;
  if (!series_.hot(series).Has(HotRecord::kSide)) return newest;
  for (const auto& late : sides_.at(series)->late) newest = std::max(newest, late.time);
  return newest;
}

void Group::Apply(const Batch& batch, const Moment& moment) {
  {
    const auto lock = Lock();
    if (phase_first_lsn_ == 0) phase_first_lsn_ = moment.lsn;
    phase_last_lsn_ = moment.lsn;
    ApplyFloats(batch, moment);
    ApplyTimed(batch, moment);
    ApplyHistograms(batch, moment.lsn);
    for (const auto& row : batch.tombstones) {
      if (Owns(row.series)) AddInterval(Side(row.series, series_.hot(row.series)).deleted, {row.min, row.max});
    }
  }
  EndTurn();
}

void Group::ApplyFloats(const Batch& batch, const Moment& moment) {
  if (batch.series.empty()) return;
  const bool all_ours = batch.group == id_ &&
                        std::all_of(batch.series.begin(), batch.series.end(), [&](uint32_t id) { return Owns(id); });
  if (all_ours && batch.time > newest_time_ && batch.time >= moment.late_before) {
    ApplyAt(batch.time, moment.lsn, moment.settled, batch.series, batch.values);
    return;
  }
  scratch_ids_.clear();
  scratch_values_.clear();
  for (size_t i = 0; i < batch.series.size(); ++i) {
    const uint32_t id = batch.series[i];
    if (!Owns(id)) continue;
    if (HotRecord& hot = series_.hot(id); batch.time < moment.late_before || batch.time <= Last(id).time) {
      AddLate(id, hot, batch.time, batch.values[i], moment.lsn);
      continue;
    }
    scratch_ids_.push_back(id);
    scratch_values_.push_back(batch.values[i]);
  }
  ApplyAt(batch.time, moment.lsn, moment.settled, scratch_ids_, scratch_values_);
}

void Group::ApplyTimed(const Batch& batch, const Moment& moment) {
  for (size_t first = 0; first < batch.timed.size();) {
    const TimestampMs time = batch.timed[first].time;
    scratch_ids_.clear();
    scratch_values_.clear();
    size_t next = first;
    for (; next < batch.timed.size() && batch.timed[next].time == time; ++next) {
      const auto& row = batch.timed[next];
      if (!Owns(row.series)) continue;
      HotRecord& hot = series_.hot(row.series);
      Slab& slab = series_.slab(row.series);
      const uint64_t bit = uint64_t{1} << (row.series % Slab::kSeries);
      if ((slab.in_layout & bit) != 0) chain_.valid = false;
      if (row.start_time != 0) Side(row.series, hot).starts.push_back({time, row.start_time});
      // A late sample may have the time of one that goes in order in the same batch: a column has one of a time.
      const bool again = (slab.in_batch & bit) != 0;
      if (again || time < moment.late_before || time <= Last(row.series).time) {
        AddLate(row.series, hot, time, row.value, moment.lsn);
        continue;
      }
      slab.in_batch |= bit;
      scratch_ids_.push_back(row.series);
      scratch_values_.push_back(row.value);
    }
    for (const uint32_t id : scratch_ids_) series_.slab(id).in_batch = 0;
    ApplyAt(time, moment.lsn, moment.settled, scratch_ids_, scratch_values_);
    first = next;
  }
}

void Group::ApplyAt(TimestampMs time, uint64_t commit, uint64_t settled, std::span<const uint32_t> ids,
                    std::span<const double> values) {
  if (ids.empty()) return;
  SealAtBoundary(time, settled);
  Placement place{.time = time, .commit = commit, .settled = settled, .moves = {}};
  fresh_.clear();
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i + kPrefetchFar < ids.size()) __builtin_prefetch(&series_.hot(ids[i + kPrefetchFar]), 1);
    if (i + kPrefetchNear < ids.size()) {
      const HotRecord& soon = series_.hot(ids[i + kPrefetchNear]);
      if (soon.Has(HotRecord::kOpen) && soon.bits > 0) __builtin_prefetch(&arena_[soon.last_cell], 1);
    }
    HotRecord& hot = series_.hot(ids[i]);
    if (hot.Has(HotRecord::kOpen)) {
      AppendOne(place, ids[i], hot, values[i]);
    } else {
      fresh_.push_back(static_cast<uint32_t>(i));
    }
  }
  // Only now: a series without a column joins the others of its batch.
  for (const uint32_t i : fresh_) AppendFresh(place, ids[i], series_.hot(ids[i]), values[i]);
  newest_time_ = std::max(newest_time_, time);
  phase_newest_ = std::max(phase_newest_, time);
  if (PhaseIsOver(place)) SealLocked(settled);
}

// Phases end with time, so that no chunk gets long, and with memory: values that take more bytes are sealed sooner.
bool Group::PhaseIsOver(const Placement& place) const {
  constexpr size_t kFewSeries = 32;
  constexpr uint32_t kFewestEntries = 4;  // of the usual number a phase has
  const uint64_t bytes = uint64_t{options_.phase_bytes} * std::max(phase_series_, kFewSeries) * phase_limit_ /
                         std::max<uint32_t>(1, std::min<uint32_t>(options_.phase_entries, 200));
  const bool large = arena_.used_bytes() > bytes;
  return std::any_of(place.moves.begin(), place.moves.end(), [&](const auto& move) {
    const size_t entries = columns_[move.to].size();
    return entries >= phase_limit_ || (large && entries >= phase_limit_ / kFewestEntries);
  });
}

void Group::NoteStale(HotRecord& hot, double value) {
  const bool stale = IsStaleNaN(value);
  if (stale == hot.Has(HotRecord::kStale)) return;
  if (stale) {
    hot.Set(HotRecord::kStale);
    ++stale_series_;
  } else {
    hot.Unset(HotRecord::kStale);
    --stale_series_;
  }
}

void Group::AppendOne(Placement& place, uint32_t id, HotRecord& hot, double value) {
  if (hot.column != place.from) FindColumn(place, hot);
  NoteStale(hot, value);
  if (place.to == hot.column) {
    AppendValue(hot, arena_, place.entry, value);
    return;
  }
  // The series parts from its column: its chunk ends here and goes on in another column.
  const bool again = hot.Has(HotRecord::kForked);
  CloseChunk(id, hot);
  ++chunks_created_;
  hot.Set(HotRecord::kForked);
  if (again) {
    const uint32_t own = PushNewColumn(place);
    OpenChunk(hot, own, 0, value);
    place.moves.push_back({own, own});
    return;
  }
  OpenChunk(hot, place.to, place.entry, value);
}

// Sets place.from, to and entry for the series of hot.column: they move together.
void Group::FindColumn(Placement& place, HotRecord& hot) {
  place.from = hot.column;
  for (const auto& move : place.moves) {
    if (move.from != hot.column) continue;
    place.to = move.to;
    place.entry = static_cast<uint8_t>(columns_[move.to].size() - 1);
    return;
  }
  Column& column = columns_[hot.column];
  if (column.last_time() < place.time) {
    column.Append(place.time, place.commit, place.settled);
    place.to = hot.column;
    place.entry = static_cast<uint8_t>(column.size() - 1);
  } else {
    // Another batch, or an earlier fork of this one, has gone past this time on the column.
    place.to = PushNewColumn(place);
    place.entry = 0;
  }
  place.moves.push_back({place.from, place.to});
  if (place.joined == kNoColumn) place.joined = place.to;
}

uint32_t Group::PushNewColumn(Placement& place) {
  columns_.emplace_back();
  columns_.back().Append(place.time, place.commit, place.settled);
  return static_cast<uint32_t>(columns_.size() - 1);
}

void Group::AppendFresh(Placement& place, uint32_t id, HotRecord& hot, double value) {
  static_cast<void>(id);
  if (place.joined == kNoColumn) {
    place.joined = PushNewColumn(place);
    place.moves.push_back({place.joined, place.joined});
  }
  NoteStale(hot, value);
  hot.Unset(HotRecord::kForked);
  ++phase_series_;
  ++chunks_created_;
  OpenChunk(hot, place.joined, static_cast<uint8_t>(columns_[place.joined].size() - 1), value);
}

void Group::CloseChunk(uint32_t id, HotRecord& hot) {
  FinishStream(hot, arena_);
  closed_.push_back({id, hot});
  hot.Set(HotRecord::kClosed);
}

SeriesSide& Group::Side(uint32_t id, HotRecord& hot) {
  auto& side = sides_[id];
  if (side == nullptr) side = std::make_unique<SeriesSide>();
  hot.Set(HotRecord::kSide);
  return *side;
}

void Group::AddLate(uint32_t id, HotRecord& hot, TimestampMs time, double value, uint64_t lsn) {
  Side(id, hot).late.push_back({time, lsn, value});
}

// As if the series' histograms were in chunks. A late one is shown like the first of a chunk.
CounterResetHint Group::HintFor(const SeriesSide& side, const HotRecord& hot, const Batch::HistogramRow& row,
                                bool in_order) const {
  const FloatHistogram own = row.integer != nullptr ? ToFloat(*row.integer) : FloatHistogram();
  const FloatHistogram& h = row.integer != nullptr ? own : *row.floats;
  const bool follows = in_order && !side.histograms.empty() &&
                       side.histograms.back().time == side.last_histogram_time &&
                       LastFloatTime(hot) < side.last_histogram_time;
  if (!follows) return HintAfter(nullptr, h);
  const SeriesSide::HistogramEntry& last = side.histograms.back();
  if (last.floats != nullptr) return HintAfter(last.floats.get(), h);
  const FloatHistogram before = ToFloat(*last.integer);
  return HintAfter(&before, h);
}

void Group::ApplyHistograms(const Batch& batch, uint64_t lsn) {
  for (const auto& row : batch.histograms) {
    if (!Owns(row.series)) continue;
    HotRecord& hot = series_.hot(row.series);
    SeriesSide& side = Side(row.series, hot);
    series_.NoteHistograms();
    const bool in_order = row.time > side.last_histogram_time && row.time > LastFloatTime(hot);
    side.histograms.push_back(
        {row.time, lsn, row.start_time, row.integer, row.floats, HintFor(side, hot, row, in_order), !in_order});
    if (in_order) NoteStale(hot, row.integer != nullptr ? row.integer->sum : row.floats->sum);
    side.last_histogram_time = std::max(side.last_histogram_time, row.time);
    newest_time_ = std::max(newest_time_, row.time);
  }
}

// --- seal ---

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
    has_in_memory_runs_.store(true, std::memory_order_release);
    runs_.push_back({std::move(*run), commits->last > settled ? std::move(commits) : nullptr});
  }
  for (auto& ref : runs_) {
    if (ref.commits != nullptr && ref.commits->last <= settled) ref.commits.reset();
  }
  GiveUp(columns_, closed_);
  arena_.Reset();
  phase_series_ = 0;
  // All series began anew in the first batch of a phase; a phase later is soon enough for that again.
  GiveUp(fresh_);
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

std::vector<std::shared_ptr<const Run>> Group::InMemoryRuns() {
  std::vector<std::shared_ptr<const Run>> out;
  if (!has_in_memory_runs_.exchange(false, std::memory_order_acq_rel)) return out;
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

// --- read ---

void Group::Collect(uint64_t visible, TimeRange range, std::span<const uint32_t> ids, GroupSnapshot& out) const {
  const auto lock = ReadLock(visible);
  for (const auto& ref : runs_) {
    if (ref.run->range().Overlaps(range)) out.runs.push_back(ref);
  }
  std::vector<int32_t> column_copies(columns_.size(), -1);
  for (const uint32_t id : ids) CopySeries(visible, range, id, column_copies, out);
  out.bytes.append(kStreamPadding, '\0');
  for (auto& chunk : out.chunks)
    chunk.values.stream = reinterpret_cast<const uint8_t*>(out.bytes.data()) + chunk.stream_offset;
}

void Group::CopySeries(uint64_t visible, TimeRange range, uint32_t id, std::vector<int32_t>& column_copies,
                       GroupSnapshot& out) const {
  const HotRecord& hot = series_.hot(id);
  GroupSnapshot::SeriesCopy copy{id, static_cast<uint32_t>(out.chunks.size()), 0, -1};
  if (hot.Has(HotRecord::kClosed)) {
    for (const auto& closed : closed_) {
      if (closed.series == id) CopyChunk(visible, range, closed.chunk, column_copies, out);
    }
  }
  if (hot.Has(HotRecord::kOpen)) CopyChunk(visible, range, hot, column_copies, out);
  copy.chunks = static_cast<uint32_t>(out.chunks.size()) - copy.first_chunk;
  if (hot.Has(HotRecord::kSide)) {
    copy.side = static_cast<int32_t>(out.sides.size());
    SeriesSide& side = out.sides.emplace_back(*sides_.at(id));
    const auto hidden = [&](const auto& entry) { return entry.commit > visible || !range.Contains(entry.time); };
    std::erase_if(side.histograms, hidden);
    std::erase_if(side.late, hidden);
  }
  out.series.push_back(copy);
}

void Group::CopyChunk(uint64_t visible, TimeRange range, const HotRecord& hot, std::vector<int32_t>& column_copies,
                      GroupSnapshot& out) const {
  const Column& column = columns_[hot.column];
  if (column.last_time() < range.min) return;
  int32_t& known = column_copies[hot.column];
  if (known < 0) {
    known = static_cast<int32_t>(out.columns.size());
    auto& times = out.columns.emplace_back().times;
    times.resize(column.size());
    column.Times(times.data());
    times.resize(column.Visible(visible));
  }
  const auto& times = out.columns[static_cast<size_t>(known)].times;
  if (hot.start_entry >= times.size() || times[hot.start_entry] > range.max) return;
  if (times[std::min<size_t>(hot.last_entry, times.size() - 1)] < range.min) return;
  auto& chunk = out.chunks.emplace_back();
  chunk.column = static_cast<uint32_t>(known);
  chunk.stream_offset = out.bytes.size();
  chunk.values.last_value = hot.last_value;
  chunk.values.bits = hot.bits;
  chunk.values.start_entry = hot.start_entry;
  chunk.values.last_entry = hot.last_entry;
  chunk.values.gaps = hot.Has(HotRecord::kGaps);
  arena_.CopyStream(hot.first_cell, hot.bits, out.bytes);
}

void Group::DropAbsent(uint64_t visible, TimeRange range, std::vector<uint32_t>& ids) const {
  const auto lock = ReadLock(visible);
  std::erase_if(ids, [&](uint32_t id) {
    const HotRecord& hot = series_.hot(id);
    if (hot.Has(HotRecord::kSide)) return false;
    const TimestampMs newest = hot.Has(HotRecord::kOpen) ? columns_[hot.column].last_time() : hot.last_time();
    return newest == kNoTime || newest < range.min;
  });
}

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
