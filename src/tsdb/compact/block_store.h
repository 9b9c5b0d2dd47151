// The blocks of a data directory: loaded, replaced by compaction, deleted by retention, cleaned, linked into snapshots.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "storage/change_log.h"
#include "telemetry/log.h"
#include "tsdb/block/block.h"
#include "tsdb/block/block_write_meter.h"
#include "tsdb/compact/compaction_planner.h"
#include "tsdb/compact/compactor.h"
#include "tsdb/compact/retention.h"
#include "tsdb/compact/upload_list.h"

namespace epi::tsdb {

using BlockList = std::vector<std::shared_ptr<const Block>>;

struct BlockStoreOptions {
  std::string directory;
  PlannerOptions planner;
  CompactOptions compact;
  RetentionLimits retention;
  // Told of samples that come or go with blocks and deletions; outlives the store. May be null.
  ChangeLog* changes = nullptr;
  // Where a shipper notes what it has uploaded: other new blocks are not compacted. Empty: nothing waits.
  std::string upload_list;
  Observer* write_seconds = nullptr;  // how long each writing of a block takes; may be null
};

// What happened since the store was made; for the server's own metrics.
struct BlockStoreCounts {
  uint64_t compactions = 0;  // of blocks into one
  uint64_t overlapping_compactions = 0;
  uint64_t reloads = 0;
  uint64_t reloads_failed = 0;
  uint64_t time_retentions = 0;
  uint64_t size_retentions = 0;
};

// Thread-safe. Reading takes the list of the moment and needs no lock afterwards. Compaction, cleaning, deletion of
// samples and snapshots exclude one another; reloading may come in between.
class BlockStore {
 public:
  BlockStore(FileSystem& fs, Clock& clock, Random& random, Logger logger, BlockStoreOptions options)
      : fs_(fs),
        clock_(clock),
        random_(random),
        logger_(std::move(logger)),
        options_(std::move(options)),
        uploads_(options_.upload_list),
        meter_(clock, options_.write_seconds) {}

  // Sorted by min_time. Never null.
  std::shared_ptr<const BlockList> blocks() const;
  // Loads what is new in the directory, lets go of what is gone, and deletes blocks that are replaced, empty or beyond
  // retention. `other_bytes` is what log and head take, for retention by size. A directory without a readable meta.json
  // is skipped with a line in the log; a block that cannot be opened fails the reload (and the list stays) unless
  // another one replaces it.
  Result<void> Reload(uint64_t other_bytes);
  void SetRetention(RetentionLimits limits);
  RetentionLimits retention() const;
  // Of what compaction encodes anew from now on.
  void SetFloatEncoding(ChunkEncoding encoding) { float_encoding_ = encoding; }

  // Plans and compacts once, and reloads. Nothing when there was nothing to do; otherwise the new block (none when all
  // samples were deleted). On failure the inputs are marked, so that they are left out until somebody looks; not on
  // kCanceled.
  struct Compacted {
    std::optional<Ulid> ulid;
    size_t inputs = 0;
  };
  Result<std::optional<Compacted>> CompactOnce(uint64_t other_bytes, WorkPace* pace);
  // Rewrites every block with deleted samples.
  Result<void> CleanTombstones(uint64_t other_bytes, WorkPace* pace);
  // In all blocks that overlap. The number of series touched, summed over blocks.
  Result<size_t> Delete(std::span<const Matcher> matchers, TimeRange range);
  // Applies the retention rules by tombstones. The number of series touched.
  Result<size_t> ApplyRetentionRules();
  // Links all blocks into `directory`, which must not be the data directory.
  Result<void> Snapshot(const std::string& directory);
  // Whatever opening, compaction and queries have touched of the indexes no longer counts as memory of the process.
  void DropResident() const;
  BlockStoreCounts counts() const;
  // Whoever writes a block into the directory beside the store uses it too.
  BlockWriteMeter& meter() { return meter_; }
  const BlockWriteMeter& meter() const { return meter_; }
  // A new name, from clock and random.
  Ulid NewUlid() { return Ulid::Make(clock_.NowMs(), random_); }

 private:
  Result<void> ReloadLocked(uint64_t other_bytes);
  std::set<Ulid> Obsolete(const BlockList& loaded, uint64_t other_bytes);
  Result<std::optional<Compacted>> CompactLocked(std::vector<std::shared_ptr<const Block>> inputs, BlockMeta meta,
                                                 WorkPace* pace);
  // Changes meta.json of a block that may be loaded.
  Result<void> UpdateMeta(const Block& block, const std::function<void(BlockMeta&)>& change);

  FileSystem& fs_;
  Clock& clock_;
  Random& random_;
  Logger logger_;
  const BlockStoreOptions options_;
  std::atomic<ChunkEncoding> float_encoding_ = options_.compact.float_encoding;
  UploadList uploads_;  // guarded by work_mutex_
  BlockWriteMeter meter_;
  std::mutex work_mutex_;    // held by compaction, cleaning, deletion, snapshot; taken before reload_mutex_
  std::mutex reload_mutex_;  // held by a reload
  mutable std::mutex mutex_;
  std::shared_ptr<const BlockList> blocks_ = std::make_shared<const BlockList>();  // guarded by mutex_
  RetentionLimits retention_ = options_.retention;                                 // guarded by mutex_
  BlockStoreCounts counts_;                                                        // guarded by mutex_
};

// Repairs blocks of Prometheus 2.1, whose meta.json says version 2 and whose index says 1 but is 2. Touches nothing
// else.
Result<void> RepairIndexVersions(FileSystem& fs, const std::string& data_directory);

}  // namespace epi::tsdb
