#include <zlib.h>

#include <algorithm>

#include "net/http_client.h"

namespace epi::net {

Result<std::string> GunzipAll(std::string_view compressed, uint64_t max_bytes) {
  constexpr size_t kChunk = 64u << 10;
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) return Fail(ErrorCode::kInternal, "zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::string out;
  size_t consumed = 0;
  while (true) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + consumed));
    stream.avail_in = static_cast<uInt>(std::min<size_t>(compressed.size() - consumed, 1u << 30));
    const uInt offered = stream.avail_in;
    const size_t at = out.size();
    out.resize(at + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + at);
    stream.avail_out = kChunk;
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.resize(at + kChunk - stream.avail_out);
    consumed += offered - stream.avail_in;
    if (out.size() > max_bytes) return Fail(ErrorCode::kLimit, "body size limit exceeded");
    if (code == Z_STREAM_END) {
      if (consumed == compressed.size()) return out;
      if (inflateReset(&stream) != Z_OK) return Fail(ErrorCode::kInternal, "zlib cannot restart");
    } else if (code == Z_BUF_ERROR || (code == Z_OK && consumed == compressed.size() && stream.avail_out > 0)) {
      return Fail(ErrorCode::kInvalid, "unexpected EOF");
    } else if (code != Z_OK) {
      return Fail(ErrorCode::kInvalid, consumed == 0 ? "gzip: invalid header" : "flate: corrupt input");
    }
  }
}

}  // namespace epi::net
