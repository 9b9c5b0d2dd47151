#include "tsdb/compact/block_store.h"

#include <algorithm>
#include <limits>

#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

// What a snapshot links: everything in these; other files in a block's directory are not ours.
Result<void> LinkBlock(FileSystem& fs, const std::string& from, const std::string& to) {
  const std::string temporary = to + std::string(kOldTemporarySuffix);
  EPI_TRY(fs.RemoveAll(temporary));
  EPI_TRY(fs.CreateDirectories(JoinPath(temporary, kChunksDirectory)));
  for (const auto name : {kMetaFile, kIndexFile, kTombstonesFile}) {
    const auto linked = fs.HardLink(JoinPath(from, name), JoinPath(temporary, name));
    const bool optional = name == kTombstonesFile && !linked && linked.error().code() == ErrorCode::kNotFound;
    if (!linked && !optional) return linked;
  }
  const std::string chunks = JoinPath(from, kChunksDirectory);
  EPI_ASSIGN(const auto segments, ListNumberedFiles(fs, chunks));
  for (const auto& segment : segments) {
    EPI_TRY(fs.HardLink(JoinPath(chunks, segment.name), JoinPath(JoinPath(temporary, kChunksDirectory), segment.name)));
  }
  EPI_TRY(fs.SyncDirectory(JoinPath(temporary, kChunksDirectory)));
  EPI_TRY(fs.SyncDirectory(temporary));
  return fs.Rename(temporary, to);
}

// The times of blocks that are in one list only; an empty range when there are none.
TimeRange Exchanged(const BlockList& before, const BlockList& after) {
  TimeRange range{std::numeric_limits<TimestampMs>::max(), std::numeric_limits<TimestampMs>::min()};
  const auto include_missing = [&](const BlockList& from, const BlockList& in) {
    for (const auto& block : from) {
      if (std::find(in.begin(), in.end(), block) != in.end()) continue;
      range.min = std::min(range.min, block->range().min);
      range.max = std::max(range.max, block->range().max);
    }
  };
  include_missing(before, after);
  include_missing(after, before);
  return range;
}

bool OlderFirst(const std::shared_ptr<const Block>& a, const std::shared_ptr<const Block>& b) {
  return a->meta().min_time < b->meta().min_time;
}

}  // namespace

std::shared_ptr<const BlockList> BlockStore::blocks() const {
  const std::lock_guard lock(mutex_);
  return blocks_;
}

BlockStoreCounts BlockStore::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void BlockStore::SetRetention(RetentionLimits limits) {
  const std::lock_guard lock(mutex_);
  retention_ = std::move(limits);
}

RetentionLimits BlockStore::retention() const {
  const std::lock_guard lock(mutex_);
  return retention_;
}

Result<void> BlockStore::Reload(uint64_t other_bytes) {
  const std::lock_guard exclusive(reload_mutex_);
  auto done = ReloadLocked(other_bytes);
  const std::lock_guard lock(mutex_);
  ++(done ? counts_.reloads : counts_.reloads_failed);
  return done;
}

Result<void> BlockStore::ReloadLocked(uint64_t other_bytes) {
  EPI_ASSIGN(const auto directories, ListBlockDirectories(fs_, options_.directory));
  const auto before = blocks();
  BlockList loaded;
  std::vector<std::pair<Ulid, Error>> corrupted;
  for (const auto& directory : directories) {
    auto meta = ReadBlockMeta(fs_, directory);
    if (!meta) {
      logger_.Error("Failed to read meta.json for a block during reload; skipping",
                    {{"dir", directory}, {"err", meta.error().message()}});
      continue;
    }
    const auto known = std::find_if(before->begin(), before->end(), [&](const auto& b) {
      return b->meta().ulid == meta->ulid && b->directory() == directory;
    });
    if (known != before->end()) {
      // The flags in meta.json may have changed since it was opened; the object keeps the files.
      loaded.push_back(*known);
      continue;
    }
    auto block = Block::Open(fs_, directory);
    if (block) {
      loaded.push_back(std::move(*block));
    } else {
      corrupted.emplace_back(meta->ulid, block.error());
    }
  }
  std::sort(loaded.begin(), loaded.end(), OlderFirst);
  const std::set<Ulid> obsolete = Obsolete(loaded, other_bytes);
  for (const auto& [ulid, error] : corrupted) {
    if (!obsolete.contains(ulid)) return Fail(error.WithContext("corrupted block " + ulid.ToString()));
  }
  auto kept = std::make_shared<BlockList>();
  for (const auto& block : loaded)
    if (!obsolete.contains(block->meta().ulid)) kept->push_back(block);
  {
    const ScopedChange change(options_.changes, Exchanged(*before, *kept));
    const std::lock_guard lock(mutex_);
    blocks_ = std::move(kept);
  }
  for (const auto& directory : directories) {
    const auto meta = ReadBlockMeta(fs_, directory);
    const auto name = Ulid::Parse(BaseName(directory));
    if (!meta || !obsolete.contains(meta->ulid) || !name) continue;
    logger_.Info("Deleting obsolete block", {{"block", meta->ulid.ToString()}});
    EPI_TRY(DeleteBlockDirectory(fs_, options_.directory, *name));
  }
  return {};
}

void BlockStore::DropResident() const {
  const auto list = blocks();
  for (const auto& block : *list) block->index().DropResident();
}

std::set<Ulid> BlockStore::Obsolete(const BlockList& loaded, uint64_t other_bytes) {
  RetentionLimits limits;
  {
    const std::lock_guard lock(mutex_);
    limits = retention_;
  }
  std::set<Ulid> out;
  std::vector<BlockSize> sizes;
  for (const auto& block : loaded) {
    const auto meta = ReadBlockMeta(fs_, block->directory());
    if (meta && meta->compaction.deletable) out.insert(block->meta().ulid);
    for (const auto& parent : block->meta().compaction.parents) out.insert(parent.ulid);
    sizes.push_back({block->meta(), block->bytes()});
  }
  const auto beyond_time = BlocksBeyondTime(sizes, limits.duration_ms);
  uint64_t total_bytes = 0;
  if (limits.percentage > 0) {
    const auto space = fs_.DiskSpace(options_.directory);
    if (space) {
      total_bytes = space->total_bytes;
    } else {
      logger_.Warn("Unable to detect the size of the file system; using the fixed size limit",
                   {{"err", space.error().message()}});
    }
  }
  const auto beyond_size = BlocksBeyondSize(sizes, other_bytes, EffectiveSizeLimit(limits, total_bytes));
  {
    const std::lock_guard lock(mutex_);
    counts_.time_retentions += beyond_time.empty() ? 0 : 1;
    counts_.size_retentions += beyond_size.empty() ? 0 : 1;
  }
  out.insert(beyond_time.begin(), beyond_time.end());
  out.insert(beyond_size.begin(), beyond_size.end());
  return out;
}

Result<void> BlockStore::UpdateMeta(const Block& block, const std::function<void(BlockMeta&)>& change) {
  EPI_ASSIGN(BlockMeta meta, ReadBlockMeta(fs_, block.directory()));
  change(meta);
  return WriteBlockMeta(fs_, block.directory(), meta);
}

Result<std::optional<BlockStore::Compacted>> BlockStore::CompactOnce(uint64_t other_bytes, WorkPace* pace) {
  const std::lock_guard work(work_mutex_);
  const auto list = blocks();
  std::vector<BlockMeta> metas;
  for (const auto& block : *list) {
    // From disk: marks of failure and counts of deletions change while a block is open.
    EPI_ASSIGN(auto meta, ReadBlockMeta(fs_, block->directory()));
    metas.push_back(std::move(meta));
  }
  const auto ready = uploads_.Compactable(metas, fs_, clock_, logger_);
  std::vector<BlockMeta> ready_metas;
  for (const size_t i : ready) ready_metas.push_back(metas[i]);
  auto plan = PlanCompaction(ready_metas, options_.planner);
  if (plan.empty()) return std::nullopt;
  for (size_t& i : plan) i = ready[i];
  std::vector<std::shared_ptr<const Block>> inputs;
  std::vector<BlockMeta> planned;
  bool overlapping = false;
  for (const size_t i : plan) {
    overlapping = overlapping || (!planned.empty() && metas[i].min_time < planned.back().max_time);
    inputs.push_back((*list)[i]);
    planned.push_back(metas[i]);
  }
  auto done = CompactLocked(std::move(inputs), CompactedMeta(planned), pace);
  {
    const std::lock_guard lock(mutex_);
    ++counts_.compactions;
    if (overlapping) ++counts_.overlapping_compactions;
  }
  if (!done) return done;
  EPI_TRY(Reload(other_bytes));
  return done;
}

Result<std::optional<BlockStore::Compacted>> BlockStore::CompactLocked(std::vector<std::shared_ptr<const Block>> inputs,
                                                                       BlockMeta meta, WorkPace* pace) {
  const BlockWriteMeter::Scope metered(meter_);
  const Ulid ulid = NewUlid();
  CompactOptions options = options_.compact;
  options.float_encoding = float_encoding_;
  auto written = CompactBlocks(fs_, options_.directory, ulid, inputs, std::move(meta), options, pace);
  if (!written) {
    if (written.error().code() != ErrorCode::kCanceled) {
      for (const auto& block : inputs) {
        const auto marked = UpdateMeta(*block, [](BlockMeta& m) { m.compaction.failed = true; });
        if (!marked) {
          logger_.Error("Cannot mark a block whose compaction failed",
                        {{"block", block->meta().ulid.ToString()}, {"err", marked.error().message()}});
        }
      }
    }
    return Fail(std::move(written).error());
  }
  Compacted out{.ulid = std::nullopt, .inputs = inputs.size()};
  if (written->has_value()) {
    out.ulid = ulid;
    logger_.Info("compact blocks", {{"count", inputs.size()},
                                    {"mint", (*written)->min_time},
                                    {"maxt", (*written)->max_time},
                                    {"ulid", ulid.ToString()}});
  } else {
    for (const auto& block : inputs) EPI_TRY(UpdateMeta(*block, [](BlockMeta& m) { m.compaction.deletable = true; }));
  }
  return out;
}

Result<void> BlockStore::CleanTombstones(uint64_t other_bytes, WorkPace* pace) {
  const std::lock_guard work(work_mutex_);
  const auto list = blocks();
  for (const auto& block : *list) {
    if (block->tombstones()->empty()) continue;
    EPI_TRY(CompactLocked({block}, CleanedMeta(block->meta()), pace));
    EPI_TRY(Reload(other_bytes));
  }
  return {};
}

Result<size_t> BlockStore::Delete(std::span<const Matcher> matchers, TimeRange range) {
  const std::lock_guard work(work_mutex_);
  const ScopedChange change(options_.changes, range);
  size_t touched = 0;
  const auto list = blocks();
  for (const auto& block : *list) {
    if (!block->range().Overlaps(range)) continue;
    EPI_ASSIGN(const size_t in_block, block->Delete(matchers, range));
    touched += in_block;
  }
  return touched;
}

Result<size_t> BlockStore::ApplyRetentionRules() {
  const std::lock_guard work(work_mutex_);
  std::vector<RetentionRule> rules;
  {
    const std::lock_guard lock(mutex_);
    rules = retention_.rules;
  }
  const auto list = blocks();
  TimestampMs newest = std::numeric_limits<TimestampMs>::min();
  for (const auto& block : *list) newest = std::max(newest, block->meta().max_time);
  size_t touched = 0;
  if (list->empty() || options_.planner.ranges_ms.empty()) return touched;
  for (const auto& rule : rules) {
    const TimeRange expired{std::numeric_limits<TimestampMs>::min(),
                            RuleCutoff(rule, newest, options_.planner.ranges_ms.front())};
    for (const auto& block : *list) {
      if (!block->range().Overlaps(expired)) continue;
      const ScopedChange change(options_.changes, {std::max(expired.min, block->range().min), expired.max});
      EPI_ASSIGN(const size_t in_block, block->Delete(rule.matchers, expired));
      touched += in_block;
    }
  }
  return touched;
}

Result<void> BlockStore::Snapshot(const std::string& directory) {
  if (directory == options_.directory) return Fail(ErrorCode::kInvalid, "cannot snapshot into base directory");
  if (Ulid::Parse(BaseName(directory))) {
    return Fail(ErrorCode::kInvalid, "the name of a snapshot directory must not be a valid ULID");
  }
  const std::lock_guard work(work_mutex_);
  EPI_TRY(fs_.CreateDirectories(directory));
  const auto list = blocks();
  for (const auto& block : *list) {
    EPI_TRY(LinkBlock(fs_, block->directory(), JoinPath(directory, BaseName(block->directory()))));
  }
  return fs_.SyncDirectory(directory);
}

Result<void> RepairIndexVersions(FileSystem& fs, const std::string& data_directory) {
  EPI_ASSIGN(const auto directories, ListBlockDirectories(fs, data_directory));
  for (const auto& directory : directories) {
    const std::string meta_path = JoinPath(directory, kMetaFile);
    auto meta = fs.ReadFile(meta_path);
    if (!meta || !IsFaultyVersion2Meta(*meta)) continue;
    const std::string index_path = JoinPath(directory, kIndexFile);
    EPI_ASSIGN(std::string index, fs.ReadFile(index_path, uint64_t{64} << 30));
    if (index.size() < 5) return Fail(ErrorCode::kDataLoss, index_path + " is too short");
    index[4] = 2;
    EPI_TRY(fs.WriteFileAtomically(index_path, index));
    EPI_ASSIGN(const auto repaired, WithMetaVersion1(*meta));
    EPI_TRY(fs.WriteFileAtomically(meta_path, repaired));
  }
  return {};
}

}  // namespace epi::tsdb
