#include "net/body_compressor.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>

#include "base/trim.h"
#include "net/http_headers.h"

namespace epi::net {
namespace {

// Speed matters more than the last percent: bodies are repetitive JSON, and the link is mostly local.
constexpr int kZlibLevel = 1;
constexpr int kZstdLevel = 1;
constexpr size_t kStep = 32u << 10;

class ZlibCompressor final : public BodyCompressor {
 public:
  explicit ZlibCompressor(bool gzip) {
    constexpr int kWindow = 15, kGzipHeader = 16, kMemory = 8;
    ready_ = deflateInit2(&stream_, kZlibLevel, Z_DEFLATED, gzip ? kWindow + kGzipHeader : kWindow, kMemory,
                          Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~ZlibCompressor() override {
    if (ready_) deflateEnd(&stream_);
  }
  bool ready() const { return ready_; }
  bool Compress(std::string_view in, Then then, std::string& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());  // buffers are far below 4 GB
    const int mode = then == Then::kFinish ? Z_FINISH : then == Then::kFlush ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    int code = Z_OK;
    do {
      const size_t at = out.size();
      out.resize(at + kStep);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + at);
      stream_.avail_out = kStep;
      code = deflate(&stream_, mode);
      out.resize(at + kStep - stream_.avail_out);
      if (code == Z_STREAM_ERROR) return false;
    } while (stream_.avail_out == 0 && code != Z_STREAM_END);
    return true;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class ZstdCompressor final : public BodyCompressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    if (context_) ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
  }
  bool ready() const { return context_ != nullptr; }
  bool Compress(std::string_view in, Then then, std::string& out) override {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    const ZSTD_EndDirective mode = then == Then::kFinish  ? ZSTD_e_end
                                   : then == Then::kFlush ? ZSTD_e_flush
                                                          : ZSTD_e_continue;
    size_t left = 0;
    do {
      const size_t at = out.size();
      out.resize(at + kStep);
      ZSTD_outBuffer output{out.data() + at, kStep, 0};
      left = ZSTD_compressStream2(context_.get(), &output, &input, mode);
      out.resize(at + output.pos);
      if (ZSTD_isError(left) != 0) return false;
    } while (input.pos < input.size || (mode != ZSTD_e_continue && left > 0));
    return true;
  }

 private:
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context_;
};

template <typename Visit>
void ForEachItem(std::string_view list, const Visit& visit) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (visit(Trimmed(list.substr(0, end), kBlanks))) return;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

ContentCoding FirstNamed(std::string_view accept) {
  ContentCoding chosen = ContentCoding::kIdentity;
  ForEachItem(accept, [&](std::string_view item) {
    if (item == "gzip") chosen = ContentCoding::kGzip;
    if (item == "deflate") chosen = ContentCoding::kDeflate;
    return chosen != ContentCoding::kIdentity;
  });
  return chosen;
}

// By quality; gzip before zstd when they are equal.
ContentCoding BestNamed(std::string_view accept) {
  ContentCoding chosen = ContentCoding::kIdentity;
  double best = 0;
  ForEachItem(accept, [&](std::string_view item) {
    const auto semicolon = item.find(';');
    const auto name = Trimmed(item.substr(0, semicolon), kBlanks);
    double quality = 1;
    if (semicolon != std::string_view::npos) {
      const auto parameter = Trimmed(item.substr(semicolon + 1), kBlanks);
      if (parameter.starts_with("q="))
        std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), quality);
    }
    const bool gzip = EqualsIgnoreCase(name, "gzip") || name == "*";
    const bool zstd = EqualsIgnoreCase(name, "zstd");
    if ((gzip || zstd) && (quality > best || (quality == best && gzip && quality > 0))) {
      best = quality;
      chosen = gzip ? ContentCoding::kGzip : ContentCoding::kZstd;
    }
    return false;
  });
  return chosen;
}

}  // namespace

std::string_view ContentCodingName(ContentCoding coding) {
  static constexpr std::string_view kNames[] = {"identity", "gzip", "deflate", "zstd"};
  return kNames[static_cast<unsigned>(coding)];
}

ContentCoding ChooseCoding(Compression offered, std::string_view accept_encoding) {
  switch (offered) {
    case Compression::kNone:
      return ContentCoding::kIdentity;
    case Compression::kGzipOrDeflate:
      return FirstNamed(accept_encoding);
    case Compression::kGzipOrZstd:
      return BestNamed(accept_encoding);
  }
  return ContentCoding::kIdentity;
}

std::unique_ptr<BodyCompressor> BodyCompressor::Make(ContentCoding coding) {
  if (coding == ContentCoding::kIdentity) return nullptr;
  if (coding == ContentCoding::kZstd) {
    auto zstd = std::make_unique<ZstdCompressor>();
    if (!zstd->ready()) return nullptr;
    return zstd;
  }
  auto zlib = std::make_unique<ZlibCompressor>(coding == ContentCoding::kGzip);
  if (!zlib->ready()) return nullptr;
  return zlib;
}

}  // namespace epi::net
