#include "tsdb/import/wal_compression.h"

#include <snappy.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace epi::tsdb {
namespace {

constexpr uint64_t kMaxDecompressedBytes = uint64_t{1} << 30;
constexpr int kZstdLevel = 3;

tl::unexpected<Error> Damaged() { return Fail(ErrorCode::kDataLoss, "a compressed log record is damaged"); }
tl::unexpected<Error> TooLarge() { return Fail(ErrorCode::kLimit, "a compressed log record is larger than 1 GiB"); }

Result<void> Unsnappy(std::string_view data, std::string& out) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(data.data(), data.size(), &size)) return Damaged();
  // A byte of snappy makes at most some 21 bytes, so a length far beyond that is a lie that is not worth the memory.
  if (size > kMaxDecompressedBytes || size / 64 > data.size()) return TooLarge();
  out.resize(size);
  if (!snappy::RawUncompress(data.data(), data.size(), out.data())) return Damaged();
  return {};
}

// In steps, because a frame need not say its size.
Result<void> Unzstd(std::string_view data, std::string& out) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (!stream) return Fail(ErrorCode::kLimit, "no memory for a zstd stream");
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  out.clear();
  while (true) {
    const size_t before = out.size();
    if (before > kMaxDecompressedBytes) return TooLarge();
    out.resize(before + std::max<size_t>(65536, before));
    ZSTD_outBuffer buffer{out.data() + before, out.size() - before, 0};
    const size_t left = ZSTD_decompressStream(stream.get(), &buffer, &in);
    out.resize(before + buffer.pos);
    if (ZSTD_isError(left)) return Damaged();
    if (left == 0 && in.pos == in.size) return {};
    if (buffer.pos == 0 && in.pos == in.size) return Damaged();
  }
}

}  // namespace

Result<void> WalDecompress(WalCompression compression, std::string_view data, std::string& out) {
  switch (compression) {
    case WalCompression::kSnappy:
      return Unsnappy(data, out);
    case WalCompression::kZstd:
      return Unzstd(data, out);
    case WalCompression::kNone:
      break;
  }
  out.assign(data);
  return {};
}

void WalCompress(WalCompression compression, std::string_view data, std::string& out) {
  if (compression == WalCompression::kSnappy) {
    snappy::Compress(data.data(), data.size(), &out);
  } else if (compression == WalCompression::kZstd) {
    out.resize(ZSTD_compressBound(data.size()));
    const size_t size = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), kZstdLevel);
    EPI_CHECK(!ZSTD_isError(size));  // the room is what the library asked for
    out.resize(size);
  } else {
    out.assign(data);
  }
}

}  // namespace epi::tsdb
