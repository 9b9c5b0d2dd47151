#include "epitool/stored_blocks.h"

#include <algorithm>
#include <limits>
#include <set>

#include "tsdb/block/merge_selections.h"
#include "tsdb/block/text_table.h"

namespace epi::tool {
namespace {

using BlockVector = std::vector<std::shared_ptr<const tsdb::Block>>;

class StoredBlocksView final : public View {
 public:
  explicit StoredBlocksView(BlockVector blocks) : blocks_(std::move(blocks)) {}

  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    SelectHints sorted = hints;
    sorted.sorted = true;
    std::vector<std::unique_ptr<SeriesSelection>> inputs;
    // Of several samples with one time the newest block's is kept.
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
      if (!(*block)->range().Overlaps(hints.range)) continue;
      EPI_ASSIGN(inputs.emplace_back(), (*block)->Select(matchers, sorted, symbols_, budget));
    }
    if (inputs.empty()) return std::make_unique<EmptySelection>();
    if (inputs.size() == 1) return std::move(inputs.front());
    return tsdb::MergeSelections(std::move(inputs), symbols_);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget&) const override {
    std::vector<std::vector<std::string>> lists;
    for (const auto& block : blocks_) {
      EPI_ASSIGN(lists.emplace_back(), block->LabelValues(name, matchers, limit));
    }
    return tsdb::MergeSortedTexts(std::move(lists), limit);
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit, Budget&) const override {
    std::vector<std::vector<std::string>> lists;
    for (const auto& block : blocks_) {
      EPI_ASSIGN(lists.emplace_back(), block->LabelNames(matchers, limit));
    }
    return tsdb::MergeSortedTexts(std::move(lists), limit);
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>>, TimeRange) const override {
    return std::vector<SeriesExemplars>();  // blocks have none
  }
  const SymbolSpace& symbols() const override { return symbols_; }
  bool OrderedByLabels(TimeRange) const override { return true; }

 private:
  BlockVector blocks_;
  tsdb::LocalSymbols symbols_;
};

}  // namespace

Result<std::unique_ptr<StoredBlocks>> StoredBlocks::Open(FileSystem& files, const std::string& directory) {
  EPI_ASSIGN(const std::vector<std::string> names, files.List(directory));
  auto out = std::make_unique<StoredBlocks>();
  std::set<std::string> replaced;
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    if (!files.Exists(JoinPath(path, "meta.json"))) continue;
    auto block = tsdb::Block::Open(files, path);
    if (!block) continue;
    for (const auto& parent : (*block)->meta().compaction.parents) replaced.insert(parent.ulid.ToString());
    out->blocks_.push_back(std::move(*block));
  }
  std::erase_if(out->blocks_, [&](const auto& block) { return replaced.contains(block->meta().ulid.ToString()); });
  if (out->blocks_.empty()) return Fail(ErrorCode::kNotFound, "no blocks found in " + directory);
  std::sort(out->blocks_.begin(), out->blocks_.end(),
            [](const auto& a, const auto& b) { return a->meta().min_time < b->meta().min_time; });
  return out;
}

Result<std::shared_ptr<const View>> StoredBlocks::OpenView(TimeRange range) const {
  BlockVector blocks;
  std::copy_if(blocks_.begin(), blocks_.end(), std::back_inserter(blocks),
               [&](const auto& block) { return block->range().Overlaps(range); });
  return std::make_shared<const StoredBlocksView>(std::move(blocks));
}

Result<std::unique_ptr<BatchAppender>> StoredBlocks::OpenGroup(const GroupIdentity&) {
  return Fail(ErrorCode::kUnsupported, "blocks are read only");
}

TimestampMs StoredBlocks::OldestTime() const { return blocks_.front()->range().min; }

TimestampMs StoredBlocks::newest_time() const {
  TimestampMs newest = std::numeric_limits<TimestampMs>::min();
  for (const auto& block : blocks_) newest = std::max(newest, block->range().max);
  return newest;
}

}  // namespace epi::tool
