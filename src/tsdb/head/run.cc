#include "tsdb/head/run.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/head/column.h"
#include "tsdb/head/value_codec.h"

// Little-endian. Header, column records, directory, times, streams, padding.
//   header (80):        magic 8, version 4, header CRC 4 (of the header with this field zero, column records and
//   directory),
//                       body CRC 4 (of all after the directory), group 4, first LSN 8, last LSN 8, min time 8, max time
//                       8, columns 4, chunks 4, times bytes 4, streams bytes 4, zero 8
//   column record (32): times offset 4, times bytes 4, entries 4, zero 4, min time 8, max time 8
//   directory (24):     series 4, column 4, stream offset 4, bits 2, start entry 1, last entry 1, last value 8
//                       (top bit of `bits`: the chunk has gaps)
namespace epi::tsdb {
namespace {
constexpr uint64_t kRunMagic = 0x314e555249504500;  // "\0EPIRUN1"
constexpr uint32_t kRunVersion = 1;
constexpr size_t kRunHeaderBytes = 80;
constexpr size_t kRunColumnBytes = 32;
constexpr size_t kRunChunkBytes = 24;
constexpr uint16_t kRunGapsBit = 0x8000;
constexpr size_t kRunHeaderCrcAt = 12;
constexpr size_t kRunPageBytes = 4096;  // read and checked together
}  // namespace

void RunBuilder::AddColumn(std::string_view encoded_times, size_t entries, TimeRange range) {
  columns_.push_back(ColumnEntry{std::string(encoded_times), static_cast<uint32_t>(entries), range});
}

void RunBuilder::AddChunk(uint32_t series, uint32_t column, const HotRecord& finished) {
  chunks_.push_back(Chunk{series, column, static_cast<uint32_t>(streams_.size()), finished.bits, finished.start_entry,
                          finished.last_entry, finished.Has(HotRecord::kGaps), finished.last_value});
}

std::string RunBuilder::Finish(uint32_t group, uint64_t first_lsn, uint64_t last_lsn) {
  std::stable_sort(chunks_.begin(), chunks_.end(), [](const Chunk& a, const Chunk& b) { return a.series < b.series; });
  TimeRange range{std::numeric_limits<TimestampMs>::max(), std::numeric_limits<TimestampMs>::min()};
  size_t times_bytes = 0;
  for (const auto& column : columns_) {
    range.min = std::min(range.min, column.range.min);
    range.max = std::max(range.max, column.range.max);
    times_bytes += column.encoded.size();
  }
  std::string out;
  out.reserve(kRunHeaderBytes + columns_.size() * kRunColumnBytes + chunks_.size() * kRunChunkBytes + times_bytes +
              streams_.size() + kStreamPadding);
  ByteWriter writer(out);
  writer.Little64(kRunMagic);
  writer.Little32(kRunVersion);
  writer.Little32(0);
  writer.Little32(0);
  writer.Little32(group);
  writer.Little64(first_lsn);
  writer.Little64(last_lsn);
  writer.Little64(static_cast<uint64_t>(range.min));
  writer.Little64(static_cast<uint64_t>(range.max));
  writer.Little32(static_cast<uint32_t>(columns_.size()));
  writer.Little32(static_cast<uint32_t>(chunks_.size()));
  writer.Little32(static_cast<uint32_t>(times_bytes));
  writer.Little32(static_cast<uint32_t>(streams_.size()));
  writer.Little64(0);
  uint32_t at = 0;
  for (const auto& column : columns_) {
    writer.Little32(at);
    writer.Little32(static_cast<uint32_t>(column.encoded.size()));
    writer.Little32(column.entries);
    writer.Little32(0);
    writer.Little64(static_cast<uint64_t>(column.range.min));
    writer.Little64(static_cast<uint64_t>(column.range.max));
    at += static_cast<uint32_t>(column.encoded.size());
  }
  for (const auto& chunk : chunks_) {
    writer.Little32(chunk.series);
    writer.Little32(chunk.column);
    writer.Little32(chunk.stream_at);
    writer.Little16(static_cast<uint16_t>(chunk.bits | (chunk.gaps ? kRunGapsBit : 0)));
    writer.U8(chunk.start_entry);
    writer.U8(chunk.last_entry);
    writer.Little64(std::bit_cast<uint64_t>(chunk.last_value));
  }
  const size_t body_at = out.size();
  for (const auto& column : columns_) out += column.encoded;
  out += streams_;
  out.append(kStreamPadding, '\0');
  StoreLittle(out.data() + 16, Crc32c(std::string_view(out).substr(body_at)));
  StoreLittle(out.data() + kRunHeaderCrcAt, Crc32c(std::string_view(out).substr(0, body_at)));
  return out;
}

RunFile::~RunFile() {
  // A file that stays although nothing refers to it is removed at the next start.
  if (!shared_->keep.load(std::memory_order_acquire)) static_cast<void>(fs_.RemoveFile(path_));
}

Result<std::shared_ptr<const Run>> Run::Open(std::string bytes) {
  std::shared_ptr<Run> run(new Run());
  run->bytes_ = std::move(bytes);
  EPI_ASSIGN(run->shape_, CheckHeader(run->bytes_));
  // A checksum can be made to fit; offsets are checked all the same.
  const auto damaged = [] {
    return Fail(ErrorCode::kDataLoss, "a run of the head is damaged: an offset is out of range");
  };
  RunReader reader(run);
  const Shape& shape = run->shape_;
  for (uint32_t i = 0; i < shape.columns; ++i) {
    const char* record = run->bytes_.data() + kRunHeaderBytes + i * kRunColumnBytes;
    const uint64_t end = uint64_t{LoadLittle<uint32_t>(record)} + LoadLittle<uint32_t>(record + 4);
    const auto entries = LoadLittle<uint32_t>(record + 8);
    if (end > shape.streams_at - shape.times_at || entries == 0 || entries > kMaxColumnEntries) return damaged();
  }
  const size_t streams_bytes = shape.bytes - kStreamPadding - shape.streams_at;
  uint32_t before = 0;
  for (size_t i = 0; i < shape.chunks; ++i) {
    EPI_ASSIGN(const Chunk chunk, reader.ChunkAt(i));
    EPI_ASSIGN(const uint32_t series, reader.SeriesAt(i));
    if (chunk.column >= shape.columns || series < before) return damaged();
    EPI_ASSIGN(const size_t entries, reader.column_entries(chunk.column));
    const auto at = LoadLittle<uint32_t>(run->bytes_.data() + shape.directory_at + i * kRunChunkBytes + 8);
    if (chunk.values.last_entry < chunk.values.start_entry || chunk.values.last_entry >= entries ||
        at + uint64_t{(chunk.values.bits + 7) / 8} > streams_bytes) {
      return damaged();
    }
    before = series;
  }
  return std::shared_ptr<const Run>(std::move(run));
}

Result<Run::Shape> Run::CheckHeader(std::string& bytes) {
  const auto damaged = [](const char* what) {
    return Fail(ErrorCode::kDataLoss, std::string("a run of the head is damaged: ") + what);
  };
  if (bytes.size() < kRunHeaderBytes + kStreamPadding) return damaged("too short");
  const char* header = bytes.data();
  if (LoadLittle<uint64_t>(header) != kRunMagic) return damaged("wrong magic");
  if (LoadLittle<uint32_t>(header + 8) != kRunVersion) return damaged("unknown version");
  Shape shape;
  shape.bytes = bytes.size();
  shape.group = LoadLittle<uint32_t>(header + 20);
  shape.first_lsn = LoadLittle<uint64_t>(header + 24);
  shape.last_lsn = LoadLittle<uint64_t>(header + 32);
  shape.range = {LoadLittle<int64_t>(header + 40), LoadLittle<int64_t>(header + 48)};
  shape.columns = LoadLittle<uint32_t>(header + 56);
  shape.chunks = LoadLittle<uint32_t>(header + 60);
  shape.directory_at = kRunHeaderBytes + shape.columns * kRunColumnBytes;
  shape.times_at = shape.directory_at + shape.chunks * kRunChunkBytes;
  shape.streams_at = shape.times_at + LoadLittle<uint32_t>(header + 64);
  if (shape.streams_at + LoadLittle<uint32_t>(header + 68) + kStreamPadding != bytes.size()) {
    return damaged("sizes do not add up");
  }
  const uint32_t header_crc = LoadLittle<uint32_t>(header + kRunHeaderCrcAt);
  StoreLittle<uint32_t>(bytes.data() + kRunHeaderCrcAt, 0);
  const uint32_t computed = Crc32c(std::string_view(bytes).substr(0, shape.times_at));
  StoreLittle(bytes.data() + kRunHeaderCrcAt, header_crc);
  if (computed != header_crc) return damaged("checksum of the directory");
  if (Crc32c(std::string_view(bytes).substr(shape.times_at)) != LoadLittle<uint32_t>(header + 16)) {
    return damaged("checksum");
  }
  return shape;
}

Result<uint64_t> Run::ClaimedBytes(std::string_view bytes) {
  char magic[sizeof kRunMagic];
  StoreLittle(magic, kRunMagic);
  if (!std::string_view(magic, sizeof magic).starts_with(bytes.substr(0, sizeof magic)))
    return Fail(ErrorCode::kDataLoss, "there is no run of the head");
  // One whose header is cut off is longer than what is there.
  if (bytes.size() < kRunHeaderBytes) return kRunHeaderBytes;
  const char* header = bytes.data();
  if (const auto version = LoadLittle<uint32_t>(header + 8); version != kRunVersion)
    return Fail(ErrorCode::kUnsupported, "a run of the head has the unknown version " + std::to_string(version));
  return kRunHeaderBytes + uint64_t{LoadLittle<uint32_t>(header + 56)} * kRunColumnBytes +
         uint64_t{LoadLittle<uint32_t>(header + 60)} * kRunChunkBytes + LoadLittle<uint32_t>(header + 64) +
         uint64_t{LoadLittle<uint32_t>(header + 68)} + kStreamPadding;
}

size_t Run::FindStart(std::string_view bytes, size_t from) {
  char magic[sizeof kRunMagic];
  StoreLittle(magic, kRunMagic);
  return std::min(bytes.find({magic, sizeof magic}, from), bytes.size());
}

std::shared_ptr<const Run> Run::Spilled(const Run& in_memory, std::shared_ptr<const RunFile> file, uint64_t offset) {
  std::shared_ptr<Run> run(new Run());
  run->shape_ = in_memory.shape_;
  run->file_ = std::move(file);
  run->offset_ = offset;
  const std::string_view bytes = in_memory.bytes();
  for (size_t at = 0; at < bytes.size(); at += kRunPageBytes) {
    run->page_checksums_.push_back(Crc32c(bytes.substr(at, kRunPageBytes)));
  }
  run->page_checksums_.shrink_to_fit();
  return run;
}

// --- references ---

void Run::AppendReference(std::string& out) const {
  ByteWriter writer(out);
  writer.Uvarint(file_->number());
  writer.Uvarint(offset_);
  writer.Little64(static_cast<uint64_t>(shape_.range.min));
  writer.Little64(static_cast<uint64_t>(shape_.range.max));
  writer.Uvarint(shape_.first_lsn);
  writer.Uvarint(shape_.last_lsn);
  writer.Uvarint(shape_.bytes);
  writer.Uvarint(shape_.columns);
  writer.Uvarint(shape_.chunks);
  writer.Uvarint(shape_.streams_at - shape_.times_at);
  writer.UvarintString(
      {reinterpret_cast<const char*>(page_checksums_.data()), page_checksums_.size() * sizeof(uint32_t)});
}

Result<Run::Reference> Run::ReadReference(ByteReader& in) {
  Reference ref;
  ref.file = in.Uvarint();
  ref.offset = in.Uvarint();
  ref.range = {static_cast<TimestampMs>(in.Little64()), static_cast<TimestampMs>(in.Little64())};
  ref.first_lsn = in.Uvarint();
  ref.last_lsn = in.Uvarint();
  ref.bytes = in.Uvarint();
  ref.columns = in.Uvarint();
  ref.chunks = in.Uvarint();
  ref.times_bytes = in.Uvarint();
  ref.page_checksums = in.UvarintString();
  constexpr uint64_t kMost = uint64_t{1} << 40;  // so that sums do not overflow
  const uint64_t pages = (ref.bytes + kRunPageBytes - 1) / kRunPageBytes;
  if (!in.ok() || ref.bytes > kMost || ref.offset > kMost || ref.columns > kMost || ref.chunks > kMost ||
      ref.times_bytes > kMost || ref.page_checksums.size() != pages * sizeof(uint32_t) ||
      kRunHeaderBytes + ref.columns * kRunColumnBytes + ref.chunks * kRunChunkBytes + ref.times_bytes + kStreamPadding >
          ref.bytes) {
    return Fail(ErrorCode::kDataLoss, "a reference to a spilled run is damaged");
  }
  return ref;
}

std::shared_ptr<const Run> Run::Referred(const Reference& reference, uint32_t group,
                                         std::shared_ptr<const RunFile> file) {
  std::shared_ptr<Run> run(new Run());
  Shape& shape = run->shape_;
  shape.range = reference.range;
  shape.first_lsn = reference.first_lsn;
  shape.last_lsn = reference.last_lsn;
  shape.bytes = reference.bytes;
  shape.columns = reference.columns;
  shape.chunks = reference.chunks;
  shape.directory_at = kRunHeaderBytes + shape.columns * kRunColumnBytes;
  shape.times_at = shape.directory_at + shape.chunks * kRunChunkBytes;
  shape.streams_at = shape.times_at + reference.times_bytes;
  shape.group = group;
  run->file_ = std::move(file);
  run->offset_ = reference.offset;
  run->page_checksums_.resize(reference.page_checksums.size() / sizeof(uint32_t));
  std::memcpy(run->page_checksums_.data(), reference.page_checksums.data(), reference.page_checksums.size());
  return run;
}

// --- reading ---

RunReader::RunReader(std::shared_ptr<const Run> run) : run_(std::move(run)) {
  if (run_->in_memory()) data_ = run_->bytes_.data();
}

Result<const char*> RunReader::Bytes(size_t at, size_t size) {
  if (run_->in_memory()) return data_ + at;
  const size_t total = run_->size();
  if (buffer_ == nullptr) {
    buffer_.reset(new char[total]);
    loaded_.resize(run_->page_checksums_.size());
    data_ = buffer_.get();
  }
  const size_t last = std::min(at + size, total);
  for (size_t page = at / kRunPageBytes; page * kRunPageBytes < last; ++page) {
    if (loaded_[page]) continue;
    const size_t from = page * kRunPageBytes;
    const size_t length = std::min(kRunPageBytes, total - from);
    EPI_ASSIGN(const size_t got, run_->file_->file().ReadAt(run_->offset_ + from, buffer_.get() + from, length));
    if (got != length || Crc32c({buffer_.get() + from, length}) != run_->page_checksums_[page]) {
      run_->file_->NoteCorruption();
      return Fail(ErrorCode::kDataLoss, "a spilled run of the head is damaged: wrong checksum of a page");
    }
    loaded_[page] = true;
  }
  return data_ + at;
}

Result<size_t> RunReader::column_entries(uint32_t column) {
  EPI_ASSIGN(const char* record, Bytes(kRunHeaderBytes + column * kRunColumnBytes, kRunColumnBytes));
  return LoadLittle<uint32_t>(record + 8);
}

Result<TimeRange> RunReader::column_range(uint32_t column) {
  EPI_ASSIGN(const char* record, Bytes(kRunHeaderBytes + column * kRunColumnBytes, kRunColumnBytes));
  return TimeRange{LoadLittle<int64_t>(record + 16), LoadLittle<int64_t>(record + 24)};
}

Result<void> RunReader::Times(uint32_t column, TimestampMs* out) {
  EPI_ASSIGN(const char* record, Bytes(kRunHeaderBytes + column * kRunColumnBytes, kRunColumnBytes));
  const auto at = LoadLittle<uint32_t>(record);
  const auto size = LoadLittle<uint32_t>(record + 4);
  const auto entries = LoadLittle<uint32_t>(record + 8);
  EPI_ASSIGN(const char* encoded, Bytes(run_->shape_.times_at + at, size));
  return DecodeTimes({encoded, size}, entries, out);
}

Result<uint32_t> RunReader::SeriesAt(size_t position) {
  EPI_ASSIGN(const char* record, Bytes(run_->shape_.directory_at + position * kRunChunkBytes, kRunChunkBytes));
  return LoadLittle<uint32_t>(record);
}

Result<std::pair<size_t, size_t>> RunReader::Find(uint32_t series) {
  size_t low = 0;
  size_t high = run_->chunk_count();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    EPI_ASSIGN(const uint32_t at, SeriesAt(middle));
    if (at < series) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  size_t end = low;
  for (; end < run_->chunk_count(); ++end) {
    EPI_ASSIGN(const uint32_t at, SeriesAt(end));
    if (at != series) break;
  }
  return std::pair(low, end);
}

Result<Run::Chunk> RunReader::ChunkAt(size_t position) {
  EPI_ASSIGN(const char* record, Bytes(run_->shape_.directory_at + position * kRunChunkBytes, kRunChunkBytes));
  Run::Chunk chunk;
  chunk.column = LoadLittle<uint32_t>(record + 4);
  chunk.stream_at = LoadLittle<uint32_t>(record + 8);
  const auto bits = LoadLittle<uint16_t>(record + 12);
  chunk.values.bits = bits & ~kRunGapsBit;
  chunk.values.gaps = (bits & kRunGapsBit) != 0;
  chunk.values.start_entry = LoadLittle<uint8_t>(record + 14);
  chunk.values.last_entry = LoadLittle<uint8_t>(record + 15);
  chunk.values.last_value = LoadLittle<double>(record + 16);
  return chunk;
}

Result<void> RunReader::LoadStream(Run::Chunk& chunk) {
  if (chunk.values.bits == 0) return {};
  EPI_ASSIGN(const char* stream,
             Bytes(run_->shape_.streams_at + chunk.stream_at, (chunk.values.bits + 7) / 8 + kStreamPadding));
  chunk.values.stream = reinterpret_cast<const uint8_t*>(stream);
  return {};
}

}  // namespace epi::tsdb
