// What readers see: copied under the lock, decoded without it.
#include <algorithm>

#include "tsdb/head/group.h"
#include "tsdb/head/value_codec.h"

namespace epi::tsdb {

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

}  // namespace epi::tsdb
