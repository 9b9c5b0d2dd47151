// Undoes gzip of whole bodies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::scrape {

// Reused for one body after the other; not thread-safe.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  // The decompressed body, concatenated members joined, valid until the next call. kLimit when it would take
  // `max_bytes` or more: nothing beyond that is ever allocated, whatever the body claims. Bad data is kInvalid with a
  // text like Go's ("gzip: invalid header", "unexpected EOF", "gzip: invalid checksum").
  Result<std::string_view> Gunzip(std::string_view compressed, uint64_t max_bytes);
  // Gives back memory that only an exceptional body needed.
  void Trim();

 private:
  struct Decompressor;
  std::unique_ptr<Decompressor> decompressor_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
};

}  // namespace epi::scrape
