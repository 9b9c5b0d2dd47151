#include "tsdb/wal/record_file.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace epi::tsdb {
namespace {
constexpr uint32_t kRecordFileVersion = 1;
constexpr uint16_t kMarker = 0x1ae9;
constexpr size_t kHeaderCrcAt = 20;
constexpr size_t kFileCrcAt = 28;
}  // namespace

std::string EncodeFileHeader(const RecordFileHeader& header) {
  std::string out;
  ByteWriter writer(out);
  writer.Little32(static_cast<uint32_t>(header.kind));
  writer.Little32(kRecordFileVersion);
  writer.Little64(header.number);
  writer.Little64(header.first_lsn);
  writer.Little32(0);
  writer.Little32(Crc32c(out));
  return out;
}

Result<RecordFileHeader> DecodeFileHeader(std::string_view file, RecordFileKind kind) {
  if (file.size() < kRecordFileHeaderBytes) return Fail(ErrorCode::kDataLoss, "the file header is cut short");
  ByteReader reader(file.substr(0, kRecordFileHeaderBytes));
  RecordFileHeader header;
  header.kind = static_cast<RecordFileKind>(reader.Little32());
  const uint32_t version = reader.Little32();
  header.number = reader.Little64();
  header.first_lsn = reader.Little64();
  reader.Little32();
  if (reader.Little32() != Crc32c(file.substr(0, kFileCrcAt)) || header.kind != kind) {
    return Fail(ErrorCode::kDataLoss, "the file header is damaged");
  }
  if (version != kRecordFileVersion)
    return Fail(ErrorCode::kUnsupported, "the file has the unknown version " + std::to_string(version));
  return header;
}

void AppendRecord(std::string& out, uint8_t type, uint64_t lsn, std::string_view payload) {
  const size_t at = out.size();
  ByteWriter writer(out);
  writer.Little16(kMarker);
  writer.U8(type);
  writer.U8(0);
  writer.Little32(static_cast<uint32_t>(payload.size()));
  writer.Little64(lsn);
  writer.Little32(Crc32c(payload));
  writer.Little32(Crc32c(std::string_view(out).substr(at, kHeaderCrcAt)));
  out.append(payload);
}

bool RecordScanner::HeaderAt(size_t at, Record& record, uint32_t& length) const {
  if (file_.size() < kRecordHeaderBytes || at > file_.size() - kRecordHeaderBytes) return false;
  const char* header = file_.data() + at;
  if (LoadLittle<uint16_t>(header) != kMarker) return false;
  if (LoadLittle<uint32_t>(header + kHeaderCrcAt) != Crc32c(file_.substr(at, kHeaderCrcAt))) return false;
  length = LoadLittle<uint32_t>(header + 4);
  if (length > kMaxRecordBytes) return false;
  record.type = LoadLittle<uint8_t>(header + 2);
  record.lsn = LoadLittle<uint64_t>(header + 8);
  record.offset = at;
  return true;
}

void RecordScanner::NoteDamage(size_t from, size_t to, const char* what) { damage_.push_back({from, to - from, what}); }

bool RecordScanner::Next(Record& record) {
  size_t bad_from = at_;
  const char* what = "unreadable record header";
  while (at_ < file_.size()) {
    uint32_t length = 0;
    if (!HeaderAt(at_, record, length)) {
      ++at_;
      continue;
    }
    const size_t payload_at = at_ + kRecordHeaderBytes;
    if (length > file_.size() - payload_at) {
      // Cut short, or a header that only looks like one.
      ++at_;
      continue;
    }
    record.payload = file_.substr(payload_at, length);
    const bool intact = LoadLittle<uint32_t>(file_.data() + at_ + 16) == Crc32c(record.payload);
    if (!intact) {
      what = "wrong checksum of a record";
      at_ = payload_at + length;
      continue;
    }
    if (bad_from != at_) NoteDamage(bad_from, at_, what);
    at_ = payload_at + length;
    intact_end_ = at_;
    return true;
  }
  return false;
}

}  // namespace epi::tsdb
