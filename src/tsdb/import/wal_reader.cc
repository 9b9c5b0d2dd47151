#include "tsdb/import/wal_reader.h"

#include <algorithm>
#include <cstdio>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tsdb/import/wal_compression.h"

namespace epi::tsdb {
namespace {

constexpr size_t kReadWindowBytes = 1 << 20;
constexpr size_t kMaxForeignRecordBytes = size_t{1} << 30;

uint64_t PaddedSize(uint64_t size) { return (size + kWalPageBytes - 1) / kWalPageBytes * kWalPageBytes; }

}  // namespace

std::string WalSegmentName(uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof text, "%08llu", static_cast<unsigned long long>(number));
  return text;
}
std::string WalCheckpointName(uint64_t number) { return "checkpoint." + WalSegmentName(number); }

tl::unexpected<Error> WalSegmentReader::Damaged(std::string what) const {
  return Fail(ErrorCode::kDataLoss, "log damaged at offset " + std::to_string(offset_) + ": " + std::move(what));
}

Result<void> WalSegmentReader::Refill(size_t size) {
  window_begin_ = offset_;
  window_.resize(std::max(kReadWindowBytes, size));
  EPI_ASSIGN(const size_t got, file_.ReadAt(offset_, window_.data(), window_.size()));
  // What the file has no bytes for, up to the end of its last page, reads as zero.
  const uint64_t padded_end = PaddedSize(file_.size());
  const size_t readable = padded_end > offset_ ? std::min<uint64_t>(window_.size(), padded_end - offset_) : 0;
  window_.resize(got);
  window_.resize(std::max(got, readable), '\0');
  return {};
}

Result<bool> WalSegmentReader::Take(size_t size, std::string_view& out) {
  if (offset_ - window_begin_ + size > window_.size()) {
    EPI_TRY(Refill(size));
    if (window_.size() < size) return false;
  }
  out = std::string_view(window_).substr(offset_ - window_begin_, size);
  return true;
}

Result<bool> WalSegmentReader::SkipPadding() {
  const size_t rest = (kWalPageBytes - offset_ % kWalPageBytes) % kWalPageBytes;
  std::string_view zeros;
  EPI_ASSIGN(const bool there, Take(rest, zeros));
  if (!there) return Damaged("a page ends early");
  if (zeros.find_first_not_of('\0') != std::string_view::npos)
    return Damaged("unexpected non-zero byte in padded page");
  offset_ += rest;
  return true;
}

Result<bool> WalSegmentReader::ReadFragment(Fragment& out) {
  std::string_view bytes;
  while (true) {
    EPI_ASSIGN(const bool more, Take(1, bytes));
    if (!more) return false;
    if ((static_cast<uint8_t>(bytes[0]) & kWalTypeMask) != static_cast<uint8_t>(WalFragment::kPadding)) break;
    ++offset_;
    EPI_TRY(SkipPadding());
  }
  EPI_ASSIGN(const bool header, Take(kWalFragmentHeaderBytes, bytes));
  if (!header) return Damaged("a fragment header is cut off");
  const auto head = static_cast<uint8_t>(bytes[0]);
  const size_t length = LoadBig<uint16_t>(bytes.data() + 1);
  const uint32_t checksum = LoadBig<uint32_t>(bytes.data() + 3);
  if (length > kWalPageBytes - kWalFragmentHeaderBytes) return Damaged("invalid record size " + std::to_string(length));
  EPI_ASSIGN(const bool whole, Take(kWalFragmentHeaderBytes + length, bytes));
  if (!whole) return Damaged("a fragment is cut off");
  out.data = bytes.substr(kWalFragmentHeaderBytes);
  if (Crc32c(out.data) != checksum) return Damaged("unexpected checksum");
  out.type = static_cast<WalFragment>(head & kWalTypeMask);
  out.compression = (head & kWalSnappyFlag) ? WalCompression::kSnappy
                    : (head & kWalZstdFlag) ? WalCompression::kZstd
                                            : WalCompression::kNone;
  offset_ += kWalFragmentHeaderBytes + length;
  return true;
}

Result<bool> WalSegmentReader::Next() {
  payload_.clear();
  bool open = false;
  while (true) {
    Fragment fragment;
    EPI_ASSIGN(const bool more, ReadFragment(fragment));
    if (!more) {
      if (open) return Damaged("last record is torn");
      return false;
    }
    const bool begins = fragment.type == WalFragment::kFull || fragment.type == WalFragment::kFirst;
    const bool ends = fragment.type == WalFragment::kFull || fragment.type == WalFragment::kLast;
    if (fragment.type > WalFragment::kLast) return Damaged("unexpected record type");
    if (begins == open) return Damaged(open ? "a record begins inside another" : "a record begins in its middle");
    if (payload_.size() + fragment.data.size() > kMaxForeignRecordBytes)
      return Damaged("a record is larger than 1 GiB");
    payload_.append(fragment.data);
    open = true;
    if (!ends) continue;
    if (auto done = WalDecompress(fragment.compression, payload_, record_); !done)
      return Damaged(done.error().message());
    return true;
  }
}

}  // namespace epi::tsdb
