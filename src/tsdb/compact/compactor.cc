#include "tsdb/compact/compactor.h"

#include <algorithm>
#include <utility>

#include "tsdb/compact/chunk_merge.h"

namespace epi::tsdb {
namespace {

// Read ahead of one input: so many series, or as many as have so many chunks.
constexpr size_t kSeriesAhead = 64;
constexpr size_t kChunksAhead = 2048;
constexpr uint64_t kPaceBytes = 1 << 20;

// The series of one input in label order, with the bytes of their chunks, read some way ahead.
class InputCursor {
 public:
  InputCursor(const Block& block, BlockWriter& writer)
      : block_(block), tombstones_(block.tombstones()), writer_(writer) {}

  Result<void> Open() {
    EPI_ASSIGN(refs_, block_.index().AllPostings());
    return Fill();
  }
  bool done() const { return at_ == ahead_.size(); }
  Result<void> Next() {
    if (++at_ == ahead_.size()) return Fill();
    return {};
  }
  // Of the current series, in the writer's symbols.
  std::span<const IndexLabel> labels() const { return ahead_[at_].labels; }
  void AppendChunks(std::vector<SourceChunk>& out) const {
    const auto& series = ahead_[at_];
    const auto deleted = tombstones_->find(series.ref);
    for (size_t i = 0; i < series.chunks.size(); ++i) {
      const auto& meta = series.chunks[i];
      const auto& view = batch_.chunks[series.first_chunk + i];
      out.push_back({{view.encoding, meta.min_time, meta.max_time, view.data},
                     deleted == tombstones_->end() ? nullptr : &deleted->second});
    }
  }

 private:
  struct Ahead {
    BlockSeriesRef ref = 0;
    std::vector<IndexLabel> labels;
    std::vector<ChunkMeta> chunks;
    size_t first_chunk = 0;  // in batch_
  };

  Result<void> Fill() {
    ahead_.clear();
    at_ = 0;
    std::vector<BlockChunkRef> chunks;
    IndexSeries series;
    while (next_ < refs_.size() && ahead_.size() < kSeriesAhead && chunks.size() < kChunksAhead) {
      const BlockSeriesRef ref = refs_[next_++];
      EPI_TRY(block_.index().Series(ref, series));
      Ahead& entry = ahead_.emplace_back();
      entry.ref = ref;
      entry.first_chunk = chunks.size();
      entry.chunks = series.chunks;
      for (const auto& label : series.labels) {
        EPI_ASSIGN(const IndexSymbol name, Translate(label.name));
        EPI_ASSIGN(const IndexSymbol value, Translate(label.value));
        entry.labels.push_back({name, value});
      }
      for (const auto& chunk : series.chunks) chunks.push_back(chunk.ref);
    }
    return block_.chunks().Read(chunks, batch_);
  }

  Result<IndexSymbol> Translate(IndexSymbol symbol) {
    if (symbol >= symbols_.size()) {
      symbols_.resize(std::max<size_t>(block_.index().symbol_count(), size_t{symbol} + 1), kUntranslated);
    }
    if (symbols_[symbol] == kUntranslated) {
      EPI_ASSIGN(const auto text, block_.index().Symbol(symbol));
      symbols_[symbol] = writer_.Symbol(text);
    }
    return symbols_[symbol];
  }

  static constexpr IndexSymbol kUntranslated = 0xffffffff;
  const Block& block_;
  std::shared_ptr<const Tombstones> tombstones_;
  BlockWriter& writer_;
  PostingsList refs_;
  size_t next_ = 0;  // in refs_
  std::vector<Ahead> ahead_;
  size_t at_ = 0;  // in ahead_
  ChunkReadBatch batch_;
  std::vector<IndexSymbol> symbols_;
};

// By text; equal symbols are equal text.
bool SortsBefore(std::span<const IndexLabel> a, std::span<const IndexLabel> b, const BlockWriter& writer) {
  const size_t shorter = std::min(a.size(), b.size());
  for (size_t i = 0; i < shorter; ++i) {
    if (a[i].name != b[i].name) return writer.Text(a[i].name) < writer.Text(b[i].name);
    if (a[i].value != b[i].value) return writer.Text(a[i].value) < writer.Text(b[i].value);
  }
  return a.size() < b.size();
}
bool SameLabels(std::span<const IndexLabel> a, std::span<const IndexLabel> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const IndexLabel& x, const IndexLabel& y) { return x.name == y.name && x.value == y.value; });
}

class Compaction {
 public:
  Compaction(BlockWriter& writer, const CompactOptions& options, WorkPace* pace)
      : writer_(writer),
        merge_({.samples_per_chunk = options.samples_per_chunk,
                .max_histogram_bytes = 0,
                .float_encoding = options.float_encoding,
                .keep_start_times = true}),
        pace_(pace) {}

  Result<void> Run(std::span<const std::shared_ptr<const Block>> inputs) {
    std::vector<std::unique_ptr<InputCursor>> cursors;
    for (const auto& block : inputs) {
      cursors.push_back(std::make_unique<InputCursor>(*block, writer_));
      if (auto opened = cursors.back()->Open(); !opened) return InBlock(*block, opened.error());
    }
    while (true) {
      const InputCursor* first = nullptr;
      for (const auto& cursor : cursors) {
        if (cursor->done()) continue;
        if (first == nullptr || SortsBefore(cursor->labels(), first->labels(), writer_)) first = cursor.get();
      }
      if (first == nullptr) return {};
      labels_.assign(first->labels().begin(), first->labels().end());
      chunks_.clear();
      for (const auto& cursor : cursors)
        if (!cursor->done() && SameLabels(cursor->labels(), labels_)) cursor->AppendChunks(chunks_);
      EPI_TRY(WriteSeries());
      for (size_t i = 0; i < cursors.size(); ++i) {
        if (cursors[i]->done() || !SameLabels(cursors[i]->labels(), labels_)) continue;
        if (auto moved = cursors[i]->Next(); !moved) return InBlock(*inputs[i], moved.error());
      }
    }
  }

 private:
  static tl::unexpected<Error> InBlock(const Block& block, const Error& error) {
    return Fail(error.WithContext("block " + block.meta().ulid.ToString()));
  }

  Result<void> WriteSeries() {
    EPI_ASSIGN(const auto out, merge_.Run(chunks_));
    if (out.empty()) return {};
    EPI_TRY(writer_.AddSeries(labels_, out));
    for (const auto& chunk : out) unpaced_bytes_ += chunk.data.size();
    if (pace_ == nullptr || unpaced_bytes_ < kPaceBytes) return {};
    return pace_->Step(std::exchange(unpaced_bytes_, 0));
  }

  BlockWriter& writer_;
  ChunkMerge merge_;
  WorkPace* pace_;
  uint64_t unpaced_bytes_ = 0;
  std::vector<IndexLabel> labels_;
  std::vector<SourceChunk> chunks_;
};

// What the new block says about the head is what the newest of the inputs said.
void AddToMark(const BlockMeta& input, NativeMark& mark) {
  if (const auto end = HeadEndOf(input)) mark.until = std::max(mark.until.value_or(*end), *end);
  if (const auto of_input = NativeMarkOf(input)) mark.lsn = std::max(mark.lsn, of_input->lsn);
}

}  // namespace

BlockMeta CompactedMeta(std::span<const BlockMeta> inputs) {
  BlockMeta out;
  NativeMark mark;
  bool all_out_of_order = !inputs.empty();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const BlockMeta& in = inputs[i];
    out.min_time = i == 0 ? in.min_time : std::min(out.min_time, in.min_time);
    out.max_time = i == 0 ? in.max_time : std::max(out.max_time, in.max_time);
    out.compaction.level = std::max(out.compaction.level, in.compaction.level);
    out.compaction.sources.insert(out.compaction.sources.end(), in.compaction.sources.begin(),
                                  in.compaction.sources.end());
    out.compaction.parents.push_back({in.ulid, in.min_time, in.max_time});
    all_out_of_order = all_out_of_order && in.HasHint(kHintOutOfOrder);
    for (const auto hint : {kHintStaleSeries, kHintSelectedSeries})
      if (in.HasHint(hint)) out.AddHint(hint);
    AddToMark(in, mark);
  }
  SetNativeMark(out, mark);
  if (all_out_of_order) out.AddHint(kHintOutOfOrder);
  out.compaction.level += 1;
  auto& sources = out.compaction.sources;
  std::sort(sources.begin(), sources.end());
  sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
  return out;
}

BlockMeta CleanedMeta(const BlockMeta& input) {
  BlockMeta out;
  out.min_time = input.min_time;
  out.max_time = input.max_time;
  out.compaction.level = 1;
  out.compaction.parents = {{input.ulid, input.min_time, input.max_time}};
  for (const auto& hint : input.compaction.hints) out.AddHint(hint);
  NativeMark mark;
  AddToMark(input, mark);
  SetNativeMark(out, mark);
  return out;
}

Result<std::optional<BlockMeta>> CompactBlocks(FileSystem& fs, const std::string& directory, const Ulid& ulid,
                                               std::span<const std::shared_ptr<const Block>> inputs, BlockMeta meta,
                                               const CompactOptions& options, WorkPace* pace) {
  const ChunkObservers* observers = meta.compaction.level == 1 ? options.observers : nullptr;
  EPI_ASSIGN(auto writer, BlockWriter::Create(fs, directory, ulid, {options.max_segment_bytes, observers}));
  EPI_TRY(Compaction(*writer, options, pace).Run(inputs));
  for (const auto& block : inputs) {
    if (auto whole = block->index().CheckWhole(); !whole)
      return Fail(whole.error().WithContext("block " + block->meta().ulid.ToString()));
  }
  return writer->Finish(std::move(meta));
}

}  // namespace epi::tsdb
