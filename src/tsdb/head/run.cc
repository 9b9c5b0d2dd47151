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
constexpr uint64_t kMagic = 0x314e555249504500;  // "\0EPIRUN1"
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 80;
constexpr size_t kColumnBytes = 32;
constexpr size_t kChunkBytes = 24;
constexpr uint16_t kGapsBit = 0x8000;
constexpr size_t kHeaderCrcAt = 12;
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
  out.reserve(kHeaderBytes + columns_.size() * kColumnBytes + chunks_.size() * kChunkBytes + times_bytes +
              streams_.size() + kStreamPadding);
  ByteWriter writer(out);
  writer.Little64(kMagic);
  writer.Little32(kVersion);
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
    writer.Little16(static_cast<uint16_t>(chunk.bits | (chunk.gaps ? kGapsBit : 0)));
    writer.U8(chunk.start_entry);
    writer.U8(chunk.last_entry);
    writer.Little64(std::bit_cast<uint64_t>(chunk.last_value));
  }
  const size_t body_at = out.size();
  for (const auto& column : columns_) out += column.encoded;
  out += streams_;
  out.append(kStreamPadding, '\0');
  StoreLittle(out.data() + 16, Crc32c(std::string_view(out).substr(body_at)));
  StoreLittle(out.data() + kHeaderCrcAt, Crc32c(std::string_view(out).substr(0, body_at)));
  return out;
}

Result<std::shared_ptr<const Run>> Run::Open(std::string bytes) {
  std::shared_ptr<Run> run(new Run(std::move(bytes)));
  EPI_TRY(run->Check());
  return std::shared_ptr<const Run>(std::move(run));
}

Result<void> Run::Check() {
  const auto damaged = [](const char* what) {
    return Fail(ErrorCode::kDataLoss, std::string("a run of the head is damaged: ") + what);
  };
  if (bytes_.size() < kHeaderBytes + kStreamPadding) return damaged("too short");
  const char* header = bytes_.data();
  if (LoadLittle<uint64_t>(header) != kMagic) return damaged("wrong magic");
  if (LoadLittle<uint32_t>(header + 8) != kVersion) return damaged("unknown version");
  group_ = LoadLittle<uint32_t>(header + 20);
  first_lsn_ = LoadLittle<uint64_t>(header + 24);
  last_lsn_ = LoadLittle<uint64_t>(header + 32);
  range_ = {LoadLittle<int64_t>(header + 40), LoadLittle<int64_t>(header + 48)};
  columns_ = LoadLittle<uint32_t>(header + 56);
  chunk_count_ = LoadLittle<uint32_t>(header + 60);
  const size_t times_bytes = LoadLittle<uint32_t>(header + 64);
  const size_t streams_bytes = LoadLittle<uint32_t>(header + 68);
  directory_at_ = kHeaderBytes + columns_ * kColumnBytes;
  times_at_ = directory_at_ + chunk_count_ * kChunkBytes;
  streams_at_ = times_at_ + times_bytes;
  if (streams_at_ + streams_bytes + kStreamPadding != bytes_.size()) return damaged("sizes do not add up");
  const uint32_t header_crc = LoadLittle<uint32_t>(header + kHeaderCrcAt);
  StoreLittle<uint32_t>(bytes_.data() + kHeaderCrcAt, 0);
  const uint32_t computed = Crc32c(std::string_view(bytes_).substr(0, times_at_));
  StoreLittle(bytes_.data() + kHeaderCrcAt, header_crc);
  if (computed != header_crc) return damaged("checksum of the directory");
  if (Crc32c(std::string_view(bytes_).substr(times_at_)) != LoadLittle<uint32_t>(header + 16))
    return damaged("checksum");
  // A checksum can be made to fit; offsets are checked all the same.
  for (uint32_t i = 0; i < columns_; ++i) {
    const char* record = ColumnRecord(i);
    const uint64_t end = uint64_t{LoadLittle<uint32_t>(record)} + LoadLittle<uint32_t>(record + 4);
    const auto entries = LoadLittle<uint32_t>(record + 8);
    if (end > times_bytes || entries == 0 || entries > kMaxColumnEntries) return damaged("column");
  }
  for (size_t i = 0; i < chunk_count_; ++i) {
    const Chunk chunk = ChunkAt(i);
    if (chunk.column >= columns_ || (i > 0 && SeriesAt(i) < SeriesAt(i - 1)) ||
        chunk.values.last_entry < chunk.values.start_entry || chunk.values.last_entry >= column_entries(chunk.column) ||
        LoadLittle<uint32_t>(Directory(i) + 8) + uint64_t{(chunk.values.bits + 7) / 8} > streams_bytes) {
      return damaged("chunk");
    }
  }
  return {};
}

const char* Run::Directory(size_t position) const { return bytes_.data() + directory_at_ + position * kChunkBytes; }
const char* Run::ColumnRecord(uint32_t column) const { return bytes_.data() + kHeaderBytes + column * kColumnBytes; }
size_t Run::column_entries(uint32_t column) const { return LoadLittle<uint32_t>(ColumnRecord(column) + 8); }

TimeRange Run::column_range(uint32_t column) const {
  return {LoadLittle<int64_t>(ColumnRecord(column) + 16), LoadLittle<int64_t>(ColumnRecord(column) + 24)};
}

Result<void> Run::Times(uint32_t column, TimestampMs* out) const {
  const char* record = ColumnRecord(column);
  return DecodeTimes({bytes_.data() + times_at_ + LoadLittle<uint32_t>(record), LoadLittle<uint32_t>(record + 4)},
                     column_entries(column), out);
}

uint32_t Run::SeriesAt(size_t position) const { return LoadLittle<uint32_t>(Directory(position)); }

std::pair<size_t, size_t> Run::Find(uint32_t series) const {
  size_t low = 0;
  size_t high = chunk_count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (SeriesAt(middle) < series) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  size_t end = low;
  while (end < chunk_count_ && SeriesAt(end) == series) ++end;
  return {low, end};
}

Run::Chunk Run::ChunkAt(size_t position) const {
  const char* record = Directory(position);
  Chunk chunk;
  chunk.column = LoadLittle<uint32_t>(record + 4);
  const auto bits = LoadLittle<uint16_t>(record + 12);
  chunk.values.bits = bits & ~kGapsBit;
  chunk.values.gaps = (bits & kGapsBit) != 0;
  chunk.values.stream =
      reinterpret_cast<const uint8_t*>(bytes_.data()) + streams_at_ + LoadLittle<uint32_t>(record + 8);
  chunk.values.start_entry = LoadLittle<uint8_t>(record + 14);
  chunk.values.last_entry = LoadLittle<uint8_t>(record + 15);
  chunk.values.last_value = LoadLittle<double>(record + 16);
  return chunk;
}

}  // namespace epi::tsdb
