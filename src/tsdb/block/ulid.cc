#include "tsdb/block/ulid.h"

namespace epi::tsdb {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kCharacters = 26;

}  // namespace

Ulid Ulid::Make(TimestampMs now, Random& random) {
  Ulid out;
  const auto time = static_cast<uint64_t>(now);
  for (int i = 0; i < 6; ++i) out.bytes_[i] = static_cast<uint8_t>(time >> (40 - 8 * i));
  uint64_t bits = random.Next();
  for (int i = 6; i < 14; ++i) {
    out.bytes_[i] = static_cast<uint8_t>(bits);
    bits >>= 8;
  }
  bits = random.Next();
  out.bytes_[14] = static_cast<uint8_t>(bits);
  out.bytes_[15] = static_cast<uint8_t>(bits >> 8);
  return out;
}

std::optional<Ulid> Ulid::Parse(std::string_view text) {
  if (text.size() != kCharacters || text[0] > '7') return std::nullopt;
  unsigned __int128 value = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 5 | digit;
  }
  Ulid out;
  for (size_t i = 16; i-- > 0; value >>= 8) out.bytes_[i] = static_cast<uint8_t>(value);
  return out;
}

std::string Ulid::ToString() const {
  unsigned __int128 value = 0;
  for (const uint8_t byte : bytes_) value = value << 8 | byte;
  std::string out(kCharacters, '0');
  for (size_t i = kCharacters; i-- > 0; value >>= 5) out[i] = kAlphabet[static_cast<size_t>(value & 31)];
  return out;
}

TimestampMs Ulid::time() const {
  uint64_t time = 0;
  for (int i = 0; i < 6; ++i) time = time << 8 | bytes_[i];
  return static_cast<TimestampMs>(time);
}

}  // namespace epi::tsdb
