#include "tsdb/block/chunk_segments.h"

#include <algorithm>
#include <cstdio>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

constexpr size_t kMaxLengthBytes = 5;  // of the length in front of a chunk
constexpr size_t kChecksumBytes = 4;
constexpr size_t kWriteBuffer = 1 << 20;
// Chunks closer than this are read together, up to so many bytes; behind the last one so much is read on suspicion.
constexpr uint64_t kMaxGap = 32 << 10;
constexpr uint64_t kMaxRun = 1 << 20;
constexpr uint64_t kTailGuess = 2 << 10;

std::string HexOf(uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "%x", value);
  return text;
}

tl::unexpected<Error> TooShort(const char* what, uint64_t required, uint64_t available) {
  return Fail(ErrorCode::kDataLoss, std::string("segment doesn't include enough bytes to read the ") + what +
                                        " - required:" + std::to_string(required) +
                                        ", available:" + std::to_string(available));
}

Result<void> CheckHeader(const File& file, size_t segment) {
  char header[kChunkSegmentHeaderBytes];
  EPI_ASSIGN(const size_t got, file.ReadAt(0, header, sizeof header));
  if (got < sizeof header) {
    return Fail(ErrorCode::kDataLoss,
                "invalid segment header in segment " + std::to_string(segment) + ": invalid size");
  }
  if (const auto magic = LoadBig<uint32_t>(header); magic != kChunkSegmentMagic) {
    return Fail(ErrorCode::kDataLoss, "invalid magic number " + HexOf(magic));
  }
  if (const auto version = static_cast<uint8_t>(header[4]); version != kChunkSegmentVersion) {
    return Fail(ErrorCode::kUnsupported, "invalid chunk format version " + std::to_string(version));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ChunkSegments>> ChunkSegments::Open(FileSystem& fs, const std::string& directory) {
  auto out = std::make_unique<ChunkSegments>();
  EPI_ASSIGN(const auto names, ListNumberedFiles(fs, directory));
  for (const auto& name : names) {
    const std::string path = JoinPath(directory, name.name);
    EPI_ASSIGN(auto file, fs.Open(path, OpenMode::kRead));
    if (auto header = CheckHeader(*file, out->files_.size()); !header) return Fail(header.error().WithContext(path));
    out->files_.push_back(std::move(file));
  }
  return out;
}

uint64_t ChunkSegments::bytes() const {
  uint64_t sum = 0;
  for (const auto& file : files_) sum += file->size();
  return sum;
}

Result<ChunkView> ChunkSegments::Parse(std::string_view bytes, uint64_t offset, uint64_t segment_size, size_t& needed) {
  needed = 0;
  if (offset + kMaxLengthBytes > segment_size) {
    return TooShort("chunk size data field", offset + kMaxLengthBytes, segment_size);
  }
  ByteReader in(bytes);
  const uint64_t length = in.Uvarint();
  const size_t length_bytes = in.offset();
  if (!in.ok() || length_bytes > kMaxLengthBytes) {
    if (bytes.size() < kMaxLengthBytes) {
      needed = kMaxLengthBytes;
      return ChunkView{};
    }
    return Fail(ErrorCode::kDataLoss, "reading chunk length failed");
  }
  const uint64_t total = length_bytes + 1 + length + kChecksumBytes;
  if (offset + total > segment_size) return TooShort("chunk", offset + total, segment_size);
  if (bytes.size() < total) {
    needed = total;
    return ChunkView{};
  }
  const auto covered = bytes.substr(length_bytes, 1 + length);
  const auto stored = LoadBig<uint32_t>(bytes.data() + length_bytes + 1 + length);
  if (const uint32_t actual = Crc32c(covered); actual != stored) {
    return Fail(ErrorCode::kDataLoss, "checksum mismatch expected:" + HexOf(stored) + ", actual:" + HexOf(actual));
  }
  const auto encoding = ChunkEncodingFromByte(static_cast<uint8_t>(covered[0]));
  if (!encoding) {
    return Fail(ErrorCode::kUnsupported, "invalid chunk encoding " + std::to_string(static_cast<uint8_t>(covered[0])));
  }
  return ChunkView{*encoding, covered.substr(1)};
}

Result<void> ChunkSegments::Read(std::span<const BlockChunkRef> refs, ChunkReadBatch& out) const {
  out.chunks.clear();
  out.buffers.clear();
  for (size_t begin = 0; begin < refs.size();) {
    const uint64_t segment = refs[begin] >> 32;
    if (segment >= files_.size()) {
      return Fail(ErrorCode::kDataLoss, "segment index " + std::to_string(segment) + " out of range");
    }
    size_t end = begin + 1;
    while (end < refs.size() && refs[end] >> 32 == segment && refs[end] > refs[end - 1] &&
           refs[end] - refs[end - 1] <= kMaxGap && refs[end] - refs[begin] <= kMaxRun) {
      ++end;
    }
    EPI_TRY(ReadRun(segment, refs.subspan(begin, end - begin), out));
    begin = end;
  }
  return {};
}

Result<void> ChunkSegments::ReadRun(size_t segment, std::span<const BlockChunkRef> refs, ChunkReadBatch& out) const {
  const File& file = *files_[segment];
  const uint64_t size = file.size();
  const uint64_t first = refs.front() & 0xffffffff;
  const uint64_t last = refs.back() & 0xffffffff;
  const uint64_t end = std::min(size, last + kTailGuess);
  std::string& buffer = out.buffers.emplace_back();
  if (end > first) {
    buffer.resize(end - first);
    EPI_ASSIGN(const size_t got, file.ReadAt(first, buffer.data(), buffer.size()));
    buffer.resize(got);
  }
  for (const BlockChunkRef ref : refs) {
    const uint64_t offset = ref & 0xffffffff;
    std::string_view bytes = std::string_view(buffer).substr(std::min<uint64_t>(offset - first, buffer.size()));
    size_t needed = 0;
    auto chunk = Parse(bytes, offset, size, needed);
    while (chunk && needed > 0) {
      std::string& more = out.buffers.emplace_back(needed, '\0');
      EPI_ASSIGN(const size_t got, file.ReadAt(offset, more.data(), needed));
      if (got < needed) return Fail(ErrorCode::kDataLoss, "a chunk segment became shorter while it was read");
      bytes = more;
      chunk = Parse(bytes, offset, size, needed);
    }
    if (!chunk) {
      return Fail(chunk.error().WithContext("chunk at offset " + std::to_string(offset) + " of segment " +
                                            std::to_string(segment)));
    }
    out.chunks.push_back(*chunk);
  }
  return {};
}

Result<BlockChunkRef> ChunkSegmentWriter::Add(ChunkEncoding encoding, std::string_view data) {
  const uint64_t estimate = kMaxLengthBytes + 1 + data.size() + kChecksumBytes;
  if (!file_ || (segment_bytes_ + estimate > max_segment_bytes_ && segment_bytes_ > kChunkSegmentHeaderBytes)) {
    EPI_TRY(NextSegment());
  }
  const BlockChunkRef ref = (segment_ - 1) << 32 | segment_bytes_;
  const size_t before = buffer_.size();
  ByteWriter writer(buffer_);
  writer.Uvarint(data.size());
  const size_t covered = buffer_.size();
  writer.U8(static_cast<uint8_t>(encoding));
  writer.Bytes(data);
  writer.Big32(Crc32c(std::string_view(buffer_).substr(covered)));
  segment_bytes_ += buffer_.size() - before;
  if (buffer_.size() >= kWriteBuffer) EPI_TRY(Flush());
  return ref;
}

Result<void> ChunkSegmentWriter::NextSegment() {
  EPI_TRY(CloseSegment());
  char name[24];
  std::snprintf(name, sizeof name, "%06llu", static_cast<unsigned long long>(segment_ + 1));
  EPI_ASSIGN(file_, fs_.Open(JoinPath(directory_, name), OpenMode::kTruncate));
  ++segment_;
  ByteWriter writer(buffer_);
  writer.Big32(kChunkSegmentMagic);
  writer.U8(kChunkSegmentVersion);
  writer.Bytes(std::string_view("\0\0\0", 3));
  segment_bytes_ = kChunkSegmentHeaderBytes;
  return {};
}

Result<void> ChunkSegmentWriter::Flush() {
  EPI_TRY(file_->Append(buffer_));
  buffer_.clear();
  return {};
}

Result<void> ChunkSegmentWriter::CloseSegment() {
  if (!file_) return {};
  EPI_TRY(Flush());
  EPI_TRY(file_->Sync());
  finished_bytes_ += segment_bytes_;
  segment_bytes_ = 0;
  file_.reset();
  return {};
}

Result<void> ChunkSegmentWriter::Finish() { return CloseSegment(); }

}  // namespace epi::tsdb
