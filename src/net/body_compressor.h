// Compresses a response body as it is written.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace epi::net {

enum class ContentCoding : unsigned char { kIdentity, kGzip, kDeflate, kZstd };
std::string_view ContentCodingName(ContentCoding coding);  // "gzip"

// What this client gets, from its Accept-Encoding and what the route offers.
ContentCoding ChooseCoding(Compression offered, std::string_view accept_encoding);

// Not thread-safe.
class BodyCompressor {
 public:
  enum class Then : unsigned char { kContinue, kFlush, kFinish };
  // Null when the library cannot start, and for kIdentity.
  static std::unique_ptr<BodyCompressor> Make(ContentCoding coding);
  virtual ~BodyCompressor() = default;
  // Appends to `out`. False when the library fails, which leaves the body broken.
  virtual bool Compress(std::string_view in, Then then, std::string& out) = 0;
};

}  // namespace epi::net
