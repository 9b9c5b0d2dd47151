#include "tsdb/head/series_reader.h"

#include <algorithm>
#include <numeric>

#include "model/histogram_convert.h"
#include "tsdb/head/value_codec.h"

namespace epi::tsdb {

Result<void> SeriesReader::Read(const HeadView& view, TimeRange range, std::span<const uint32_t> ids,
                                std::vector<SeriesSamples>& out) {
  range_ = range;
  in_order_ = {std::max(range.min, view.clip()), range.max};
  times_.clear();
  values_.clear();
  starts_.clear();
  points_.clear();
  appended_.clear();
  converted_.clear();
  held_.clear();
  next_column_ = 0;
  placed_.assign(ids.size(), {});
  // Group by group, whatever the order of the selection.
  std::vector<uint32_t> positions(ids.size());
  std::iota(positions.begin(), positions.end(), 0u);
  if (!std::is_sorted(ids.begin(), ids.end())) {
    std::sort(positions.begin(), positions.end(), [&](uint32_t a, uint32_t b) { return ids[a] < ids[b]; });
  }
  const SeriesTable& series = view.head().series();
  for (size_t first = 0; first < positions.size();) {
    const uint32_t group = series.slab(ids[positions[first]]).group;
    size_t next = first + 1;
    while (next < positions.size() && series.slab(ids[positions[next]]).group == group) ++next;
    EPI_TRY(ReadGroup(view, group, std::span(positions).subspan(first, next - first), ids));
    first = next;
  }
  out.assign(ids.size(), {});
  for (size_t i = 0; i < ids.size(); ++i) {
    const Placed& placed = placed_[i];
    out[i].column = placed.column;
    out[i].t = std::span(times_).subspan(placed.time_at, placed.count);
    out[i].v = std::span(values_).subspan(placed.value_at, placed.count);
    out[i].histograms = std::span(points_).subspan(placed.histogram_at, placed.histograms);
    if (placed.starts) out[i].start_times = std::span(starts_).subspan(placed.start_at, placed.count);
  }
  return {};
}

Result<void> SeriesReader::ReadGroup(const HeadView& view, uint32_t group, std::span<const uint32_t> positions,
                                     std::span<const uint32_t> ids) {
  snapshot_.Clear();
  known_.clear();
  run_times_.clear();
  std::vector<uint32_t> group_ids;
  for (const uint32_t position : positions) group_ids.push_back(ids[position]);
  view.head().group(group).Collect(view.visible(), range_, group_ids, snapshot_);
  run_readers_.clear();
  for (const auto& ref : snapshot_.runs) run_readers_.emplace_back(ref.run);
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto& copy = snapshot_.series[i];
    Placed& placed = placed_[positions[i]];
    EPI_TRY(GatherSources(view.visible(), copy));
    const bool gaps = std::any_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.values.gaps; });
    if (!gaps && copy.side < 0) {
      EPI_TRY(DecodeShared(placed));
      continue;
    }
    EPI_TRY(DecodeOwn(placed));
    if (copy.side >= 0) MergeSide(snapshot_.sides[static_cast<size_t>(copy.side)], placed);
  }
  return {};
}

Result<const std::vector<TimestampMs>*> SeriesReader::TimesOf(RunReader& reader, uint32_t column) {
  for (const auto& known : run_times_) {
    if (known.run == &reader.run() && known.column == column) return &known.times;
  }
  EPI_ASSIGN(const size_t entries, reader.column_entries(column));
  std::vector<TimestampMs> times(entries);
  EPI_TRY(reader.Times(column, times.data()));
  return &run_times_.emplace_back(RunTimes{&reader.run(), column, std::move(times)}).times;
}

Result<void> SeriesReader::GatherSources(uint64_t visible, const GroupSnapshot::SeriesCopy& copy) {
  sources_.clear();
  for (size_t r = 0; r < run_readers_.size(); ++r) {
    RunReader& reader = run_readers_[r];
    EPI_ASSIGN(const auto positions, reader.Find(copy.id));
    for (size_t position = positions.first; position < positions.second; ++position) {
      EPI_ASSIGN(Run::Chunk chunk, reader.ChunkAt(position));
      EPI_ASSIGN(const TimeRange range, reader.column_range(chunk.column));
      if (!range.Overlaps(in_order_)) continue;
      EPI_ASSIGN(const auto* times, TimesOf(reader, chunk.column));
      EPI_TRY(reader.LoadStream(chunk));
      const size_t seen = snapshot_.runs[r].Visible(chunk.column, times->size(), visible);
      sources_.push_back({chunk.values, times->data(), static_cast<uint32_t>(seen)});
    }
  }
  for (uint32_t i = copy.first_chunk; i < copy.first_chunk + copy.chunks; ++i) {
    const auto& chunk = snapshot_.chunks[i];
    const auto& times = snapshot_.columns[chunk.column].times;
    sources_.push_back({chunk.values, times.data(), static_cast<uint32_t>(times.size())});
  }
  return {};
}

namespace {
Error DamagedStream() { return {ErrorCode::kDataLoss, "a value stream of the head is damaged"}; }
}  // namespace

// Every chunk has a value for each of its entries: times are those of the columns, shared with series of the same
// pieces.
Result<void> SeriesReader::DecodeShared(Placed& placed) {
  placed.value_at = values_.size();
  pieces_.clear();
  for (const Source& source : sources_) {
    const uint32_t start = source.values.start_entry;
    const uint32_t end = std::min<uint32_t>(source.values.last_entry + 1u, source.visible);
    if (start >= end) continue;
    const auto first =
        static_cast<uint32_t>(std::lower_bound(source.times + start, source.times + end, in_order_.min) - source.times);
    const auto last =
        static_cast<uint32_t>(std::upper_bound(source.times + first, source.times + end, in_order_.max) - source.times);
    if (first >= last) continue;
    const size_t at = values_.size();
    values_.resize(at + kMaxChunkValues);
    const size_t count = DecodeChunk(source.values, values_.data() + at, nullptr);
    if (count < last - start) return Fail(DamagedStream());
    if (first > start)
      std::copy(values_.begin() + static_cast<std::ptrdiff_t>(at + first - start),
                values_.begin() + static_cast<std::ptrdiff_t>(at + last - start),
                values_.begin() + static_cast<std::ptrdiff_t>(at));
    values_.resize(at + last - first);
    pieces_.push_back({source.times, first, last});
  }
  placed.count = values_.size() - placed.value_at;
  for (const auto& known : known_) {
    if (known.pieces != pieces_) continue;
    placed.column = known.id;
    placed.time_at = known.time_at;
    return {};
  }
  placed.column = ColumnId{next_column_++};
  placed.time_at = times_.size();
  for (const Piece& piece : pieces_) times_.insert(times_.end(), piece.times + piece.first, piece.times + piece.last);
  known_.push_back({pieces_, placed.column, placed.time_at});
  return {};
}

Result<void> SeriesReader::DecodeOwn(Placed& placed) {
  placed.value_at = values_.size();
  placed.time_at = times_.size();
  double values[kMaxChunkValues];
  uint8_t entries[kMaxChunkValues];
  for (const Source& source : sources_) {
    const size_t count = DecodeChunk(source.values, values, entries);
    if (count == 0) return Fail(DamagedStream());
    for (size_t i = 0; i < count; ++i) {
      const size_t entry = source.values.gaps ? entries[i] : source.values.start_entry + i;
      if (entry >= source.visible || !in_order_.Contains(source.times[entry])) continue;
      times_.push_back(source.times[entry]);
      values_.push_back(values[i]);
    }
  }
  placed.count = values_.size() - placed.value_at;
  return {};
}

void SeriesReader::MergeSide(const SeriesSide& side, Placed& placed) {
  if (!side.late.empty()) MergeLate(side, placed);
  if (!side.histograms.empty() && placed.count > 0) DropReplaced(side, placed);
  if (!side.deleted.empty()) DropDeleted(side, placed);
  if (!side.starts.empty()) AddStartTimes(side, placed);
  if (!side.histograms.empty()) AddHistograms(side, placed);
}

// The series at hand is the last one in times_ and values_. Of samples of one time the one that was written last
// counts; what is in order was written before any late one of its time.
void SeriesReader::MergeLate(const SeriesSide& side, Placed& placed) {
  struct Point {
    TimestampMs t;
    double v;
  };
  std::vector<Point> all;
  for (auto late = side.late.rbegin(); late != side.late.rend(); ++late) all.push_back({late->time, late->value});
  for (size_t i = 0; i < placed.count; ++i) all.push_back({times_[placed.time_at + i], values_[placed.value_at + i]});
  std::stable_sort(all.begin(), all.end(), [](const Point& a, const Point& b) { return a.t < b.t; });
  all.erase(std::unique(all.begin(), all.end(), [](const Point& a, const Point& b) { return a.t == b.t; }), all.end());
  times_.resize(placed.time_at);
  values_.resize(placed.value_at);
  for (const Point& point : all) {
    times_.push_back(point.t);
    values_.push_back(point.v);
  }
  placed.count = all.size();
}

// Takes out the float samples in whose place a histogram was written later.
void SeriesReader::DropReplaced(const SeriesSide& side, Placed& placed) {
  std::vector<std::pair<TimestampMs, uint64_t>> histograms;
  for (const auto& entry : side.histograms) histograms.emplace_back(entry.time, entry.commit);
  std::sort(histograms.begin(), histograms.end());
  KeepIf(placed, [&](TimestampMs t) {
    const auto after = std::upper_bound(histograms.begin(), histograms.end(), std::pair(t, UINT64_MAX));
    if (after == histograms.begin() || std::prev(after)->first != t) return true;
    return std::any_of(side.late.begin(), side.late.end(),
                       [&](const auto& late) { return late.time == t && late.commit > std::prev(after)->second; });
  });
}

void SeriesReader::DropDeleted(const SeriesSide& side, Placed& placed) {
  KeepIf(placed, [&](TimestampMs t) {
    return std::none_of(side.deleted.begin(), side.deleted.end(), [t](const TimeRange& r) { return r.Contains(t); });
  });
}

template <typename Predicate>
void SeriesReader::KeepIf(Placed& placed, Predicate keep) {
  size_t kept = 0;
  for (size_t i = 0; i < placed.count; ++i) {
    const TimestampMs t = times_[placed.time_at + i];
    if (!keep(t)) continue;
    times_[placed.time_at + kept] = t;
    values_[placed.value_at + kept] = values_[placed.value_at + i];
    ++kept;
  }
  times_.resize(placed.time_at + kept);
  values_.resize(placed.value_at + kept);
  placed.count = kept;
}

void SeriesReader::AddStartTimes(const SeriesSide& side, Placed& placed) {
  placed.starts = true;
  placed.start_at = starts_.size();
  starts_.resize(starts_.size() + placed.count, 0);
  for (const auto& start : side.starts) {
    const auto from = times_.begin() + static_cast<std::ptrdiff_t>(placed.time_at);
    const auto at = std::lower_bound(from, times_.end(), start.time);
    if (at != times_.end() && *at == start.time)
      starts_[placed.start_at + static_cast<size_t>(at - from)] = start.start_time;
  }
}

void SeriesReader::AddHistograms(const SeriesSide& side, Placed& placed) {
  placed.histogram_at = points_.size();
  const auto floats = std::span(times_).subspan(placed.time_at, placed.count);
  std::vector<const SeriesSide::HistogramEntry*> order;
  for (auto entry = side.histograms.rbegin(); entry != side.histograms.rend(); ++entry) {
    const bool gone = std::any_of(side.deleted.begin(), side.deleted.end(),
                                  [&](const TimeRange& r) { return r.Contains(entry->time); });
    if (!range_.Contains(entry->time) || gone || std::binary_search(floats.begin(), floats.end(), entry->time))
      continue;
    order.push_back(&*entry);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->time < b->time; });
  for (const auto* entry : order) {
    if (points_.size() > placed.histogram_at && points_.back().t == entry->time) continue;
    appended_.push_back(*entry);
    if (entry->floats != nullptr && entry->floats->counter_reset_hint == entry->hint) {
      held_.push_back(entry->floats);
      points_.push_back({entry->time, entry->floats.get(), entry->start_time, false});
    } else {
      FloatHistogram& h =
          converted_.emplace_back(entry->integer != nullptr ? ToFloat(*entry->integer) : *entry->floats);
      h.counter_reset_hint = entry->hint;
      points_.push_back({entry->time, &h, entry->start_time, entry->integer != nullptr});
    }
  }
  placed.histograms = points_.size() - placed.histogram_at;
}

}  // namespace epi::tsdb
