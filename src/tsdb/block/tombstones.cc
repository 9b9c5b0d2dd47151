#include "tsdb/block/tombstones.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace epi::tsdb {
namespace {

constexpr uint32_t kTombstonesMagic = 0x0130BA30;
constexpr uint8_t kTombstonesVersion = 1;
constexpr size_t kTombstonesHeaderBytes = 5;
constexpr size_t kTombstonesChecksumBytes = 4;

}  // namespace

uint64_t CountIntervals(const Tombstones& tombstones) {
  uint64_t sum = 0;
  for (const auto& [ref, intervals] : tombstones) sum += intervals.size();
  return sum;
}

std::string EncodeTombstones(const Tombstones& tombstones) {
  std::string out;
  ByteWriter writer(out);
  writer.Big32(kTombstonesMagic);
  writer.U8(kTombstonesVersion);
  for (const auto& [ref, intervals] : tombstones) {
    for (const auto& range : intervals) {
      writer.Uvarint(ref);
      writer.Varint(range.min);
      writer.Varint(range.max);
    }
  }
  writer.Big32(Crc32c(std::string_view(out).substr(kTombstonesHeaderBytes)));
  return out;
}

Result<Tombstones> DecodeTombstones(std::string_view file) {
  if (file.size() < kTombstonesHeaderBytes + kTombstonesChecksumBytes)
    return Fail(ErrorCode::kDataLoss, "the tombstones file is too short");
  ByteReader header(file);
  if (header.Big32() != kTombstonesMagic)
    return Fail(ErrorCode::kDataLoss, "invalid magic number in the tombstones file");
  if (const uint8_t version = header.U8(); version != kTombstonesVersion) {
    return Fail(ErrorCode::kUnsupported, "invalid tombstone format " + std::to_string(version));
  }
  const auto entries =
      file.substr(kTombstonesHeaderBytes, file.size() - kTombstonesHeaderBytes - kTombstonesChecksumBytes);
  if (LoadBig<uint32_t>(file.data() + file.size() - kTombstonesChecksumBytes) != Crc32c(entries)) {
    return Fail(ErrorCode::kDataLoss, "checksum did not match in the tombstones file");
  }
  Tombstones out;
  ByteReader in(entries);
  while (in.ok() && !in.empty()) {
    const uint64_t ref = in.Uvarint();
    const TimestampMs min = in.Varint();
    const TimestampMs max = in.Varint();
    if (!in.ok() || min > max) return Fail(ErrorCode::kDataLoss, "the tombstones file holds a damaged entry");
    AddInterval(out[ref], {min, max});
  }
  return out;
}

Result<Tombstones> ReadTombstones(FileSystem& fs, const std::string& path) {
  auto file = fs.ReadFile(path);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return Tombstones{};
    return Fail(std::move(file).error());
  }
  auto out = DecodeTombstones(*file);
  if (!out) return Fail(out.error().WithContext(path));
  return out;
}

}  // namespace epi::tsdb
