#include "net/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>

namespace epi::net {

namespace {

constexpr int kGzip = 15 + 16;  // of zlib: its largest window, in a gzip wrapper
// Go's reader asks for a whole header first and then looks at it.
constexpr size_t kHeaderSize = 10;
constexpr std::string_view kMagic = "\x1f\x8b\x08";

std::string HeaderDamage(std::string_view compressed) {
  if (compressed.empty()) return "EOF";
  if (compressed.size() < kHeaderSize) return "unexpected EOF";
  return compressed.starts_with(kMagic) ? "" : "gzip: invalid header";
}

std::string DataDamage(const z_stream& stream) {
  const std::string_view why = stream.msg == nullptr ? "" : stream.msg;
  if (why == "incorrect data check" || why == "incorrect length check") return "gzip: invalid checksum";
  return why.find("header") != std::string_view::npos ? "gzip: invalid header" : "flate: corrupt input";
}

}  // namespace

std::string GzipDamage(std::string_view compressed, uint64_t max_bytes) {
  if (std::string damage = HeaderDamage(compressed); !damage.empty()) return damage;
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) return "zlib cannot start";
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  std::array<Bytef, 16u << 10> scratch;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(std::min<size_t>(compressed.size(), 1u << 30));
  for (uint64_t written = 0; written <= max_bytes; written += scratch.size() - stream.avail_out) {
    stream.next_out = scratch.data();
    stream.avail_out = scratch.size();
    const int code = inflate(&stream, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      const std::string_view rest = compressed.substr(compressed.size() - stream.avail_in);
      if (std::string damage = HeaderDamage(rest); !damage.empty()) return damage;
      if (inflateReset(&stream) != Z_OK) return "zlib cannot restart";
    } else if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) {
      return "unexpected EOF";
    } else if (code != Z_OK) {
      return DataDamage(stream);
    }
  }
  return {};
}

Result<std::string> GunzipAll(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge) {
  constexpr size_t kChunk = 64u << 10;
  if (std::string damage = HeaderDamage(compressed); !damage.empty())
    return Fail(ErrorCode::kInvalid, std::move(damage));
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
      return Fail(ErrorCode::kInvalid, DataDamage(stream));
    }
  }
}

}  // namespace epi::net
