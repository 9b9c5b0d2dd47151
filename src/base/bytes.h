// Reading and writing of the byte layouts that our formats and Prometheus's share: fixed-width integers in both byte
// orders, unsigned varints (LEB128) and zigzag varints, as Go's encoding/binary defines them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace epi {

static_assert(std::endian::native == std::endian::little, "the formats are written for little-endian machines");

template <typename T>
inline T LoadLittle(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename T>
inline void StoreLittle(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

inline uint16_t ByteSwap(uint16_t v) { return __builtin_bswap16(v); }
inline uint32_t ByteSwap(uint32_t v) { return __builtin_bswap32(v); }
inline uint64_t ByteSwap(uint64_t v) { return __builtin_bswap64(v); }

template <typename T>
inline T LoadBig(const void* from) {
  return ByteSwap(LoadLittle<T>(from));
}

inline uint64_t ZigZag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
inline int64_t UnZigZag(uint64_t v) { return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1); }

// Appends to a string it does not own.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}
  void U8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void Big16(uint16_t v) { Raw(ByteSwap(v)); }
  void Big32(uint32_t v) { Raw(ByteSwap(v)); }
  void Big64(uint64_t v) { Raw(ByteSwap(v)); }
  void Little16(uint16_t v) { Raw(v); }
  void Little32(uint32_t v) { Raw(v); }
  void Little64(uint64_t v) { Raw(v); }
  void Uvarint(uint64_t v) {
    while (v >= 0x80) {
      U8(static_cast<uint8_t>(v) | 0x80);
      v >>= 7;
    }
    U8(static_cast<uint8_t>(v));
  }
  void Varint(int64_t v) { Uvarint(ZigZag(v)); }
  void UvarintString(std::string_view s) {
    Uvarint(s.size());
    out_.append(s);
  }
  void Bytes(std::string_view s) { out_.append(s); }
  size_t size() const { return out_.size(); }

 private:
  template <typename T>
  void Raw(T v) {
    char bytes[sizeof v];
    std::memcpy(bytes, &v, sizeof v);
    out_.append(bytes, sizeof v);
  }
  std::string& out_;
};

// Reads from a view; never past its end. After a read that does not fit, ok() is false for good and reads return zero
// or empty, so a decoder checks ok() once at the end of a unit and before it uses a length to allocate.
class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in), total_(in.size()) {}
  bool ok() const { return ok_; }
  bool empty() const { return in_.empty(); }
  size_t remaining() const { return in_.size(); }
  size_t offset() const { return total_ - in_.size(); }  // bytes consumed
  std::string_view rest() const { return in_; }

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint16_t Big16() { return ByteSwap(Fixed<uint16_t>()); }
  uint32_t Big32() { return ByteSwap(Fixed<uint32_t>()); }
  uint64_t Big64() { return ByteSwap(Fixed<uint64_t>()); }
  uint16_t Little16() { return Fixed<uint16_t>(); }
  uint32_t Little32() { return Fixed<uint32_t>(); }
  uint64_t Little64() { return Fixed<uint64_t>(); }
  uint64_t Uvarint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<uint8_t>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    Bad();
    return 0;
  }
  int64_t Varint() { return UnZigZag(Uvarint()); }
  std::string_view Bytes(uint64_t count) {
    if (count > in_.size()) {
      Bad();
      return {};
    }
    const auto out = in_.substr(0, count);
    in_.remove_prefix(count);
    return out;
  }
  std::string_view UvarintString() { return Bytes(Uvarint()); }

 private:
  template <typename T>
  T Fixed() {
    if (in_.size() < sizeof(T)) {
      Bad();
      return 0;
    }
    const T value = LoadLittle<T>(in_.data());
    in_.remove_prefix(sizeof(T));
    return value;
  }
  void Bad() {
    ok_ = false;
    in_ = {};
  }

  std::string_view in_;
  size_t total_;
  bool ok_ = true;
};

}  // namespace epi
