// Which blocks are too old or too many.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "model/matcher.h"
#include "tsdb/block/block_meta.h"

namespace epi::tsdb {

// Series that match all of `matchers` are kept for `duration_ms` only.
struct RetentionRule {
  std::vector<Matcher> matchers;
  int64_t duration_ms = 0;
};

struct RetentionLimits {
  int64_t duration_ms = 0;  // 0 = no limit
  uint64_t max_bytes = 0;   // 0 = no limit
  // Of the file system's size, 0 to 100; replaces max_bytes when the size can be had. 0 = no limit.
  double percentage = 0;
  std::vector<RetentionRule> rules;
};

struct BlockSize {
  BlockMeta meta;
  uint64_t bytes = 0;
};

// Blocks whose newest sample is so much older than that of the newest block (not than now: a server that was off for
// long deletes nothing at its start). The newest block always stays.
std::set<Ulid> BlocksBeyondTime(std::span<const BlockSize> blocks, int64_t duration_ms);
// From the newest on, the first block with which all blocks and `other_bytes` (log, head) exceed the limit, and all
// older ones.
std::set<Ulid> BlocksBeyondSize(std::span<const BlockSize> blocks, uint64_t other_bytes, uint64_t max_bytes);
// The limit in bytes that holds on a file system of `total_bytes` (0 = unknown). 0 = none.
uint64_t EffectiveSizeLimit(const RetentionLimits& limits, uint64_t total_bytes);
// Samples of a rule's series up to this time go; `newest` is the end of the newest block. Moves on in steps of
// `step_ms`, so that tombstones are not written over and over.
TimestampMs RuleCutoff(const RetentionRule& rule, TimestampMs newest, int64_t step_ms);

}  // namespace epi::tsdb
