#include "tsdb/import/wal_writer.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/block/block_files.h"
#include "tsdb/import/wal_compression.h"
#include "tsdb/import/wal_reader.h"

namespace epi::tsdb {

Result<void> WalSegmentWriter::PadPage() {
  const size_t used = file_->size() % kWalPageBytes;
  return used == 0 ? Result<void>{} : file_->Append(std::string(kWalPageBytes - used, '\0'));
}

Result<void> WalSegmentWriter::Log(std::string_view record) {
  std::string compressed;
  uint8_t flag = 0;
  if (compression_ != WalCompression::kNone && !record.empty()) {
    WalCompress(compression_, record, compressed);
    if (compressed.size() < record.size()) {
      record = compressed;
      flag = compression_ == WalCompression::kSnappy ? kWalSnappyFlag : kWalZstdFlag;
    }
  }
  if (kWalPageBytes - file_->size() % kWalPageBytes < kWalFragmentHeaderBytes) EPI_TRY(PadPage());
  for (bool first = true;; first = false) {
    const size_t room = kWalPageBytes - file_->size() % kWalPageBytes - kWalFragmentHeaderBytes;
    const std::string_view data = record.substr(0, room);
    record.remove_prefix(data.size());
    const bool last = record.empty();
    const WalFragment type =
        first ? (last ? WalFragment::kFull : WalFragment::kFirst) : (last ? WalFragment::kLast : WalFragment::kMiddle);
    std::string fragment;
    ByteWriter writer(fragment);
    writer.U8(static_cast<uint8_t>(static_cast<uint8_t>(type) | flag));
    writer.Big16(static_cast<uint16_t>(data.size()));
    writer.Big32(Crc32c(data));
    writer.Bytes(data);
    EPI_TRY(file_->Append(fragment));
    if (last) return {};
  }
}

Result<void> WalSegmentWriter::Close() {
  EPI_TRY(PadPage());
  return file_->Sync();
}

Result<void> RepairWal(FileSystem& fs, const std::string& directory, uint64_t segment, uint64_t offset) {
  EPI_ASSIGN(const auto segments, ListNumberedFiles(fs, directory));
  std::string damaged;
  for (const auto& file : segments) {
    const std::string path = JoinPath(directory, file.name);
    if (file.number > segment) EPI_TRY(fs.RemoveFile(path));
    if (file.number == segment) damaged = path;
  }
  if (damaged.empty())
    return Fail(ErrorCode::kNotFound, "there is no segment " + std::to_string(segment) + " to repair");
  const std::string aside = damaged + ".repair";
  EPI_TRY(fs.Rename(damaged, aside));
  {
    EPI_ASSIGN(const auto old, fs.Open(aside, OpenMode::kRead));
    EPI_ASSIGN(auto fresh, fs.Open(JoinPath(directory, WalSegmentName(segment)), OpenMode::kTruncate));
    WalSegmentWriter writer(std::move(fresh));
    WalSegmentReader reader(*old);
    while (true) {
      const auto more = reader.Next();
      if (!more || !*more || reader.offset() > offset) break;
      EPI_TRY(writer.Log(reader.record()));
    }
    EPI_TRY(writer.Close());
  }
  EPI_TRY(fs.RemoveFile(aside));
  EPI_TRY(fs.Open(JoinPath(directory, WalSegmentName(segment + 1)), OpenMode::kTruncate));
  return fs.SyncDirectory(directory);
}

}  // namespace epi::tsdb
