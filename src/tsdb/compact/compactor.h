// Makes one block of several, or a block without deleted samples of one that has some: series by series, with the
// memory of a few series of each input.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "chunkenc/sample_chunker.h"
#include "tsdb/block/block.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/block_writer.h"

namespace epi::tsdb {

// Asked now and then during long work: may wait (to spare the disk), or end the work with kCanceled.
class WorkPace {
 public:
  virtual ~WorkPace() = default;
  // `bytes` were written since the last call.
  virtual Result<void> Step(uint64_t bytes) = 0;
};

struct CompactOptions {
  uint64_t max_segment_bytes = kDefaultChunkSegmentBytes;
  // For samples that have to be cut anew because chunks overlap. Start times are always kept.
  uint32_t samples_per_chunk = 120;
  ChunkEncoding float_encoding = ChunkEncoding::kXor;
  const ChunkObservers* observers = nullptr;  // told of the chunks of blocks of level 1; may be null
};

// Level, sources, parents, hints and range of the block made of `inputs`, as Prometheus derives them.
BlockMeta CompactedMeta(std::span<const BlockMeta> inputs);
// Of a block rewritten to be rid of deleted samples: level 1, itself as source, the old block as parent.
BlockMeta CleanedMeta(const BlockMeta& input);

// Writes the block `ulid` into `directory`. `meta` is one of the above; ulid and stats are filled in. Chunks that need
// no change are copied; samples in tombstones are dropped; where chunks of a series overlap, their samples are merged
// (of two with the same time one stays) and cut anew. Nothing when no sample remains. Errors leave no block behind.
// `pace` may be null.
Result<std::optional<BlockMeta>> CompactBlocks(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                               std::span<const std::shared_ptr<const Block>> inputs, BlockMeta meta,
                                               const CompactOptions& options, WorkPace* pace);

}  // namespace epi::tsdb
