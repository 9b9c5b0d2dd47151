// For tests: blocks written from plain values and read back as plain values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/result.h"
#include "chunkenc/sample_chunker.h"
#include "model/labels.h"
#include "tsdb/block/block.h"
#include "tsdb/block/block_files.h"
#include "tsdb/block/block_writer.h"
#include "tsdb/block/merge_selections.h"
#include "tsdb/block/text_table.h"

namespace epi::tsdb {

struct PlainSample {
  TimestampMs t = 0;
  double v = 0;
  TimestampMs start = 0;
  friend bool operator==(const PlainSample& a, const PlainSample& b) {
    return a.t == b.t && std::bit_cast<uint64_t>(a.v) == std::bit_cast<uint64_t>(b.v) && a.start == b.start;
  }
};
struct PlainSeries {
  std::vector<PlainSample> floats;
  std::vector<std::pair<TimestampMs, FloatHistogram>> histograms;
};
using PlainData = std::map<Labels, PlainSeries>;

inline Matcher AnySeries() { return *Matcher::Make(MatchType::kRegexp, "", ".*"); }

inline Result<PlainData> ReadSelection(const SeriesSelection& selection, const SymbolSpace& symbols) {
  PlainData out;
  SeriesBatch batch;
  for (size_t first = 0; first < selection.size(); first += SeriesBatch::kMaxSeries) {
    const size_t count = std::min(SeriesBatch::kMaxSeries, selection.size() - first);
    EPI_TRY(selection.Read(first, count, batch));
    for (size_t i = 0; i < count; ++i) {
      const auto& from = batch.series[i];
      PlainSeries& to = out[ToLabels(selection.labels(first + i), symbols)];
      for (size_t s = 0; s < from.t.size(); ++s) {
        to.floats.push_back({from.t[s], from.v[s], from.start_times.empty() ? 0 : from.start_times[s]});
      }
      for (const auto& point : from.histograms) to.histograms.emplace_back(point.t, *point.h);
    }
  }
  return out;
}

// All blocks of a directory merged, or of the named directories.
inline Result<PlainData> ReadBlocks(const std::vector<std::string>& directories, std::vector<Matcher> matchers = {},
                                    SelectHints hints = {}) {
  LocalSymbols symbols;
  Budget budget("test");
  std::vector<std::unique_ptr<SeriesSelection>> selections;
  for (const auto& directory : directories) {
    EPI_ASSIGN(auto block, Block::Open(PosixFileSystem(), directory));
    EPI_ASSIGN(auto selection, block->Select(matchers, hints, symbols, budget));
    selections.push_back(std::move(selection));
  }
  EPI_ASSIGN(auto merged, MergeSelections(std::move(selections), symbols));
  return ReadSelection(*merged, symbols);
}
inline Result<PlainData> ReadDirectory(const std::string& directory, std::vector<Matcher> matchers = {},
                                       SelectHints hints = {}) {
  EPI_ASSIGN(const auto blocks, ListBlockDirectories(PosixFileSystem(), directory));
  return ReadBlocks(blocks, std::move(matchers), std::move(hints));
}

// Writes a block of floats and returns its directory.
inline Result<std::string> WriteBlock(const std::string& directory, const PlainData& data, uint64_t seed,
                                      ChunkerOptions options = {}, BlockWriterOptions writer_options = {}) {
  SeededRandom random{seed};
  const Ulid ulid = Ulid::Make(1'700'000'000'000 + static_cast<TimestampMs>(seed), random);
  EPI_ASSIGN(auto writer, BlockWriter::Create(PosixFileSystem(), directory, ulid, writer_options));
  BlockMeta meta;
  bool any = false;
  for (const auto& [labels, series] : data) {
    SampleChunker chunker(options);
    for (const auto& s : series.floats) chunker.Add(s.t, s.v, s.start);
    for (const auto& [t, h] : series.histograms) chunker.Add(t, h);
    const auto chunks = chunker.Take();
    for (const auto& chunk : chunks) {
      meta.min_time = any ? std::min(meta.min_time, chunk.min_time) : chunk.min_time;
      meta.max_time = any ? std::max(meta.max_time, chunk.max_time + 1) : chunk.max_time + 1;
      any = true;
    }
    EPI_TRY(writer->AddSeries(labels, chunks));
  }
  EPI_TRY(writer->Finish(meta));
  return BlockDirectory(directory, ulid);
}

}  // namespace epi::tsdb
