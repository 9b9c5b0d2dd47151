#include "tsdb/block/verify_block.h"

#include <algorithm>
#include <unordered_map>

#include "chunkenc/float_chunk.h"
#include "chunkenc/histogram_chunk.h"
#include "tsdb/block/block.h"
#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

// What a postings list should hold, without order: so many series with this sum of mixed references.
struct ListFingerprint {
  uint64_t count = 0;
  uint64_t sum = 0;
  void Add(BlockSeriesRef ref) {
    ++count;
    sum += uint64_t{ref} * 0x9e3779b97f4a7c15 ^ ref;
  }
  friend bool operator==(const ListFingerprint&, const ListFingerprint&) = default;
};

class Verification {
 public:
  Verification(const Block& block, VerifyReport& report) : block_(block), index_(block.index()), report_(report) {}

  Result<void> Run() {
    CheckSymbols();
    auto refs = index_.AllPostings();
    if (!refs) return Note(std::move(refs).error());
    all_.insert(all_.end(), refs->begin(), refs->end());
    for (const BlockSeriesRef ref : all_) EPI_TRY(CheckSeries(ref));
    EPI_TRY(CheckPostings());
    CheckTombstones();
    CheckCounts();
    return {};
  }

 private:
  void Problem(std::string sentence) {
    ++report_.problem_count;
    if (report_.problems.size() < VerifyReport::kMaxProblems) report_.problems.push_back(std::move(sentence));
  }
  // Errors that are findings become problems; others end the verification.
  Result<void> Note(Error error) {
    if (error.code() != ErrorCode::kDataLoss && error.code() != ErrorCode::kUnsupported) return Fail(std::move(error));
    Problem(error.message());
    return {};
  }

  void CheckSymbols() {
    std::string before;
    bool first = true;
    const auto walked = index_.ForEachSymbol([&](std::string_view text) {
      if (!first && before >= text && index_.version() != 1)
        Problem("symbols are not in order at \"" + std::string(text) + "\"");
      before = text;
      first = false;
    });
    if (!walked) Problem(walked.error().message());
  }

  Result<void> CheckSeries(BlockSeriesRef ref) {
    if (auto read = index_.Series(ref, series_); !read) return Note(std::move(read).error());
    ++report_.series;
    const std::string name = "series " + std::to_string(ref);
    std::vector<LabelView> pairs;
    for (const auto& label : series_.labels) {
      const auto label_name = index_.Symbol(label.name);
      const auto value = index_.Symbol(label.value);
      if (!label_name || !value) {
        Problem(name + " names symbols that do not exist");
        return {};
      }
      if (!pairs.empty() && pairs.back().name >= *label_name) Problem("labels of " + name + " are not in order");
      pairs.push_back({*label_name, *value});
      expected_[uint64_t{label.name} << 32 | label.value].Add(ref);
      ++pairs_;
    }
    Labels labels = Labels::FromPairs(std::move(pairs));
    if (report_.series > 1 && !(last_labels_ < labels)) Problem(name + " is not in the order of labels");
    last_labels_ = std::move(labels);
    if (series_.chunks.empty()) Problem(name + " has no chunks");
    return CheckChunks(name);
  }

  Result<void> CheckChunks(const std::string& name) {
    std::vector<BlockChunkRef> refs;
    for (size_t i = 0; i < series_.chunks.size(); ++i) {
      const ChunkMeta& chunk = series_.chunks[i];
      if (chunk.min_time > chunk.max_time) Problem("a chunk of " + name + " ends before it begins");
      if (i > 0 && chunk.min_time <= series_.chunks[i - 1].max_time) Problem("chunks of " + name + " overlap");
      if (chunk.ref < last_chunk_) Problem("chunks of " + name + " are not in the order of the file");
      if (chunk.min_time < block_.meta().min_time || chunk.max_time >= block_.meta().max_time) {
        Problem("a chunk of " + name + " lies outside the range of the block");
      }
      last_chunk_ = chunk.ref;
      refs.push_back(chunk.ref);
    }
    // One by one, so that one damaged chunk does not hide the rest.
    for (size_t i = 0; i < refs.size(); ++i) {
      ++report_.chunks;
      if (auto read = block_.chunks().Read(std::span(refs).subspan(i, 1), batch_); !read) {
        EPI_TRY(Note(read.error().WithContext(name)));
        continue;
      }
      CheckChunk(name, batch_.chunks[0], series_.chunks[i]);
    }
    return {};
  }

  void CheckChunk(const std::string& name, const ChunkView& chunk, const ChunkMeta& meta) {
    times_.clear();
    const Result<void> decoded = IsFloatEncoding(chunk.encoding)          ? DecodeFloats(chunk)
                                 : IsIntHistogramEncoding(chunk.encoding) ? DecodeHistograms<IntHistogramKind>(chunk)
                                                                          : DecodeHistograms<FloatHistogramKind>(chunk);
    if (!decoded) {
      Problem("a chunk of " + name + ": " + decoded.error().message());
      return;
    }
    report_.samples += times_.size();
    (IsFloatEncoding(chunk.encoding) ? floats_ : histograms_) += times_.size();
    const bool ascending = std::adjacent_find(times_.begin(), times_.end(), std::greater_equal<>()) == times_.end();
    if (!ascending) Problem("the samples of a chunk of " + name + " are not in order of time");
    if (times_.empty() || times_.front() != meta.min_time || times_.back() != meta.max_time) {
      Problem("the index has other times for a chunk of " + name + " than the chunk");
    }
  }
  Result<void> DecodeFloats(const ChunkView& chunk) {
    times_.resize(ChunkSampleCount(chunk.encoding, chunk.data));
    values_.resize(times_.size());
    return DecodeFloatChunk(chunk.encoding, chunk.data, times_.data(), values_.data(), nullptr);
  }
  template <typename Kind>
  Result<void> DecodeHistograms(const ChunkView& chunk) {
    EPI_ASSIGN(auto cursor, HistogramChunkCursor<Kind>::Open(chunk.encoding, chunk.data));
    while (true) {
      EPI_ASSIGN(const bool more, cursor.Next());
      if (!more) return {};
      times_.push_back(cursor.time());
    }
  }

  Result<void> CheckPostings() {
    // The symbols of series by text, for the table of postings speaks in text.
    std::unordered_map<std::string_view, IndexSymbol> symbols;
    for (const auto& [key, fingerprint] : expected_) {
      for (const auto symbol : {static_cast<IndexSymbol>(key >> 32), static_cast<IndexSymbol>(key)}) {
        symbols.emplace(*index_.Symbol(symbol), symbol);
      }
    }
    uint64_t entries = 0;
    for (const auto name : index_.LabelNames()) {
      auto cursor = index_.Values(name);
      while (cursor.Next()) {
        const std::string pair = std::string(name) + "=" + std::string(cursor.value());
        PostingsList list;
        if (auto read = index_.ReadPostings(cursor.postings_offset(), list); !read) {
          EPI_TRY(Note(read.error().WithContext(pair)));
          continue;
        }
        entries += list.size();
        ListFingerprint found;
        for (const BlockSeriesRef ref : list) found.Add(ref);
        const auto name_symbol = symbols.find(name);
        const auto value_symbol = symbols.find(cursor.value());
        const bool known = name_symbol != symbols.end() && value_symbol != symbols.end();
        const auto want =
            known ? expected_.find(uint64_t{name_symbol->second} << 32 | value_symbol->second) : expected_.end();
        if (list.empty() && want == expected_.end()) continue;
        if (want == expected_.end() || want->second != found)
          Problem("the postings of " + pair + " are not its series");
      }
    }
    if (entries != pairs_) Problem("the postings do not hold every label of every series");
    return {};
  }

  void CheckTombstones() {
    const auto tombstones = block_.tombstones();
    for (const auto& [ref, intervals] : *tombstones) {
      if (!std::binary_search(all_.begin(), all_.end(), ref)) {
        Problem("a tombstone names series " + std::to_string(ref) + ", which does not exist");
      }
    }
    if (CountIntervals(*tombstones) != block_.meta().stats.tombstones)
      Problem("meta.json has another number of tombstones");
  }

  void CheckCounts() {
    const BlockStats& stats = block_.meta().stats;
    const auto check = [&](uint64_t found, uint64_t said, const char* what) {
      if (found != said) {
        Problem("meta.json says " + std::to_string(said) + " " + what + ", there are " + std::to_string(found));
      }
    };
    check(report_.series, stats.series, "series");
    check(report_.chunks, stats.chunks, "chunks");
    check(report_.samples, stats.samples, "samples");
    if (stats.float_samples + stats.histogram_samples > 0) {  // older writers do not tell them apart
      check(floats_, stats.float_samples, "float samples");
      check(histograms_, stats.histogram_samples, "histogram samples");
    }
  }

  const Block& block_;
  const IndexReader& index_;
  VerifyReport& report_;
  std::vector<uint64_t> all_;
  IndexSeries series_;
  ChunkReadBatch batch_;
  std::vector<TimestampMs> times_;
  std::vector<double> values_;
  Labels last_labels_;
  BlockChunkRef last_chunk_ = 0;
  std::unordered_map<uint64_t, ListFingerprint> expected_;  // by symbols of name and value
  uint64_t pairs_ = 0;
  uint64_t floats_ = 0;
  uint64_t histograms_ = 0;
};

}  // namespace

Result<VerifyReport> VerifyBlock(FileSystem& fs, const std::string& directory) {
  VerifyReport report;
  const auto block = Block::Open(fs, directory);
  if (!block) {
    const auto code = block.error().code();
    if (code != ErrorCode::kDataLoss && code != ErrorCode::kUnsupported && code != ErrorCode::kNotFound)
      return Fail(block.error());
    report.problems.push_back(block.error().message());
    report.problem_count = 1;
    return report;
  }
  EPI_TRY(Verification(**block, report).Run());
  return report;
}

}  // namespace epi::tsdb
