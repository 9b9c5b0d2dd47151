#include "tsdb/block/block_selection.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"
#include "tsdb/block/block.h"
#include "tsdb/block/matcher_postings.h"
#include "tsdb/block/series_arrays.h"

namespace epi::tsdb {
namespace {

constexpr IndexSymbol kUntranslated = 0xffffffff;

// Symbols of one block in a view's space, each translated once.
class SymbolTranslation {
 public:
  SymbolTranslation(const IndexReader& index, const SymbolSpace& space) : index_(index), space_(space) {}
  Result<SymbolId> Translate(IndexSymbol symbol) {
    // Version 1 names symbols by offset, so the table is of offsets there; such indexes are tiny.
    if (symbol >= known_.size())
      known_.resize(std::max<size_t>(index_.symbol_count(), size_t{symbol} + 1), kUntranslated);
    if (known_[symbol] == kUntranslated) {
      EPI_ASSIGN(const auto text, index_.Symbol(symbol));
      known_[symbol] = static_cast<uint32_t>(space_.Intern(text));
    }
    return SymbolId{known_[symbol]};
  }

 private:
  const IndexReader& index_;
  const SymbolSpace& space_;
  std::vector<uint32_t> known_;
};

struct ReadScratch final : SeriesBatch::Scratch {
  SeriesArrays arrays;
  ChunkReadBatch chunks;
  std::vector<BlockChunkRef> refs;
};

class BlockSelection final : public SeriesSelection {
 public:
  BlockSelection(std::shared_ptr<const Block> block, TimeRange range, Budget& budget)
      : block_(std::move(block)), tombstones_(block_->tombstones()), range_(range), charge_(budget) {}

  Result<void> Load(std::span<const Matcher> matchers, const SelectHints& hints, const SymbolSpace& symbols,
                    Budget& budget);

  size_t size() const override { return series_.size(); }
  LabelTuple labels(size_t index) const override {
    const size_t end = index + 1 < series_.size() ? series_[index + 1].first_label : labels_.size();
    return std::span(labels_).subspan(series_[index].first_label, end - series_[index].first_label);
  }
  Result<void> Read(size_t first, size_t count, SeriesBatch& batch) const override;

 private:
  struct Entry {
    size_t first_label = 0;
    size_t first_chunk = 0;
    BlockSeriesRef ref = 0;
  };
  std::span<const ChunkMeta> ChunksOf(size_t index) const {
    const size_t end = index + 1 < series_.size() ? series_[index + 1].first_chunk : chunks_.size();
    return std::span(chunks_).subspan(series_[index].first_chunk, end - series_[index].first_chunk);
  }
  const Intervals* DeletedOf(BlockSeriesRef ref) const {
    const auto at = tombstones_->find(ref);
    return at == tombstones_->end() ? nullptr : &at->second;
  }
  Result<void> DecodeSeries(size_t index, std::span<const ChunkView> chunks, SeriesArrays& out) const;
  Result<void> DecodeFloats(const ChunkView& chunk, const ChunkMeta& meta, const Intervals* deleted,
                            SeriesArrays& out) const;
  template <typename Kind>
  Result<void> DecodeHistograms(const ChunkView& chunk, const ChunkMeta& meta, const Intervals* deleted,
                                SeriesArrays& out) const;

  std::shared_ptr<const Block> block_;
  std::shared_ptr<const Tombstones> tombstones_;
  TimeRange range_;
  std::vector<Entry> series_;
  std::vector<LabelSymbols> labels_;
  std::vector<ChunkMeta> chunks_;
  BudgetCharge charge_;
};

Result<void> BlockSelection::Load(std::span<const Matcher> matchers, const SelectHints& hints,
                                  const SymbolSpace& symbols, Budget& budget) {
  const IndexReader& index = block_->index();
  EPI_ASSIGN(const PostingsList refs, PostingsForMatchers(index, matchers));
  BudgetCharge postings(budget);
  EPI_TRY(postings.Add(static_cast<int64_t>(refs.size() * sizeof(BlockSeriesRef))));
  SymbolTranslation translation(index, symbols);
  IndexSeries series;
  size_t charged = 0;
  for (const BlockSeriesRef ref : refs) {
    EPI_TRY(index.Series(ref, series));
    const Intervals* deleted = DeletedOf(ref);
    const size_t first_chunk = chunks_.size();
    for (const auto& chunk : series.chunks) {
      const TimeRange covered{chunk.min_time, chunk.max_time};
      if (!range_.Overlaps(covered) || (deleted != nullptr && CoveredBy(*deleted, covered))) continue;
      chunks_.push_back(chunk);
    }
    if (chunks_.size() == first_chunk) continue;
    series_.push_back({labels_.size(), first_chunk, ref});
    for (const auto& label : series.labels) {
      EPI_ASSIGN(const SymbolId name, translation.Translate(label.name));
      EPI_ASSIGN(const SymbolId value, translation.Translate(label.value));
      labels_.push_back({name, value});
    }
    if (hints.labels_only) chunks_.resize(first_chunk);
    const size_t bytes =
        series_.size() * sizeof(Entry) + labels_.size() * sizeof(LabelSymbols) + chunks_.size() * sizeof(ChunkMeta);
    if (bytes - charged >= 1 << 16) {
      EPI_TRY(charge_.Add(static_cast<int64_t>(bytes - charged)));
      charged = bytes;
    }
    if (hints.limit > 0 && series_.size() >= hints.limit) break;
  }
  return {};
}

Result<void> BlockSelection::Read(size_t first, size_t count, SeriesBatch& batch) const {
  auto* scratch = dynamic_cast<ReadScratch*>(batch.scratch.get());
  if (scratch == nullptr) {
    auto fresh = std::make_unique<ReadScratch>();
    scratch = fresh.get();
    batch.scratch = std::move(fresh);
  }
  scratch->arrays.Clear();
  scratch->refs.clear();
  for (size_t i = first; i < first + count; ++i)
    for (const auto& chunk : ChunksOf(i)) scratch->refs.push_back(chunk.ref);
  EPI_TRY(block_->chunks().Read(scratch->refs, scratch->chunks));
  size_t at = 0;
  for (size_t i = first; i < first + count; ++i) {
    scratch->arrays.BeginSeries();
    const size_t chunks = ChunksOf(i).size();
    EPI_TRY(DecodeSeries(i, std::span(scratch->chunks.chunks).subspan(at, chunks), scratch->arrays));
    at += chunks;
  }
  scratch->arrays.Publish(batch.series);
  return {};
}

Result<void> BlockSelection::DecodeSeries(size_t index, std::span<const ChunkView> chunks, SeriesArrays& out) const {
  const Intervals* deleted = DeletedOf(series_[index].ref);
  const auto metas = ChunksOf(index);
  for (size_t i = 0; i < chunks.size(); ++i) {
    const ChunkEncoding encoding = chunks[i].encoding;
    if (IsFloatEncoding(encoding)) {
      EPI_TRY(DecodeFloats(chunks[i], metas[i], deleted, out));
    } else if (IsIntHistogramEncoding(encoding)) {
      EPI_TRY(DecodeHistograms<IntHistogramKind>(chunks[i], metas[i], deleted, out));
    } else {
      EPI_TRY(DecodeHistograms<FloatHistogramKind>(chunks[i], metas[i], deleted, out));
    }
  }
  return {};
}

tl::unexpected<Error> OutOfOrder() {
  return Fail(ErrorCode::kDataLoss, "the samples of a chunk are not in order of time or outside its range");
}

Result<void> BlockSelection::DecodeFloats(const ChunkView& chunk, const ChunkMeta& meta, const Intervals* deleted,
                                          SeriesArrays& out) const {
  const uint32_t count = ChunkSampleCount(chunk.encoding, chunk.data);
  const size_t before = out.times().size();
  const auto room = out.AddFloats(count, CarriesStartTimes(chunk.encoding));
  EPI_TRY(DecodeFloatChunk(chunk.encoding, chunk.data, room.times, room.values, room.starts));
  if (count == 0) return {};
  bool ascending = room.times[0] >= meta.min_time && room.times[count - 1] <= meta.max_time;
  for (uint32_t i = 1; i < count; ++i) ascending &= room.times[i - 1] < room.times[i];
  if (!ascending) return OutOfOrder();
  const bool inside = range_.min <= meta.min_time && meta.max_time <= range_.max;
  const bool masked = deleted != nullptr && OverlapsAny(*deleted, {meta.min_time, meta.max_time});
  if (inside && !masked) return {};
  size_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!range_.Contains(room.times[i]) || (masked && IsDeleted(*deleted, room.times[i]))) continue;
    room.times[kept] = room.times[i];
    room.values[kept] = room.values[i];
    if (room.starts != nullptr) room.starts[kept] = room.starts[i];
    ++kept;
  }
  out.TruncateFloats(before + kept);
  return {};
}

template <typename Kind>
Result<void> BlockSelection::DecodeHistograms(const ChunkView& chunk, const ChunkMeta& meta, const Intervals* deleted,
                                              SeriesArrays& out) const {
  EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
  bool first = true;
  TimestampMs last = 0;
  while (true) {
    EPI_ASSIGN(const bool more, cursor.Next());
    if (!more) return {};
    const TimestampMs time = cursor.time();
    if (time < meta.min_time || time > meta.max_time || (!first && time <= last)) return OutOfOrder();
    first = false;
    last = time;
    if (time > range_.max) return {};
    if (time < range_.min || (deleted != nullptr && IsDeleted(*deleted, time))) continue;
    cursor.GetFloat(out.AddHistogram(time, cursor.start_time(), std::is_same_v<Kind, IntHistogramKind>));
  }
}

}  // namespace

Result<std::unique_ptr<SeriesSelection>> SelectFromBlock(std::shared_ptr<const Block> block,
                                                         std::span<const Matcher> matchers, const SelectHints& hints,
                                                         const SymbolSpace& symbols, Budget& budget) {
  auto out = std::make_unique<BlockSelection>(std::move(block), hints.range, budget);
  EPI_TRY(out->Load(matchers, hints, symbols, budget));
  return out;
}

}  // namespace epi::tsdb
