#include "tsdb/block/index_writer.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace epi::tsdb {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
// Postings are collected for as many label names at once as have this many series together: 32 MB.
constexpr uint64_t kPostingsAtOnce = 4 << 20;
constexpr uint64_t kMaxSectionBytes = 0xffffffff;

}  // namespace

// The file being written: knows its offset, and checksums what goes through it.
class IndexWriter::Output {
 public:
  explicit Output(std::unique_ptr<File> file) : file_(std::move(file)), writer_(buffer_) {}
  ByteWriter& writer() { return writer_; }
  uint64_t offset() const { return flushed_ + buffer_.size(); }
  Result<void> FlushIfFull() { return buffer_.size() < kBufferBytes ? Result<void>{} : Flush(); }
  Result<void> Flush() {
    if (covering_) {
      crc_ = Crc32c(std::string_view(buffer_).substr(covered_from_), crc_);
      covered_from_ = 0;
    }
    EPI_TRY(file_->Append(buffer_));
    flushed_ += buffer_.size();
    buffer_.clear();
    return {};
  }
  // Between the two everything written is covered by the checksum that EndChecksum appends.
  void BeginChecksum() {
    covering_ = true;
    crc_ = 0;
    covered_from_ = buffer_.size();
  }
  void EndChecksum() {
    crc_ = Crc32c(std::string_view(buffer_).substr(covered_from_), crc_);
    covering_ = false;
    writer_.Big32(crc_);
  }
  void AlignTo(uint64_t multiple) {
    while (offset() % multiple != 0) writer_.U8(0);
  }
  Result<void> Finish() {
    EPI_TRY(Flush());
    return file_->Sync();
  }

 private:
  std::unique_ptr<File> file_;
  std::string buffer_;
  ByteWriter writer_;
  uint64_t flushed_ = 0;
  bool covering_ = false;
  uint32_t crc_ = 0;
  size_t covered_from_ = 0;
};

// Series as they came, in a file beside the index: labels by the numbers given out, chunks already in their final form.
class IndexWriter::Spool {
 public:
  Spool(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~Spool() {
    file_.reset();
    if (created_) (void)fs_.RemoveFile(path_).has_value();  // a leftover is harmless: the directory is temporary
  }
  Result<void> Add(std::span<const IndexLabel> labels, std::string_view chunks) {
    ByteWriter writer(buffer_);
    writer.Uvarint(labels.size());
    for (const auto& label : labels) {
      writer.Uvarint(label.name);
      writer.Uvarint(label.value);
    }
    writer.UvarintString(chunks);
    return buffer_.size() < kBufferBytes ? Result<void>{} : Flush();
  }
  // Calls visit(labels, chunks) for each series again. May be called several times, after the last Add.
  template <typename Visit>
  Result<void> ForEach(uint64_t count, Visit visit) {
    if (!created_) {
      EPI_TRY(Walk(buffer_, count, visit));
      return {};
    }
    EPI_TRY(Flush());
    std::string window;
    uint64_t read_to = 0;
    while (count > 0) {
      const size_t kept = window.size();
      window.resize(kept + kBufferBytes);
      EPI_ASSIGN(const size_t got, file_->ReadAt(read_to, window.data() + kept, kBufferBytes));
      window.resize(kept + got);
      read_to += got;
      EPI_ASSIGN(const size_t used, Walk(window, count, visit));
      if (got == 0 && used == 0) return Fail(ErrorCode::kIo, "the series spooled beside the index cannot be read back");
      count = walked_left_;
      window.erase(0, used);
    }
    return {};
  }

 private:
  Result<void> Flush() {
    if (!created_) {
      EPI_ASSIGN(file_, fs_.Open(path_, OpenMode::kTruncate));
      created_ = true;
    }
    EPI_TRY(file_->Append(buffer_));
    buffer_.clear();
    return {};
  }
  // Visits the whole series in `data`, at most `count`; the bytes they took. walked_left_ is what remains of `count`.
  template <typename Visit>
  Result<size_t> Walk(std::string_view data, uint64_t count, Visit& visit) {
    ByteReader in(data);
    size_t used = 0;
    for (; count > 0; --count) {
      labels_.resize(in.Uvarint());
      for (auto& label : labels_) {
        label.name = static_cast<IndexSymbol>(in.Uvarint());
        label.value = static_cast<IndexSymbol>(in.Uvarint());
      }
      const auto chunks = in.UvarintString();
      if (!in.ok()) break;
      EPI_TRY(visit(std::span<const IndexLabel>(labels_), chunks));
      used = in.offset();
    }
    walked_left_ = count;
    return used;
  }

  FileSystem& fs_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::string buffer_;
  std::vector<IndexLabel> labels_;
  uint64_t walked_left_ = 0;
  bool created_ = false;
};

IndexWriter::IndexWriter(FileSystem& fs, std::string path)
    : fs_(fs), path_(std::move(path)), spool_(std::make_unique<Spool>(fs, path_ + ".series")) {}
IndexWriter::~IndexWriter() = default;

Result<void> IndexWriter::CheckOrder(std::span<const IndexLabel> labels) const {
  for (size_t i = 1; i < labels.size(); ++i) {
    if (symbols_.Text(labels[i - 1].name) >= symbols_.Text(labels[i].name)) {
      return Fail(ErrorCode::kInvalid, "labels of a series are not sorted by name");
    }
  }
  if (series_ == 0) return {};
  const size_t shorter = std::min(labels.size(), last_labels_.size());
  for (size_t i = 0; i < shorter; ++i) {
    const auto& before = last_labels_[i];
    const auto& now = labels[i];
    if (before.name == now.name && before.value == now.value) continue;
    const int names = symbols_.Text(before.name).compare(symbols_.Text(now.name));
    if (names < 0 || (names == 0 && symbols_.Text(before.value) < symbols_.Text(now.value))) return {};
    return Fail(ErrorCode::kInvalid, "series are not in the order of their labels");
  }
  if (last_labels_.size() < labels.size()) return {};
  return Fail(ErrorCode::kInvalid, "series are not in the order of their labels");
}

Result<void> IndexWriter::AddSeries(std::span<const IndexLabel> labels, std::span<const ChunkMeta> chunks) {
  EPI_TRY(CheckOrder(labels));
  std::string encoded;
  ByteWriter writer(encoded);
  writer.Uvarint(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const auto& chunk = chunks[i];
    const bool first = i == 0;
    if (chunk.max_time < chunk.min_time ||
        (!first && (chunk.min_time <= chunks[i - 1].max_time || chunk.ref < chunks[i - 1].ref))) {
      return Fail(ErrorCode::kInvalid, "chunks of a series are out of order");
    }
    if (first) {
      writer.Varint(chunk.min_time);
    } else {
      writer.Uvarint(static_cast<uint64_t>(chunk.min_time) - static_cast<uint64_t>(chunks[i - 1].max_time));
    }
    writer.Uvarint(static_cast<uint64_t>(chunk.max_time) - static_cast<uint64_t>(chunk.min_time));
    if (first) {
      writer.Uvarint(chunk.ref);
    } else {
      writer.Varint(static_cast<int64_t>(chunk.ref - chunks[i - 1].ref));
    }
  }
  EPI_TRY(spool_->Add(labels, encoded));
  last_labels_.assign(labels.begin(), labels.end());
  ++series_;
  return {};
}

void IndexWriter::RankSymbols() {
  by_rank_.resize(symbols_.size());
  std::iota(by_rank_.begin(), by_rank_.end(), 0);
  std::sort(by_rank_.begin(), by_rank_.end(),
            [&](IndexSymbol a, IndexSymbol b) { return symbols_.Text(a) < symbols_.Text(b); });
  rank_.resize(symbols_.size());
  for (IndexSymbol rank = 0; rank < by_rank_.size(); ++rank) rank_[by_rank_[rank]] = rank;
  name_uses_.assign(symbols_.size(), 0);
}

Result<void> IndexWriter::Finish() {
  RankSymbols();
  EPI_ASSIGN(auto file, fs_.Open(path_, OpenMode::kTruncate));
  Output out(std::move(file));
  out.writer().Big32(kIndexMagic);
  out.writer().U8(kIndexVersion);
  EPI_TRY(WriteSymbols(out));
  toc_.series = out.offset();
  EPI_TRY(WriteSeries(out));
  toc_.label_indices = toc_.postings = out.offset();
  EPI_TRY(WritePostings(out));
  toc_.label_offset_table = toc_.postings_table = out.offset();
  EPI_TRY(WritePostingsTable(out));
  out.BeginChecksum();
  for (const uint64_t offset :
       {toc_.symbols, toc_.series, toc_.label_indices, toc_.label_offset_table, toc_.postings, toc_.postings_table}) {
    out.writer().Big64(offset);
  }
  out.EndChecksum();
  EPI_TRY(out.Finish());
  spool_.reset();
  return {};
}

Result<void> IndexWriter::WriteSymbols(Output& out) {
  toc_.symbols = out.offset();
  uint64_t length = 4;
  for (IndexSymbol i = 0; i < symbols_.size(); ++i) {
    const uint64_t size = symbols_.Text(i).size();
    length += size + 1;
    for (uint64_t rest = size >> 7; rest != 0; rest >>= 7) ++length;
  }
  if (length > kMaxSectionBytes) return Fail(ErrorCode::kLimit, "the symbols of a block take more than 4 GiB");
  out.writer().Big32(static_cast<uint32_t>(length));
  out.BeginChecksum();
  out.writer().Big32(static_cast<uint32_t>(symbols_.size()));
  for (IndexSymbol rank = 0; rank < by_rank_.size(); ++rank) {
    out.writer().UvarintString(TextOfRank(rank));
    EPI_TRY(out.FlushIfFull());
  }
  out.EndChecksum();
  return {};
}

Result<void> IndexWriter::WriteSeries(Output& out) {
  std::string body;
  refs_.reserve(series_);
  return spool_->ForEach(series_, [&](std::span<const IndexLabel> labels, std::string_view chunks) -> Result<void> {
    out.AlignTo(kSeriesAlignment);
    const uint64_t ref = out.offset() / kSeriesAlignment;
    if (ref > 0xffffffff) return Fail(ErrorCode::kLimit, "the index of a block takes more than 64 GiB");
    refs_.push_back(static_cast<BlockSeriesRef>(ref));
    body.clear();
    ByteWriter writer(body);
    writer.Uvarint(labels.size());
    for (const auto& label : labels) {
      writer.Uvarint(rank_[label.name]);
      writer.Uvarint(rank_[label.value]);
      ++name_uses_[rank_[label.name]];
    }
    writer.Bytes(chunks);
    out.writer().UvarintString(body);
    out.writer().Big32(Crc32c(body));
    return out.FlushIfFull();
  });
}

Result<void> IndexWriter::WritePostings(Output& out) {
  EPI_TRY(WritePostingsList(out, kNoSymbol, kNoSymbol, refs_));
  std::vector<IndexSymbol> names;
  uint64_t uses = 0;
  for (IndexSymbol rank = 0; rank < name_uses_.size(); ++rank) {
    if (name_uses_[rank] == 0) continue;
    if (!names.empty() && uses + name_uses_[rank] > kPostingsAtOnce) {
      EPI_TRY(WritePostingsOf(out, names));
      names.clear();
      uses = 0;
    }
    names.push_back(rank);
    uses += name_uses_[rank];
  }
  return names.empty() ? Result<void>{} : WritePostingsOf(out, names);
}

Result<void> IndexWriter::WritePostingsOf(Output& out, std::span<const IndexSymbol> names) {
  // Lists as chains through one array, newest first, which the output turns round.
  struct Link {
    BlockSeriesRef ref;
    uint32_t before;
  };
  struct Chain {
    uint32_t newest = 0;
    uint32_t count = 0;
  };
  std::vector<Link> links;
  std::unordered_map<uint64_t, Chain> chains;
  std::vector<bool> wanted(by_rank_.size(), false);
  for (const IndexSymbol name : names) wanted[name] = true;
  size_t series = 0;
  EPI_TRY(spool_->ForEach(series_, [&](std::span<const IndexLabel> labels, std::string_view) -> Result<void> {
    for (const auto& label : labels) {
      const IndexSymbol name = rank_[label.name];
      if (!wanted[name]) continue;
      Chain& chain = chains[uint64_t{name} << 32 | rank_[label.value]];
      links.push_back({refs_[series], chain.newest});
      chain.newest = static_cast<uint32_t>(links.size() - 1);
      ++chain.count;
    }
    ++series;
    return {};
  }));
  std::vector<uint64_t> keys;
  keys.reserve(chains.size());
  for (const auto& [key, chain] : chains) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  std::vector<BlockSeriesRef> refs;
  for (const uint64_t key : keys) {
    const Chain& chain = chains[key];
    refs.resize(chain.count);
    uint32_t at = chain.newest;
    for (size_t i = refs.size(); i-- > 0; at = links[at].before) refs[i] = links[at].ref;
    EPI_TRY(WritePostingsList(out, static_cast<IndexSymbol>(key >> 32), static_cast<IndexSymbol>(key), refs));
  }
  return {};
}

Result<void> IndexWriter::WritePostingsList(Output& out, IndexSymbol name, IndexSymbol value,
                                            std::span<const BlockSeriesRef> refs) {
  out.AlignTo(4);
  table_.push_back({name, value, out.offset()});
  const uint64_t length = 4 + 4 * uint64_t{refs.size()};
  if (length > kMaxSectionBytes) return Fail(ErrorCode::kLimit, "too many series for one postings list");
  out.writer().Big32(static_cast<uint32_t>(length));
  out.BeginChecksum();
  out.writer().Big32(static_cast<uint32_t>(refs.size()));
  for (const BlockSeriesRef ref : refs) {
    out.writer().Big32(ref);
    EPI_TRY(out.FlushIfFull());
  }
  out.EndChecksum();
  return out.FlushIfFull();
}

Result<void> IndexWriter::WritePostingsTable(Output& out) {
  std::string entry;
  ByteWriter writer(entry);
  const auto encode = [&](const TableEntry& e) {
    entry.clear();
    writer.Uvarint(2);  // the parts of a key: name and value
    writer.UvarintString(e.name == kNoSymbol ? std::string_view() : TextOfRank(e.name));
    writer.UvarintString(e.value == kNoSymbol ? std::string_view() : TextOfRank(e.value));
    writer.Uvarint(e.offset);
  };
  uint64_t length = 4;
  for (const auto& e : table_) {
    encode(e);
    length += entry.size();
  }
  if (length > kMaxSectionBytes) return Fail(ErrorCode::kLimit, "the label pairs of a block take more than 4 GiB");
  out.writer().Big32(static_cast<uint32_t>(length));
  out.BeginChecksum();
  out.writer().Big32(static_cast<uint32_t>(table_.size()));
  for (const auto& e : table_) {
    encode(e);
    out.writer().Bytes(entry);
    EPI_TRY(out.FlushIfFull());
  }
  out.EndChecksum();
  return {};
}

}  // namespace epi::tsdb
