#include "tsdb/compact/compaction_planner.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

constexpr size_t kMaxRanges = 10;
constexpr int64_t kRangeFactor = 3;
// A block of the larger half of the ranges is rewritten when more than this part of its series has deletions.
constexpr double kTombstoneShare = 0.05;

int64_t FloorAlign(int64_t t, int64_t range) { return range * (t >= 0 ? t / range : (t - range + 1) / range); }

// Everything below works on indexes into `blocks`, sorted by min_time.
using Picked = std::vector<size_t>;

Picked SelectOverlapping(std::span<const BlockMeta> blocks, const Picked& sorted) {
  Picked out;
  if (sorted.size() < 2) return out;
  int64_t max_time = blocks[sorted[0]].max_time;
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (blocks[sorted[i]].min_time < max_time) {
      if (out.empty()) out.push_back(sorted[i - 1]);
      out.push_back(sorted[i]);
    } else if (!out.empty()) {
      break;
    }
    max_time = std::max(max_time, blocks[sorted[i]].max_time);
  }
  return out;
}

std::vector<Picked> Split(std::span<const BlockMeta> blocks, const Picked& sorted, int64_t range) {
  std::vector<Picked> out;
  for (size_t i = 0; i < sorted.size();) {
    const int64_t end = FloorAlign(blocks[sorted[i]].min_time, range) + range;
    if (blocks[sorted[i]].max_time > end) {
      ++i;
      continue;
    }
    Picked& group = out.emplace_back();
    for (; i < sorted.size() && blocks[sorted[i]].max_time <= end; ++i) group.push_back(sorted[i]);
  }
  return out;
}

Picked SelectLevel(std::span<const BlockMeta> blocks, const Picked& sorted, const PlannerOptions& options) {
  if (sorted.empty()) return {};
  const int64_t high_time = blocks[sorted.back()].min_time;
  for (size_t level = 1; level < options.ranges_ms.size(); ++level) {
    const int64_t range = options.ranges_ms[level];
    for (const Picked& group : Split(blocks, sorted, range)) {
      if (group.size() < 2) continue;
      const bool failed =
          std::any_of(group.begin(), group.end(), [&](size_t i) { return blocks[i].compaction.failed; });
      const int64_t max_time = blocks[group.back()].max_time;
      const bool full = max_time - blocks[group.front()].min_time == range;
      if (!failed && (full || max_time <= high_time)) return group;
    }
  }
  return {};
}

Picked SelectDeleted(std::span<const BlockMeta> blocks, const Picked& sorted, const PlannerOptions& options) {
  const int64_t middle = options.ranges_ms[options.ranges_ms.size() / 2];
  for (size_t i = sorted.size(); i-- > 0;) {
    const BlockMeta& meta = blocks[sorted[i]];
    const auto tombstones = meta.stats.tombstones;
    if (meta.max_time - meta.min_time < middle) {
      if (tombstones > 0 && tombstones >= meta.stats.series) return {sorted[i]};
      break;
    }
    if (static_cast<double>(tombstones) / static_cast<double>(meta.stats.series + 1) > kTombstoneShare)
      return {sorted[i]};
  }
  return {};
}

Picked PlanClass(std::span<const BlockMeta> blocks, Picked sorted, const PlannerOptions& options) {
  if (options.merge_overlapping) {
    if (auto overlapping = SelectOverlapping(blocks, sorted); !overlapping.empty()) return overlapping;
  }
  if (sorted.empty()) return {};
  sorted.pop_back();  // the newest may still be backed up or be about to get a neighbour
  if (auto level = SelectLevel(blocks, sorted, options); !level.empty()) return level;
  return SelectDeleted(blocks, sorted, options);
}

}  // namespace

std::vector<int64_t> ExponentialRanges(int64_t min_ms, int64_t max_ms) {
  std::vector<int64_t> out;
  int64_t range = min_ms;
  for (size_t i = 0; i < kMaxRanges && (i == 0 || range <= max_ms); ++i) {
    out.push_back(range);
    if (range > max_ms / kRangeFactor) break;
    range *= kRangeFactor;
  }
  return out;
}

std::vector<std::vector<size_t>> SplitByRange(std::span<const BlockMeta> sorted, int64_t range_ms) {
  Picked all(sorted.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return Split(sorted, all, range_ms);
}

std::vector<size_t> PlanCompaction(std::span<const BlockMeta> blocks, const PlannerOptions& options) {
  if (options.ranges_ms.empty()) return {};
  Picked others, stale, selected;
  for (size_t i = 0; i < blocks.size(); ++i) {
    Picked& of = blocks[i].HasHint(kHintStaleSeries)      ? stale
                 : blocks[i].HasHint(kHintSelectedSeries) ? selected
                                                          : others;
    of.push_back(i);
  }
  for (Picked* of : {&others, &stale, &selected}) {
    std::stable_sort(of->begin(), of->end(),
                     [&](size_t a, size_t b) { return blocks[a].min_time < blocks[b].min_time; });
    if (auto plan = PlanClass(blocks, std::move(*of), options); !plan.empty()) return plan;
  }
  return {};
}

}  // namespace epi::tsdb
