#include "tsdb/block/block.h"

#include <algorithm>

#include "tsdb/block/block_files.h"
#include "tsdb/block/block_selection.h"
#include "tsdb/block/matcher_postings.h"

namespace epi::tsdb {
namespace {

// Looking into a series costs about as much as looking at so many values of a label.
constexpr size_t kSeriesPerValue = 4;

}  // namespace

Result<std::shared_ptr<Block>> Block::Open(FileSystem& fs, const std::string& directory) {
  std::shared_ptr<Block> block(new Block(fs, directory));
  if (auto loaded = block->Load(); !loaded) {
    return Fail(loaded.error().WithContext("block " + std::string(BaseName(directory))));
  }
  return block;
}

Result<void> Block::Load() {
  EPI_ASSIGN(meta_, ReadBlockMeta(fs_, directory_));
  EPI_ASSIGN(index_, IndexReader::Open(fs_, JoinPath(directory_, kIndexFile)));
  EPI_ASSIGN(chunks_, ChunkSegments::Open(fs_, JoinPath(directory_, kChunksDirectory)));
  EPI_ASSIGN(auto tombstones, ReadTombstones(fs_, JoinPath(directory_, kTombstonesFile)));
  tombstones_ = std::make_shared<const Tombstones>(std::move(tombstones));
  EPI_ASSIGN(bytes_, DirectoryBytes(fs_, directory_));
  return {};
}

std::shared_ptr<const Tombstones> Block::tombstones() const {
  const std::lock_guard lock(mutex_);
  return tombstones_;
}

Result<std::unique_ptr<SeriesSelection>> Block::Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                       const SymbolSpace& symbols, Budget& budget) const {
  auto out = SelectFromBlock(shared_from_this(), matchers, hints, symbols, budget);
  if (auto whole = index_->CheckWhole(); !whole) out = Fail(std::move(whole).error());
  if (!out) return Fail(out.error().WithContext("block " + meta_.ulid.ToString()));
  return out;
}

Result<std::vector<std::string>> Block::LabelValues(std::string_view name, std::span<const Matcher> matchers,
                                                    size_t limit) const {
  auto out = MatchingValues(name, matchers, limit);
  if (auto whole = index_->CheckWhole(); !whole) out = Fail(std::move(whole).error());
  return out;
}

Result<std::vector<std::string>> Block::MatchingValues(std::string_view name, std::span<const Matcher> matchers,
                                                       size_t limit) const {
  std::vector<std::string> out;
  // Matchers on the label itself ask each value; only the others need series.
  std::vector<Matcher> others;
  std::vector<const Matcher*> own;
  for (const auto& m : matchers) {
    if (m.name() == name && !m.MatchesEmpty()) {
      own.push_back(&m);
    } else {
      others.push_back(m);
    }
  }
  const auto accepted = [&](std::string_view value) {
    return std::all_of(own.begin(), own.end(), [&](const Matcher* m) { return m->Matches(value); });
  };
  if (others.empty()) {
    auto cursor = index_->Values(name);
    while (cursor.Next() && (limit == 0 || out.size() < limit))
      if (accepted(cursor.value())) out.emplace_back(cursor.value());
    return out;
  }
  EPI_ASSIGN(const PostingsList refs, PostingsForMatchers(*index_, matchers));
  if (refs.empty()) return out;
  if (refs.size() < index_->CountValues(name) / kSeriesPerValue) {
    EPI_ASSIGN(out, ValuesOfSeries(name, refs));
  } else {
    EPI_ASSIGN(out, ValuesMeeting(name, refs, limit));
  }
  if (limit > 0 && out.size() > limit) out.resize(limit);
  return out;
}

Result<std::vector<std::string>> Block::ValuesOfSeries(std::string_view name, PostingsView refs) const {
  std::vector<std::string> out;
  std::vector<IndexSymbol> symbols;
  IndexSeries series;
  for (const BlockSeriesRef ref : refs) {
    EPI_TRY(index_->Series(ref, series));
    for (const auto& label : series.labels) {
      EPI_ASSIGN(const auto text, index_->Symbol(label.name));
      if (text != name) continue;
      symbols.push_back(label.value);
      break;
    }
  }
  std::sort(symbols.begin(), symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  for (const IndexSymbol symbol : symbols) {
    EPI_ASSIGN(const auto text, index_->Symbol(symbol));
    out.emplace_back(text);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::string>> Block::ValuesMeeting(std::string_view name, PostingsView refs, size_t limit) const {
  std::vector<std::string> out;
  std::vector<bool> wanted(static_cast<size_t>(refs.back()) + 1, false);
  for (const BlockSeriesRef ref : refs) wanted[ref] = true;
  PostingsList list;
  auto cursor = index_->Values(name);
  while (cursor.Next() && (limit == 0 || out.size() < limit)) {
    list.clear();
    EPI_TRY(index_->ReadPostings(cursor.postings_offset(), list));
    const bool meets =
        std::any_of(list.begin(), list.end(), [&](BlockSeriesRef ref) { return ref < wanted.size() && wanted[ref]; });
    if (meets) out.emplace_back(cursor.value());
  }
  return out;
}

Result<std::vector<std::string>> Block::LabelNames(std::span<const Matcher> matchers, size_t limit) const {
  std::vector<std::string> out;
  if (matchers.empty()) {
    for (const auto name : index_->LabelNames()) out.emplace_back(name);
  } else {
    EPI_ASSIGN(const PostingsList refs, PostingsForMatchers(*index_, matchers));
    std::vector<IndexSymbol> symbols;
    IndexSeries series;
    for (const BlockSeriesRef ref : refs) {
      EPI_TRY(index_->Series(ref, series));
      for (const auto& label : series.labels) {
        const auto at = std::lower_bound(symbols.begin(), symbols.end(), label.name);
        if (at == symbols.end() || *at != label.name) symbols.insert(at, label.name);
      }
    }
    for (const IndexSymbol symbol : symbols) {
      EPI_ASSIGN(const auto text, index_->Symbol(symbol));
      out.emplace_back(text);
    }
    std::sort(out.begin(), out.end());
  }
  EPI_TRY(index_->CheckWhole());
  if (limit > 0 && out.size() > limit) out.resize(limit);
  return out;
}

Result<size_t> Block::Delete(std::span<const Matcher> matchers, TimeRange range) const {
  const std::lock_guard exclusive(delete_mutex_);
  EPI_ASSIGN(const PostingsList refs, PostingsForMatchers(*index_, matchers));
  Tombstones changed = *tombstones();
  IndexSeries series;
  size_t touched = 0;
  for (const BlockSeriesRef ref : refs) {
    EPI_TRY(index_->Series(ref, series));
    const bool overlaps = std::any_of(series.chunks.begin(), series.chunks.end(), [&](const ChunkMeta& chunk) {
      return range.Overlaps({chunk.min_time, chunk.max_time});
    });
    if (!overlaps) continue;
    const TimeRange deleted{std::max(range.min, series.chunks.front().min_time),
                            std::min(range.max, series.chunks.back().max_time)};
    Intervals& intervals = changed[ref];
    if (CoveredBy(intervals, deleted)) continue;
    AddInterval(intervals, deleted);
    ++touched;
  }
  EPI_TRY(index_->CheckWhole());
  if (touched == 0) return 0;
  EPI_TRY(fs_.WriteFileAtomically(JoinPath(directory_, kTombstonesFile), EncodeTombstones(changed)));
  EPI_ASSIGN(BlockMeta meta, ReadBlockMeta(fs_, directory_));
  meta.stats.tombstones = CountIntervals(changed);
  EPI_TRY(WriteBlockMeta(fs_, directory_, meta));
  const std::lock_guard lock(mutex_);
  tombstones_ = std::make_shared<const Tombstones>(std::move(changed));
  return touched;
}

}  // namespace epi::tsdb
