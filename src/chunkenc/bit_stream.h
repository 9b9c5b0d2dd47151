// Streams of bits, most significant first within each byte, as Prometheus's chunks are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace epi {

// Collects bits; whole words go to a string, the rest waits in a register.
class BitWriter {
 public:
  // Appends the low `count` bits of `value`, 0 <= count <= 64.
  void Bits(uint64_t value, unsigned count) {
    if (count == 0) return;
    value <<= 64 - count;
    pending_ |= value >> used_;
    const unsigned room = 64 - used_;
    if (count < room) {
      used_ += count;
      return;
    }
    Flush();
    pending_ = room < 64 ? value << room : 0;
    used_ = count - room;
  }
  void Bit(bool bit) { Bits(bit ? 1 : 0, 1); }
  void Byte(uint8_t byte) { Bits(byte, 8); }
  // LEB128 groups as 8-bit fields, wherever in a byte the stream stands.
  void Uvarint(uint64_t v) {
    while (v >= 0x80) {
      Byte(static_cast<uint8_t>(v) | 0x80);
      v >>= 7;
    }
    Byte(static_cast<uint8_t>(v));
  }
  void Varint(int64_t v) { Uvarint(ZigZag(v)); }

  // Bytes written so far, the last one possibly in part.
  size_t size() const { return words_.size() + (used_ + 7) / 8; }
  uint64_t bits() const { return uint64_t{words_.size()} * 8 + used_; }
  // Appends everything written, the last byte filled up with zeros. The stream goes on as if nothing had happened.
  void CopyTo(std::string& out) const {
    out.append(words_);
    char tail[8];
    StoreLittle(tail, ByteSwap(pending_));
    out.append(tail, (used_ + 7) / 8);
  }
  // Memory held.
  size_t capacity() const { return words_.capacity(); }

 private:
  void Flush() {
    char bytes[8];
    StoreLittle(bytes, ByteSwap(pending_));
    words_.append(bytes, 8);
  }

  std::string words_;
  uint64_t pending_ = 0;  // the next bits, from the top; the rest is zero
  unsigned used_ = 0;     // of pending_, 0..63
};

// Reads bits from a view that must outlive it. Past the end it reads zeros; ok() tells afterwards, so a decoder of a
// bounded number of fields checks once, and before it uses a decoded number to allocate.
class BitReader {
 public:
  explicit BitReader(std::string_view data) : data_(data.data()), size_(data.size()) {}

  bool ok() const { return position_ <= uint64_t{size_} * 8; }
  uint64_t position() const { return position_; }  // in bits
  uint64_t remaining() const { return ok() ? uint64_t{size_} * 8 - position_ : 0; }

  // The next bits from the top of the word: at least 57 of them are good.
  uint64_t Peek() const {
    const uint64_t byte = position_ >> 3;
    const uint64_t word = byte + 8 <= size_ ? LoadBig<uint64_t>(data_ + byte) : PeekTail(byte);
    return word << (position_ & 7);
  }
  void Skip(unsigned count) { position_ += count; }
  // 0 <= count <= 64.
  uint64_t Bits(unsigned count) {
    if (count == 0) return 0;
    if (count <= 57) {
      const uint64_t value = Peek() >> (64 - count);
      position_ += count;
      return value;
    }
    const uint64_t high = Peek() >> 32;
    position_ += 32;
    const uint64_t low = Peek() >> (96 - count);
    position_ += count - 32;
    return (high << (count - 32)) | low;
  }
  bool Bit() { return Bits(1) != 0; }
  // More than 64 bits are reported as the end of data: ok() is false for good.
  uint64_t Uvarint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = Bits(8);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    position_ = uint64_t{size_} * 8 + 1;
    return 0;
  }
  int64_t Varint() { return UnZigZag(Uvarint()); }

 private:
  uint64_t PeekTail(uint64_t byte) const {
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; ++i) {
      word <<= 8;
      if (byte + i < size_) word |= static_cast<uint8_t>(data_[byte + i]);
    }
    return word;
  }

  const char* data_;
  size_t size_;
  uint64_t position_ = 0;
};

}  // namespace epi
