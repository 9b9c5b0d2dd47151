// meta.json of a block: what it covers and where it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/block/ulid.h"

namespace epi::tsdb {

struct BlockStats {
  uint64_t samples = 0;
  uint64_t float_samples = 0;
  uint64_t histogram_samples = 0;
  uint64_t series = 0;
  uint64_t chunks = 0;
  uint64_t tombstones = 0;  // intervals, over all series
  friend bool operator==(const BlockStats&, const BlockStats&) = default;
};

struct BlockParent {
  Ulid ulid;
  TimestampMs min_time = 0;
  TimestampMs max_time = 0;
  friend bool operator==(const BlockParent&, const BlockParent&) = default;
};

// The words of compaction.hints.
inline constexpr std::string_view kHintOutOfOrder = "from-out-of-order";
inline constexpr std::string_view kHintStaleSeries = "from-stale-series";
inline constexpr std::string_view kHintSelectedSeries = "from-selected-series";

struct BlockCompaction {
  int level = 1;
  std::vector<Ulid> sources;         // level-1 ancestors, sorted; a level-1 block lists itself
  std::vector<BlockParent> parents;  // what it was made of; they are deleted once it can be loaded
  std::vector<std::string> hints;    // sorted
  bool deletable = false;            // became empty: removed at the next reload
  bool failed = false;               // the last compaction of it failed: left out of planning
  friend bool operator==(const BlockCompaction&, const BlockCompaction&) = default;
};

struct BlockMeta {
  Ulid ulid;
  TimestampMs min_time = 0;  // first sample or later bound of the range
  TimestampMs max_time = 0;  // not included
  BlockStats stats;
  BlockCompaction compaction;
  // Keys that are not ours ("thanos", …), as one JSON object; kept when the file is written again. May be empty.
  std::string foreign;

  bool HasHint(std::string_view hint) const;
  void AddHint(std::string_view hint);
};

// What our own blocks say about themselves beside Prometheus's keys: `"epimetheus":{"lsn":…,"until":…}`.
struct NativeMark {
  // Samples before `until` that the log had up to this number are in this block or an older one; 0 = nothing is said.
  uint64_t lsn = 0;
  // Up to here the head's samples in order have become blocks; not set in a block of late or backfilled samples.
  std::optional<TimestampMs> until;
  friend bool operator==(const NativeMark&, const NativeMark&) = default;
};
// Nothing when another program wrote the block.
std::optional<NativeMark> NativeMarkOf(const BlockMeta& meta);
// Other foreign keys stay.
void SetNativeMark(BlockMeta& meta, const NativeMark& mark);
// For BlockMeta::foreign of a block without other foreign keys.
std::string EncodeNativeMark(const NativeMark& mark);
// The end of what the block says about the head that wrote it, whoever that was: `until`, or without a mark the end of
// the block unless its samples were late.
std::optional<TimestampMs> HeadEndOf(const BlockMeta& meta);

// In Prometheus's order and indentation, without a newline at the end; ours first, then foreign keys.
std::string EncodeBlockMeta(const BlockMeta& meta);
// kUnsupported for a version other than 1, kDataLoss for anything that is no such file.
Result<BlockMeta> DecodeBlockMeta(std::string_view json);

// Whether this is the meta.json of a block that a faulty release (2.1) wrote with version 2; and the same text with
// version 1.
bool IsFaultyVersion2Meta(std::string_view json);
Result<std::string> WithMetaVersion1(std::string_view json);

// meta.json in a block's directory.
Result<BlockMeta> ReadBlockMeta(FileSystem& fs, const std::string& block_directory);
Result<void> WriteBlockMeta(FileSystem& fs, const std::string& block_directory, const BlockMeta& meta);

}  // namespace epi::tsdb
