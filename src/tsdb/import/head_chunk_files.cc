#include "tsdb/import/head_chunk_files.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

constexpr uint32_t kMagic = 0x0130BC91;
constexpr uint8_t kHeadChunkVersion = 1;
constexpr size_t kHeaderBytes = 8;
// Reference, two times, encoding, one byte of length, checksum: the least an entry takes.
constexpr size_t kMinEntryBytes = 8 + 8 + 8 + 1 + 5 + 4;
constexpr uint8_t kOutOfOrderBit = 0x80;
constexpr size_t kHeadChunkMaxLengthBytes = 5;

tl::unexpected<Error> Damaged(uint64_t number, size_t offset, const char* what) {
  return Fail(ErrorCode::kDataLoss, "head chunk file " + std::to_string(number) + " is damaged at offset " +
                                        std::to_string(offset) + ": " + what);
}

}  // namespace

Result<std::vector<HeadChunk>> ParseHeadChunkFile(std::string_view file, uint64_t number) {
  if (file.size() < kHeaderBytes) return Damaged(number, 0, "invalid size");
  if (LoadBig<uint32_t>(file.data()) != kMagic) return Damaged(number, 0, "invalid magic number");
  if (static_cast<uint8_t>(file[4]) != kHeadChunkVersion) return Damaged(number, 4, "invalid chunk format version");
  std::vector<HeadChunk> out;
  size_t offset = kHeaderBytes;
  while (offset < file.size()) {
    const auto rest = file.substr(offset);
    if (rest.size() < kMinEntryBytes) {
      if (rest.find_first_not_of('\0') != std::string_view::npos) return Damaged(number, offset, "unexpected end");
      break;
    }
    ByteReader in(rest);
    HeadChunk chunk;
    chunk.series_ref = in.Big64();
    chunk.min_time = static_cast<TimestampMs>(in.Big64());
    chunk.max_time = static_cast<TimestampMs>(in.Big64());
    if (chunk.series_ref == 0 && chunk.min_time == 0 && chunk.max_time == 0) break;  // preallocated, not written
    const uint8_t encoding = in.U8();
    const size_t before_length = in.offset();
    const uint64_t length = in.Uvarint();
    if (!in.ok() || in.offset() - before_length > kHeadChunkMaxLengthBytes) return Damaged(number, offset, "length");
    chunk.data = in.Bytes(length);
    const auto covered = rest.substr(0, in.offset());
    const uint32_t checksum = in.Big32();
    if (!in.ok()) return Damaged(number, offset, "unexpected end");
    if (checksum != Crc32c(covered)) return Damaged(number, offset, "checksum mismatch");
    if (chunk.min_time > chunk.max_time) return Damaged(number, offset, "times");
    chunk.out_of_order = (encoding & kOutOfOrderBit) != 0;
    chunk.chunk_ref = number << 32 | offset;
    const auto known = ChunkEncodingFromByte(encoding & static_cast<uint8_t>(~kOutOfOrderBit));
    if (known) {
      chunk.encoding = *known;
      out.push_back(chunk);
    }
    offset += in.offset();
  }
  return out;
}

Result<HeadChunkFiles> ReadHeadChunkFiles(FileSystem& fs, const std::string& directory) {
  HeadChunkFiles out;
  if (!fs.Exists(directory)) return out;
  EPI_ASSIGN(const auto names, ListNumberedFiles(fs, directory));
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0 && names[i].number != names[i - 1].number + 1) {
      out.damage = "head chunk files are not numbered contiguously";
      break;
    }
    EPI_ASSIGN(auto file, fs.Map(JoinPath(directory, names[i].name)));
    const auto data = file->data();
    const bool unwritten = data.size() < 4 || LoadBig<uint32_t>(data.data()) == 0;
    if (unwritten && i + 1 == names.size()) break;  // made, but nothing was flushed to it
    auto chunks = ParseHeadChunkFile(data, names[i].number);
    if (!chunks) {
      out.damage = chunks.error().message();
      break;
    }
    if (!chunks->empty()) out.last_chunk_ref = chunks->back().chunk_ref;
    out.chunks.insert(out.chunks.end(), chunks->begin(), chunks->end());
    out.files.push_back(std::move(file));
  }
  return out;
}

}  // namespace epi::tsdb
