// How a batch becomes visible: values go to open chunks, late ones and histograms beside them.
#include <algorithm>

#include "model/histogram_convert.h"
#include "model/histogram_hints.h"
#include "tsdb/block/intervals.h"
#include "tsdb/head/group.h"
#include "tsdb/head/value_codec.h"

namespace epi::tsdb {
namespace {
constexpr size_t kPrefetchNear = 6;
constexpr size_t kPrefetchFar = 12;
}  // namespace

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

}  // namespace epi::tsdb
