#include "scrape/inflate.h"

#include <libdeflate.h>
#include <algorithm>
#include <cstring>

#include "net/gunzip.h"

namespace epi::scrape {
namespace {

constexpr size_t kKeptBytes = 8u << 20;  // a larger buffer is given back
constexpr size_t kSmallestBuffer = 64u << 10;
constexpr uint64_t kLargestRatio = 1032;  // deflate cannot expand further
constexpr size_t kGzipOverhead = 18;      // header and trailer of a member

}  // namespace

struct Inflater::Decompressor {
  libdeflate_decompressor* handle = libdeflate_alloc_decompressor();
  ~Decompressor() { libdeflate_free_decompressor(handle); }
};

Inflater::Inflater() : decompressor_(std::make_unique<Decompressor>()) {}
Inflater::~Inflater() = default;

void Inflater::Trim() {
  if (capacity_ <= kKeptBytes) return;
  buffer_.reset();
  capacity_ = 0;
}

Result<std::string_view> Inflater::Gunzip(std::string_view compressed, uint64_t max_bytes) {
  if (decompressor_->handle == nullptr) return Fail(ErrorCode::kLimit, "no memory to decompress");
  if (compressed.empty()) return Fail(ErrorCode::kInvalid, "EOF");
  size_t used = 0;
  std::string_view rest = compressed;
  const auto grow = [&](uint64_t wanted) {
    const size_t size = static_cast<size_t>(std::min(std::max<uint64_t>(wanted, kSmallestBuffer), max_bytes));
    if (size <= capacity_) return;
    auto larger = std::make_unique_for_overwrite<char[]>(size);
    if (used > 0) std::memcpy(larger.get(), buffer_.get(), used);
    buffer_ = std::move(larger);
    capacity_ = size;
  };
  // The trailer's length is a hint only: it counts for the last member, modulo 2^32, and may be a lie.
  uint32_t claimed = 0;
  if (rest.size() >= kGzipOverhead) std::memcpy(&claimed, rest.data() + rest.size() - 4, 4);
  grow(std::min<uint64_t>(uint64_t{claimed} + 1, rest.size() * kLargestRatio));
  do {
    size_t taken = 0;
    size_t written = 0;
    const size_t room = static_cast<size_t>(std::min<uint64_t>(capacity_, max_bytes)) - used;
    const auto outcome = libdeflate_gzip_decompress_ex(decompressor_->handle, rest.data(), rest.size(),
                                                       buffer_.get() + used, room, &taken, &written);
    if (outcome == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (capacity_ >= max_bytes) return Fail(ErrorCode::kLimit, "body size limit exceeded");
      grow(uint64_t{capacity_} * 2);
      continue;
    }
    if (outcome != LIBDEFLATE_SUCCESS) {
      // The fast library does not say why.
      const std::string damage = net::GzipDamage(compressed, max_bytes);
      return Fail(ErrorCode::kInvalid, damage.empty() ? "gzip: invalid data" : damage);
    }
    used += written;
    rest.remove_prefix(taken);
  } while (!rest.empty());
  if (used >= max_bytes) return Fail(ErrorCode::kLimit, "body size limit exceeded");
  return std::string_view(buffer_.get(), used);
}

}  // namespace epi::scrape
