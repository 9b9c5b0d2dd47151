#include "net/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

namespace epi::net {

Result<std::string> GunzipAll(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge) {
  constexpr size_t kChunk = 64u << 10;
  constexpr int kGzip = 15 + 16;
  // Go's reader asks for a whole header first and then looks at it.
  constexpr size_t kHeaderSize = 10;
  constexpr std::string_view kMagic = "\x1f\x8b\x08";
  if (compressed.empty()) return Fail(ErrorCode::kInvalid, "EOF");
  if (compressed.size() < kHeaderSize) return Fail(ErrorCode::kInvalid, "unexpected EOF");
  if (!compressed.starts_with(kMagic)) return Fail(ErrorCode::kInvalid, "gzip: invalid header");
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) return Fail(ErrorCode::kInternal, "zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::string out;
  size_t consumed = 0;
  int64_t charged = 0;
  while (true) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + consumed));
    stream.avail_in = static_cast<uInt>(std::min<size_t>(compressed.size() - consumed, 1u << 30));
    const uInt offered = stream.avail_in;
    const size_t at = out.size();
    if (at + kChunk > out.capacity()) {
      // The last step goes all the way, so that at most half of the limit is moved.
      const size_t wanted = 4 * at > max_bytes ? max_bytes + kChunk : std::max<size_t>(2 * at, 4 * kChunk);
      EPI_TRY(charge.Add(static_cast<int64_t>(wanted)));
      out.reserve(wanted);
      EPI_TRY(charge.Add(-charged));  // the place that it has left
      charged = static_cast<int64_t>(wanted);
    }
    out.resize(at + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + at);
    stream.avail_out = kChunk;
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.resize(at + kChunk - stream.avail_out);
    consumed += offered - stream.avail_in;
    if (out.size() > max_bytes) return Fail(ErrorCode::kInvalid, "body size limit exceeded");
    if (code == Z_STREAM_END) {
      if (consumed == compressed.size()) return out;
      if (inflateReset(&stream) != Z_OK) return Fail(ErrorCode::kInternal, "zlib cannot restart");
    } else if (code == Z_BUF_ERROR || (code == Z_OK && consumed == compressed.size() && stream.avail_out > 0)) {
      return Fail(ErrorCode::kInvalid, "unexpected EOF");
    } else if (code != Z_OK) {
      return Fail(ErrorCode::kInvalid, "flate: corrupt input");
    }
  }
}

}  // namespace epi::net
