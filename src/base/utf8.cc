#include "base/utf8.h"

#include "base/bytes.h"

namespace epi {

size_t DecodeUtf8(std::string_view text, uint32_t& rune) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    rune = first;
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  rune = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    rune = (rune << 6) | (byte(i) & 0x3f);
  }
  const bool overlong = (length == 3 && rune < 0x800) || (length == 4 && rune < 0x10000);
  return overlong || !IsValidRune(rune) ? 0 : length;
}

void AppendUtf8(std::string& out, uint32_t rune) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (rune < 0x80) {
    put(rune);
    return;
  }
  if (rune < 0x800) {
    put(0xc0 | rune >> 6);
  } else if (rune < 0x10000) {
    put(0xe0 | rune >> 12);
    put(0x80 | (rune >> 6 & 0x3f));
  } else {
    put(0xf0 | rune >> 18);
    put(0x80 | (rune >> 12 & 0x3f));
    put(0x80 | (rune >> 6 & 0x3f));
  }
  put(0x80 | (rune & 0x3f));
}

bool IsValidRune(uint32_t rune) { return rune < 0xd800 || (rune > 0xdfff && rune <= 0x10ffff); }

bool IsValidUtf8(std::string_view text) {
  uint32_t rune = 0;
  while (!text.empty()) {
    // Eight ASCII bytes at a time: what nearly all names and values are.
    if (text.size() >= 8 && (LoadLittle<uint64_t>(text.data()) & 0x8080808080808080u) == 0) {
      text.remove_prefix(8);
      continue;
    }
    const size_t length = DecodeUtf8(text, rune);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    uint32_t rune = kReplacementRune;
    const size_t size = DecodeUtf8(text, rune);
    AppendUtf8(out, size == 0 ? kReplacementRune : rune);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace epi
