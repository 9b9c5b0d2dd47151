#include "tsdb/compact/retention.h"

#include <algorithm>

namespace epi::tsdb {
namespace {

// Newest first, as Prometheus orders them: by the end of their range.
std::vector<const BlockSize*> NewestFirst(std::span<const BlockSize> blocks) {
  std::vector<const BlockSize*> out;
  for (const auto& block : blocks) out.push_back(&block);
  std::stable_sort(out.begin(), out.end(),
                   [](const BlockSize* a, const BlockSize* b) { return a->meta.max_time > b->meta.max_time; });
  return out;
}

}  // namespace

std::set<Ulid> BlocksBeyondTime(std::span<const BlockSize> blocks, int64_t duration_ms) {
  std::set<Ulid> out;
  if (duration_ms <= 0 || blocks.empty()) return out;
  const auto sorted = NewestFirst(blocks);
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[0]->meta.max_time - sorted[i]->meta.max_time >= duration_ms) out.insert(sorted[i]->meta.ulid);
  }
  return out;
}

std::set<Ulid> BlocksBeyondSize(std::span<const BlockSize> blocks, uint64_t other_bytes, uint64_t max_bytes) {
  std::set<Ulid> out;
  if (max_bytes == 0) return out;
  uint64_t sum = other_bytes;
  for (const BlockSize* block : NewestFirst(blocks)) {
    sum += block->bytes;
    if (sum > max_bytes) out.insert(block->meta.ulid);
  }
  return out;
}

uint64_t EffectiveSizeLimit(const RetentionLimits& limits, uint64_t total_bytes) {
  if (limits.percentage > 0 && total_bytes > 0) {
    return static_cast<uint64_t>(static_cast<double>(total_bytes) * limits.percentage / 100);
  }
  return limits.max_bytes;
}

TimestampMs RuleCutoff(const RetentionRule& rule, TimestampMs newest, int64_t step_ms) {
  const TimestampMs cutoff = newest - rule.duration_ms;
  const int64_t rest = ((cutoff % step_ms) + step_ms) % step_ms;
  return cutoff - rest - 1;
}

}  // namespace epi::tsdb
