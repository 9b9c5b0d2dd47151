// Writes the index file of a block, version 2, in the layout of Prometheus 3 (no label index sections).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/block/index_format.h"
#include "tsdb/block/text_table.h"

namespace epi::tsdb {

// Series come one by one in label order; they are spooled beside the index until all symbols are known, so memory is
// that of the symbols, 4 bytes a series, and 16 bytes a distinct label pair. Not thread-safe.
class IndexWriter {
 public:
  IndexWriter(FileSystem& fs, std::string path);
  ~IndexWriter();
  // A number for `text`, for AddSeries of this writer only. The text is copied.
  IndexSymbol Symbol(std::string_view text) { return symbols_.Intern(text); }
  std::string_view Text(IndexSymbol symbol) const { return symbols_.Text(symbol); }
  // Labels sorted by name, at least one chunk, chunks in order of time without overlap. kInvalid when the labels do not
  // come after those of the series before, or the chunks are out of order.
  Result<void> AddSeries(std::span<const IndexLabel> labels, std::span<const ChunkMeta> chunks);
  // Writes and syncs the file. Nothing may be added afterwards.
  Result<void> Finish();
  uint64_t series() const { return series_; }

 private:
  class Output;
  class Spool;
  Result<void> CheckOrder(std::span<const IndexLabel> labels) const;
  void RankSymbols();
  Result<void> WriteSymbols(Output& out);
  Result<void> WriteSeries(Output& out);
  Result<void> WritePostings(Output& out);
  Result<void> WritePostingsOf(Output& out, std::span<const IndexSymbol> names);
  Result<void> WritePostingsList(Output& out, IndexSymbol name, IndexSymbol value,
                                 std::span<const BlockSeriesRef> refs);
  Result<void> WritePostingsTable(Output& out);
  std::string_view TextOfRank(IndexSymbol rank) const { return symbols_.Text(by_rank_[rank]); }

  struct TableEntry {
    IndexSymbol name;
    IndexSymbol value;
    uint64_t offset;
  };
  static constexpr IndexSymbol kNoSymbol = 0xffffffff;  // both of the entry of all series

  FileSystem& fs_;
  std::string path_;
  TextTable symbols_;
  std::unique_ptr<Spool> spool_;
  std::vector<IndexLabel> last_labels_;
  uint64_t series_ = 0;
  // Known in Finish.
  std::vector<IndexSymbol> rank_;     // by number given out: place in sorted order
  std::vector<IndexSymbol> by_rank_;  // the other way round
  std::vector<BlockSeriesRef> refs_;  // of each series
  std::vector<uint64_t> name_uses_;   // by rank: how many series have a label of that name
  std::vector<TableEntry> table_;
  IndexToc toc_;
};

}  // namespace epi::tsdb
