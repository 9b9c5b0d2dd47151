#include "tsdb/snapshot/snapshot_file.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace epi::tsdb {
namespace {

constexpr uint64_t kSnapshotMagic = 0x31504e5349504500;     // "\0EPISNP1"
constexpr uint64_t kSnapshotEndMagic = 0x31444e4549504500;  // "\0EPIEND1"
constexpr uint32_t kSnapshotVersion = 1;
constexpr size_t kSnapshotHeaderBytes = 32;  // magic 8, version 4, zero 4, number 8, zero 4, checksum 4
constexpr size_t kSectionEntryBytes = 24;    // kind 4, checksum 4, offset 8, size 8
constexpr size_t kSnapshotFooterBytes =
    32;  // directory offset 8, sections 8, directory checksum 4, checksum 4, magic 8

tl::unexpected<Error> DamagedSnapshot(const char* what) {
  return Fail(ErrorCode::kDataLoss, std::string("the snapshot is damaged: ") + what);
}

}  // namespace

Result<std::unique_ptr<SnapshotFileWriter>> SnapshotFileWriter::Create(FileSystem& fs, std::string path,
                                                                       uint64_t number) {
  std::unique_ptr<SnapshotFileWriter> writer(new SnapshotFileWriter());
  EPI_ASSIGN(writer->file_, fs.Open(path, OpenMode::kTruncate));
  std::string header;
  ByteWriter out(header);
  out.Little64(kSnapshotMagic);
  out.Little32(kSnapshotVersion);
  out.Little32(0);
  out.Little64(number);
  out.Little32(0);
  out.Little32(Crc32c(header));
  EPI_TRY(writer->Write(header));
  return writer;
}

Result<void> SnapshotFileWriter::Write(std::string_view bytes) {
  EPI_TRY(file_->Append(bytes));
  at_ += bytes.size();
  return {};
}

Result<void> SnapshotFileWriter::Add(SnapshotSection kind, std::string_view payload) {
  ByteWriter entry(directory_);
  entry.Little32(static_cast<uint32_t>(kind));
  entry.Little32(Crc32c(payload));
  entry.Little64(at_);
  entry.Little64(payload.size());
  ++sections_;
  return Write(payload);
}

Result<void> SnapshotFileWriter::Finish() {
  std::string footer;
  ByteWriter out(footer);
  out.Little64(at_);
  out.Little64(sections_);
  out.Little32(Crc32c(directory_));
  out.Little32(Crc32c(footer));
  out.Little64(kSnapshotEndMagic);
  EPI_TRY(Write(directory_));
  EPI_TRY(Write(footer));
  return file_->Sync();
}

Result<std::unique_ptr<SnapshotFileReader>> SnapshotFileReader::Open(FileSystem& fs, const std::string& path) {
  std::unique_ptr<SnapshotFileReader> reader(new SnapshotFileReader());
  EPI_ASSIGN(reader->file_, fs.Open(path, OpenMode::kRead));
  const uint64_t size = reader->file_->size();
  if (size < kSnapshotHeaderBytes + kSnapshotFooterBytes) return DamagedSnapshot("it is too short");
  const auto read = [&](uint64_t at, uint64_t bytes, std::string& out) -> Result<void> {
    out.resize(bytes);
    EPI_ASSIGN(const size_t got, reader->file_->ReadAt(at, out.data(), bytes));
    if (got != bytes) return DamagedSnapshot("it is cut short");
    return {};
  };
  std::string bytes;
  EPI_TRY(read(0, kSnapshotHeaderBytes, bytes));
  ByteReader header(bytes);
  const uint64_t magic = header.Little64();
  const uint32_t version = header.Little32();
  header.Little32();
  reader->number_ = header.Little64();
  header.Little32();
  if (magic != kSnapshotMagic || header.Little32() != Crc32c(std::string_view(bytes).substr(0, 28)))
    return DamagedSnapshot("its header");
  if (version != kSnapshotVersion)
    return Fail(ErrorCode::kUnsupported, "the snapshot has the unknown version " + std::to_string(version));
  EPI_TRY(read(size - kSnapshotFooterBytes, kSnapshotFooterBytes, bytes));
  ByteReader footer(bytes);
  const uint64_t directory_at = footer.Little64();
  const uint64_t sections = footer.Little64();
  const uint32_t directory_checksum = footer.Little32();
  if (footer.Little32() != Crc32c(std::string_view(bytes).substr(0, 20)) || footer.Little64() != kSnapshotEndMagic)
    return DamagedSnapshot("its end");
  if (directory_at < kSnapshotHeaderBytes || directory_at > size - kSnapshotFooterBytes ||
      size - kSnapshotFooterBytes - directory_at != sections * kSectionEntryBytes ||
      sections > size / kSectionEntryBytes) {
    return DamagedSnapshot("the directory of its sections");
  }
  EPI_TRY(read(directory_at, sections * kSectionEntryBytes, bytes));
  if (Crc32c(bytes) != directory_checksum) return DamagedSnapshot("the directory of its sections");
  ByteReader directory(bytes);
  uint64_t next = kSnapshotHeaderBytes;
  for (uint64_t i = 0; i < sections; ++i) {
    Section section;
    section.kind = static_cast<SnapshotSection>(directory.Little32());
    section.checksum = directory.Little32();
    section.offset = directory.Little64();
    section.size = directory.Little64();
    if (section.offset != next || section.size > directory_at - next) return DamagedSnapshot("a section's place");
    next += section.size;
    reader->sections_.push_back(section);
  }
  if (next != directory_at) return DamagedSnapshot("a section's place");
  return reader;
}

const SnapshotFileReader::Section* SnapshotFileReader::Only(SnapshotSection kind) const {
  const Section* found = nullptr;
  for (const auto& section : sections_) {
    if (section.kind != kind) continue;
    if (found != nullptr) return nullptr;
    found = &section;
  }
  return found;
}

Result<void> SnapshotFileReader::Read(const Section& section, std::string& out) const {
  out.resize(section.size);
  EPI_ASSIGN(const size_t got, file_->ReadAt(section.offset, out.data(), section.size));
  if (got != section.size) return DamagedSnapshot("it is cut short");
  if (Crc32c(out) != section.checksum) return DamagedSnapshot("wrong checksum of a section");
  return {};
}

}  // namespace epi::tsdb
