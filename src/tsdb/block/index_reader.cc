#include "tsdb/block/index_reader.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mapping_guard.h"
#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

constexpr uint32_t kSymbolStride = 32;
constexpr size_t kTableStride = 32;
constexpr uint64_t kLabelKeys = 2;  // a key of the postings table is a name and a value

tl::unexpected<Error> Damaged(std::string what) {
  return Fail(ErrorCode::kDataLoss, "the index is damaged: " + std::move(what));
}

}  // namespace

Result<std::unique_ptr<IndexReader>> IndexReader::Open(FileSystem& fs, const std::string& path) {
  EPI_ASSIGN(auto file, fs.Map(path));
  auto reader = Open(std::move(file));
  if (!reader) return Fail(reader.error().WithContext(path));
  return reader;
}

Result<std::unique_ptr<IndexReader>> IndexReader::Open(std::unique_ptr<MappedFile> file) {
  std::unique_ptr<IndexReader> reader(new IndexReader(std::move(file)));
  EPI_TRY(reader->Load());
  return reader;
}

Result<void> IndexReader::Load() {
  if (data_.size() < kIndexHeaderBytes) return Damaged("invalid size");
  if (LoadBig<uint32_t>(data_.data()) != kIndexMagic) return Damaged("invalid magic number");
  version_ = static_cast<uint8_t>(data_[4]);
  if (version_ < 1 || version_ > 3) {
    return Fail(ErrorCode::kUnsupported, "unknown index file version " + std::to_string(version_));
  }
  EPI_TRY(LoadToc());
  EPI_TRY(LoadSymbols());
  EPI_TRY(LoadPostingsTable());
  return CheckWhole();
}

Result<void> IndexReader::CheckWhole() const {
  if (!MappingIsBroken(data_.data())) return {};
  return Damaged("the file became shorter, or the disk cannot read it");
}

Result<void> IndexReader::LoadToc() {
  if (data_.size() < kIndexHeaderBytes + kIndexTocBytes) return Damaged("it is too short for a table of contents");
  const auto toc = data_.substr(data_.size() - kIndexTocBytes);
  ByteReader in(toc);
  toc_.symbols = in.Big64();
  toc_.series = in.Big64();
  toc_.label_indices = in.Big64();
  toc_.label_offset_table = in.Big64();
  toc_.postings = in.Big64();
  toc_.postings_table = in.Big64();
  if (in.Big32() != Crc32c(toc.substr(0, kIndexTocBytes - 4))) return Damaged("checksum of the table of contents");
  return {};
}

Result<std::string_view> IndexReader::Section(uint64_t offset, const char* what) const {
  const uint64_t end = data_.size() - kIndexTocBytes;
  if (offset < kIndexHeaderBytes || offset > end || end - offset < 8)
    return Damaged(std::string("place of the ") + what);
  const uint64_t length = LoadBig<uint32_t>(data_.data() + offset);
  if (length > end - offset - 8) return Damaged(std::string("length of the ") + what);
  const auto content = data_.substr(offset + 4, length);
  if (LoadBig<uint32_t>(content.data() + length) != Crc32c(content))
    return Damaged(std::string("checksum of the ") + what);
  return content;
}

Result<void> IndexReader::LoadSymbols() {
  EPI_ASSIGN(const auto content, Section(toc_.symbols, "symbol table"));
  if (content.size() < 4) return Damaged("symbol table");
  symbol_count_ = LoadBig<uint32_t>(content.data());
  symbols_ = content.substr(4);
  ByteReader in(symbols_);
  for (uint32_t i = 0; i < symbol_count_; ++i) {
    if (i % kSymbolStride == 0) symbol_samples_.push_back(static_cast<uint32_t>(in.offset()));
    in.UvarintString();
    if (!in.ok()) return Damaged("symbol table");
  }
  return {};
}

Result<std::string_view> IndexReader::Symbol(IndexSymbol symbol) const {
  if (version_ == 1) {
    // References of version 1 are offsets in the file.
    const auto begin = static_cast<uint64_t>(symbols_.data() - data_.data());
    if (symbol < begin || symbol >= begin + symbols_.size()) return Damaged("symbol reference");
    ByteReader in(symbols_.substr(symbol - begin));
    const auto text = in.UvarintString();
    if (!in.ok()) return Damaged("symbol reference");
    return text;
  }
  if (symbol >= symbol_count_) return Damaged("symbol reference");
  ByteReader in(symbols_.substr(symbol_samples_[symbol / kSymbolStride]));
  for (uint32_t i = symbol % kSymbolStride; i > 0; --i) in.UvarintString();
  return in.UvarintString();
}

bool IndexReader::EntryAt(uint64_t& position, TableEntry& out) const {
  if (position > table_.size()) return false;
  ByteReader in(table_.substr(position));
  const uint64_t keys = in.Uvarint();
  out.name = in.UvarintString();
  out.value = in.UvarintString();
  out.postings_offset = in.Uvarint();
  if (!in.ok() || keys != kLabelKeys) return false;
  position += in.offset();
  return true;
}

Result<void> IndexReader::LoadPostingsTable() {
  EPI_ASSIGN(const auto content, Section(toc_.postings_table, "postings offset table"));
  if (content.size() < 4) return Damaged("postings offset table");
  const uint32_t count = LoadBig<uint32_t>(content.data());
  table_ = content.substr(4);
  // Names of one label stand together and values are sorted, except in files of version 1.
  stride_ = kTableStride;
  uint64_t position = 0;
  TableEntry entry;
  TableEntry before;
  bool sorted = true;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t at = position;
    if (!EntryAt(position, entry)) return Damaged("postings offset table");
    if (i > 0 && std::tie(before.name, before.value) >= std::tie(entry.name, entry.value)) {
      sorted = false;
      break;
    }
    if (i == 0 || entry.name != before.name) {
      names_.push_back({.name = entry.name, .first_sample = samples_.size(), .count = 0});
    }
    if (names_.back().count++ % stride_ == 0) samples_.push_back(at);
    before = entry;
  }
  if (sorted) return {};
  std::vector<std::pair<TableEntry, uint64_t>> entries;
  position = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t at = position;
    if (!EntryAt(position, entry)) return Damaged("postings offset table");
    entries.emplace_back(entry, at);
  }
  return LoadUnsortedTable(std::move(entries));
}

Result<void> IndexReader::LoadUnsortedTable(std::vector<std::pair<TableEntry, uint64_t>> entries) {
  names_.clear();
  samples_.clear();
  stride_ = 1;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.name, a.first.value) < std::tie(b.first.name, b.first.value);
  });
  for (const auto& [entry, position] : entries) {
    if (names_.empty() || names_.back().name != entry.name) {
      names_.push_back({.name = entry.name, .first_sample = samples_.size(), .count = 0});
    }
    ++names_.back().count;
    samples_.push_back(position);
  }
  return {};
}

const IndexReader::NameRange* IndexReader::FindName(std::string_view name) const {
  const auto at = std::lower_bound(names_.begin(), names_.end(), name,
                                   [](const NameRange& range, std::string_view text) { return range.name < text; });
  return at != names_.end() && at->name == name ? &*at : nullptr;
}

std::vector<std::string_view> IndexReader::LabelNames() const {
  std::vector<std::string_view> out;
  out.reserve(names_.size());
  for (const auto& range : names_)
    if (!range.name.empty()) out.push_back(range.name);
  return out;
}

size_t IndexReader::CountValues(std::string_view name) const {
  const NameRange* range = FindName(name);
  return range == nullptr ? 0 : range->count;
}

bool IndexReader::ValueCursor::Next() {
  if (next_ == count_) return false;
  const auto& range = reader_->names_[range_];
  if (next_ % reader_->stride_ == 0) position_ = reader_->SamplePosition(range, next_ / reader_->stride_);
  TableEntry entry;
  if (!reader_->EntryAt(position_, entry)) {  // the table was walked when it was opened, so this does not happen
    next_ = count_;
    return false;
  }
  ++next_;
  value_ = entry.value;
  postings_offset_ = entry.postings_offset;
  return true;
}

IndexReader::ValueCursor IndexReader::Values(std::string_view name, std::string_view from) const {
  ValueCursor cursor;
  const NameRange* range = FindName(name);
  if (range == nullptr) return cursor;
  cursor.reader_ = this;
  cursor.range_ = static_cast<size_t>(range - names_.data());
  cursor.count_ = range->count;
  if (from.empty()) return cursor;
  // The last sample whose value is below `from`, then entry by entry.
  const size_t samples = (range->count + stride_ - 1) / stride_;
  size_t low = 0;
  size_t high = samples;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    uint64_t position = SamplePosition(*range, middle);
    TableEntry entry;
    if (EntryAt(position, entry) && entry.value < from) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  cursor.next_ = low == 0 ? 0 : (low - 1) * stride_;
  while (true) {
    ValueCursor ahead = cursor;
    if (!ahead.Next() || ahead.value_ >= from) return cursor;
    cursor = ahead;
  }
}

Result<PostingsList> IndexReader::Postings(std::string_view name, std::string_view value) const {
  PostingsList out;
  ValueCursor cursor = Values(name, value);
  if (cursor.Next() && cursor.value() == value) EPI_TRY(ReadPostings(cursor.postings_offset(), out));
  return out;
}

size_t IndexReader::PostingsLength(uint64_t offset) const {
  if (offset > data_.size() || data_.size() - offset < 8) return 0;
  return LoadBig<uint32_t>(data_.data() + offset + 4);
}

Result<void> IndexReader::ReadPostings(uint64_t offset, PostingsList& out) const {
  EPI_ASSIGN(const auto content, Section(offset, "postings"));
  if (content.size() < 4) return Damaged("postings");
  const uint64_t count = LoadBig<uint32_t>(content.data());
  if (content.size() != 4 + 4 * count) return Damaged("length of the postings");
  const size_t before = out.size();
  out.resize(before + count);
  for (size_t i = 0; i < count; ++i) out[before + i] = LoadBig<uint32_t>(content.data() + 4 + 4 * i);
  for (size_t i = before + 1; i < out.size(); ++i)
    if (out[i - 1] >= out[i]) return Damaged("order of the postings");
  return {};
}

Result<void> IndexReader::Series(BlockSeriesRef ref, IndexSeries& out) const {
  const uint64_t offset = version_ == 1 ? ref : uint64_t{ref} * kSeriesAlignment;
  const uint64_t end = data_.size() - kIndexTocBytes;
  if (offset < kIndexHeaderBytes || offset >= end) return Damaged("series reference " + std::to_string(ref));
  ByteReader entry(data_.substr(offset, end - offset));
  const auto body = entry.Bytes(entry.Uvarint());
  const uint32_t checksum = entry.Big32();
  if (!entry.ok()) return Damaged("length of series " + std::to_string(ref));
  if (checksum != Crc32c(body)) return Damaged("checksum of series " + std::to_string(ref));
  ByteReader in(body);
  const uint64_t labels = in.Uvarint();
  if (labels > in.remaining() / 2) return Damaged("labels of series " + std::to_string(ref));
  out.labels.resize(labels);
  for (auto& label : out.labels) {
    label.name = static_cast<IndexSymbol>(in.Uvarint());
    label.value = static_cast<IndexSymbol>(in.Uvarint());
  }
  const uint64_t chunks = in.Uvarint();
  if (chunks > in.remaining() / 3 || !in.ok()) return Damaged("chunks of series " + std::to_string(ref));
  out.chunks.resize(chunks);
  uint64_t time = 0;
  uint64_t chunk_ref = 0;
  for (size_t i = 0; i < chunks; ++i) {
    auto& chunk = out.chunks[i];
    time = i == 0 ? static_cast<uint64_t>(in.Varint()) : time + in.Uvarint();
    chunk.min_time = static_cast<TimestampMs>(time);
    time += in.Uvarint();
    chunk.max_time = static_cast<TimestampMs>(time);
    chunk_ref = i == 0 ? in.Uvarint() : chunk_ref + static_cast<uint64_t>(in.Varint());
    chunk.ref = chunk_ref;
  }
  if (!in.ok()) return Damaged("chunks of series " + std::to_string(ref));
  return {};
}

}  // namespace epi::tsdb
