// Which blocks are compacted next, as Prometheus's leveled compactor plans it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tsdb/block/block_meta.h"

namespace epi::tsdb {

struct PlannerOptions {
  // Lengths of blocks, ascending: what the head writes, and what blocks grow to. See ExponentialRanges.
  std::vector<int64_t> ranges_ms;
  bool merge_overlapping = true;
};

// min, 3 min, 9 min, …: at most ten, none above `max_ms` (but always the first).
std::vector<int64_t> ExponentialRanges(int64_t min_ms, int64_t max_ms);

// Consecutive blocks of a list sorted by min_time that lie within one window [k * range, (k + 1) * range). Blocks that
// fit no window are left out.
std::vector<std::vector<size_t>> SplitByRange(std::span<const BlockMeta> sorted, int64_t range_ms);

// The blocks to make one of, as indexes into `blocks` in order of time; empty when there is nothing to do. Blocks
// hinted as of stale or of selected series are planned among themselves, after the others.
std::vector<size_t> PlanCompaction(std::span<const BlockMeta> blocks, const PlannerOptions& options);

}  // namespace epi::tsdb
