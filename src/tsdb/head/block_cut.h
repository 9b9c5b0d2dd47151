// Writes a stretch of the head as a block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "base/result.h"
#include "chunkenc/encoding.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/block_writer.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {

struct BlockCutOptions {
  uint32_t samples_per_chunk = 120;
  ChunkEncoding float_encoding = ChunkEncoding::kXor;
  bool keep_start_times = false;
  std::string foreign;                // one JSON object of keys for meta.json that are not Prometheus's; may be empty
  bool histogram_start_times = true;  // with keep_start_times: of histograms too
  const ChunkObservers* observers = nullptr;
};

// The samples with min_time <= t < max_time that `view` sees, as the block `directory`/`ulid` of level 1. Nothing when
// there are none. Samples in order before the view's clip are left out: they are in blocks already. Memory is that of a
// few series.
Result<std::optional<BlockMeta>> CutBlock(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                          const HeadView& view, TimestampMs min_time, TimestampMs max_time,
                                          std::optional<std::string> hint, const BlockCutOptions& options);

}  // namespace epi::tsdb
