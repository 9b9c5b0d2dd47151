// Reads the index file of a block, versions 1 to 3. The file is mapped; checksums of the tables are verified when it is
// opened, those of series and postings when they are read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "tsdb/block/index_format.h"
#include "tsdb/block/postings.h"

namespace epi::tsdb {

// Immutable after Open and thread-safe. Views of text live as long as the reader.
class IndexReader {
 public:
  // kDataLoss for damage, kUnsupported for a version that is not known.
  static Result<std::unique_ptr<IndexReader>> Open(FileSystem& fs, const std::string& path);
  static Result<std::unique_ptr<IndexReader>> Open(std::unique_ptr<MappedFile> file);

  // kDataLoss when the file became shorter while it was mapped: then what was read meanwhile may be wrong. Checksums
  // are verified anyway; who walks symbols or values asks at the end.
  Result<void> CheckWhole() const;
  // See MappedFile.
  void DropResident() const { file_->DropResident(); }

  int version() const { return version_; }
  uint64_t bytes() const { return data_.size(); }
  const IndexToc& toc() const { return toc_; }
  uint32_t symbol_count() const { return symbol_count_; }
  // Memory that is held to find symbols; their texts stay in the file.
  size_t symbol_bytes() const { return symbol_samples_.capacity() * sizeof(uint32_t); }
  uint64_t symbol_table_bytes() const { return symbols_.size(); }
  Result<std::string_view> Symbol(IndexSymbol symbol) const;
  // Calls visit(text) for each symbol, in the order of the table; stops at damage.
  template <typename Visit>
  Result<void> ForEachSymbol(Visit visit) const;

  // Sorted; without the nameless entry of all series.
  std::vector<std::string_view> LabelNames() const;
  size_t CountValues(std::string_view name) const;

  // Walks the values of one label in byte order.
  class ValueCursor {
   public:
    bool Next();  // false at the end
    std::string_view value() const { return value_; }
    uint64_t postings_offset() const { return postings_offset_; }

   private:
    friend class IndexReader;
    const IndexReader* reader_ = nullptr;
    size_t range_ = 0;
    size_t next_ = 0;  // number of the next value within the name
    size_t count_ = 0;
    uint64_t position_ = 0;  // of the next entry in the table
    std::string_view value_;
    uint64_t postings_offset_ = 0;
  };
  // Stands before the first value that is not below `from`.
  ValueCursor Values(std::string_view name, std::string_view from = {}) const;

  // The series with this label; empty when there are none. name "" and value "" give all series.
  Result<PostingsList> Postings(std::string_view name, std::string_view value) const;
  Result<PostingsList> AllPostings() const { return Postings({}, {}); }
  // Appends the list at an offset that ValueCursor gave.
  Result<void> ReadPostings(uint64_t offset, PostingsList& out) const;
  // Its length, unchecked: for choosing an order. 0 when it cannot be read.
  size_t PostingsLength(uint64_t offset) const;

  // Decodes a series; `out` is overwritten, its memory reused.
  Result<void> Series(BlockSeriesRef ref, IndexSeries& out) const;

 private:
  struct NameRange {
    std::string_view name;
    size_t first_sample = 0;  // in samples_
    size_t count = 0;
  };
  struct TableEntry {
    std::string_view name;
    std::string_view value;
    uint64_t postings_offset = 0;
  };

  explicit IndexReader(std::unique_ptr<MappedFile> file) : file_(std::move(file)), data_(file_->data()) {}
  Result<void> Load();
  Result<void> LoadToc();
  Result<void> LoadSymbols();
  Result<void> LoadPostingsTable();
  Result<void> LoadUnsortedTable(std::vector<std::pair<TableEntry, uint64_t>> entries);
  // The content of a section with a 32-bit length in front and a checksum behind.
  Result<std::string_view> Section(uint64_t offset, const char* what) const;
  // Decodes the table entry at `position` and moves it on; false at damage.
  bool EntryAt(uint64_t& position, TableEntry& out) const;
  const NameRange* FindName(std::string_view name) const;
  uint64_t SamplePosition(const NameRange& range, size_t sample) const { return samples_[range.first_sample + sample]; }

  std::unique_ptr<MappedFile> file_;
  std::string_view data_;
  int version_ = 0;
  IndexToc toc_;
  std::string_view symbols_;  // the strings, without count
  uint32_t symbol_count_ = 0;
  std::vector<uint32_t> symbol_samples_;  // offset in symbols_ of every kSymbolStride-th
  std::string_view table_;                // postings offset table, without count
  std::vector<NameRange> names_;          // sorted
  std::vector<uint64_t> samples_;         // positions in table_ of every stride_-th entry of a name
  size_t stride_ = 1;
};

template <typename Visit>
Result<void> IndexReader::ForEachSymbol(Visit visit) const {
  ByteReader in(symbols_);
  for (uint32_t i = 0; i < symbol_count_; ++i) {
    const auto text = in.UvarintString();
    if (!in.ok()) return Fail(ErrorCode::kDataLoss, "the symbol table of the index is damaged");
    visit(text);
  }
  return {};
}

}  // namespace epi::tsdb
