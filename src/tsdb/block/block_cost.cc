#include "tsdb/block/block_cost.h"

#include <unordered_map>

#include "model/label_names.h"

namespace epi::tsdb {
namespace {

// Adds up, by metric, pieces of files that lie one behind the other: where the next begins, the last one ends.
class Pieces {
 public:
  void Begin(uint64_t offset, uint64_t& owner) {
    End(offset);
    owner_ = &owner;
    begin_ = offset;
  }
  void End(uint64_t offset) {
    if (owner_ != nullptr && offset > begin_) *owner_ += offset - begin_;
    owner_ = nullptr;
  }

 private:
  uint64_t* owner_ = nullptr;
  uint64_t begin_ = 0;
};

constexpr uint64_t SegmentOf(BlockChunkRef ref) { return ref >> 32; }
constexpr uint64_t OffsetOf(BlockChunkRef ref) { return ref & 0xffffffff; }

Result<void> AddSeries(const Block& block, BlockCost& out) {
  const IndexReader& index = block.index();
  const ChunkSegments& segments = block.chunks();
  EPI_ASSIGN(const PostingsList all, index.AllPostings());
  const uint64_t unit = index.version() == 1 ? 1 : kSeriesAlignment;
  std::unordered_map<IndexSymbol, uint64_t> metrics;
  uint64_t nameless = 0;
  std::optional<IndexSymbol> name_symbol;
  Pieces entries, chunks;
  uint64_t segment = 0;
  IndexSeries series;
  for (const BlockSeriesRef ref : all) {
    EPI_TRY(index.Series(ref, series));
    uint64_t* owner = &nameless;
    for (const IndexLabel& label : series.labels) {
      if (!name_symbol) {
        EPI_ASSIGN(const auto text, index.Symbol(label.name));
        if (text == kMetricName) name_symbol = label.name;
      }
      if (name_symbol == label.name) {
        owner = &metrics[label.value];
        break;
      }
    }
    entries.Begin(uint64_t{ref} * unit, *owner);
    for (const ChunkMeta& chunk : series.chunks) {
      if (SegmentOf(chunk.ref) != segment) {
        if (segment < segments.segments()) chunks.End(segments.segment_bytes(segment));
        segment = SegmentOf(chunk.ref);
      }
      chunks.Begin(OffsetOf(chunk.ref), *owner);
    }
  }
  entries.End(index.toc().label_indices != 0 ? index.toc().label_indices : index.toc().postings);
  if (segment < segments.segments()) chunks.End(segments.segment_bytes(segment));
  for (const auto& [symbol, bytes] : metrics) {
    EPI_ASSIGN(const auto text, index.Symbol(symbol));
    out.metrics[std::string(text)] += bytes;
  }
  if (nameless > 0) out.metrics[""] += nameless;
  return {};
}

void AddLabels(const IndexReader& index, BlockCost& out) {
  for (const std::string_view name : index.LabelNames()) {
    uint64_t bytes = 0;
    for (auto cursor = index.Values(name); cursor.Next();)
      bytes += cursor.value().size() + index.PostingsLength(cursor.postings_offset()) * sizeof(uint32_t);
    out.labels[std::string(name)] += bytes;
  }
}

}  // namespace

Result<BlockCost> CostOfBlock(const Block& block) {
  BlockCost out;
  EPI_TRY(AddSeries(block, out));
  AddLabels(block.index(), out);
  EPI_TRY(block.index().CheckWhole());
  block.index().DropResident();
  return out;
}

Result<std::vector<std::shared_ptr<const BlockCost>>> BlockCosts::Of(
    std::span<const std::shared_ptr<const Block>> blocks) {
  const std::lock_guard lock(mutex_);
  std::map<Ulid, std::shared_ptr<const BlockCost>> known;
  std::vector<std::shared_ptr<const BlockCost>> out;
  for (const auto& block : blocks) {
    const Ulid ulid = block->meta().ulid;
    auto& cost = known[ulid];
    if (const auto found = known_.find(ulid); found != known_.end()) {
      cost = found->second;
    } else {
      auto fresh = CostOfBlock(*block);
      if (!fresh) return Fail(fresh.error().WithContext("block " + ulid.ToString()));
      cost = std::make_shared<const BlockCost>(std::move(*fresh));
    }
    out.push_back(cost);
  }
  known_ = std::move(known);
  return out;
}

}  // namespace epi::tsdb
