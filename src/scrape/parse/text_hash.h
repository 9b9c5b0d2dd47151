// A keyed 64-bit hash of short texts: what stands for the text of a known line. Not for anything that is stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace epi::scrape {

// Chosen once a process from its entropy, so that nobody outside can construct texts with equal hashes.
struct TextHashKey {
  uint64_t a = 0x9ae16a3b2f90404f;
  uint64_t b = 0xc949c7defebca1b1;
};

namespace internal {

inline uint64_t Load64(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
inline uint64_t Load32(const char* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
// Both halves of the 128-bit product, folded together.
inline uint64_t Fold(uint64_t x, uint64_t y) {
  const auto product = static_cast<unsigned __int128>(x) * y;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace internal

// Reads exactly [text, text + size).
inline uint64_t HashText(const char* text, size_t size, const TextHashKey& key) {
  using internal::Fold;
  using internal::Load32;
  using internal::Load64;
  const uint64_t seed = key.a ^ size;
  if (size >= 16) {
    uint64_t left = seed;
    uint64_t right = seed ^ key.b;
    const char* const last = text + size - 16;
    // Two independent chains keep the multiplier busy.
    while (text + 16 < last) {
      left = Fold(Load64(text) ^ key.b, Load64(text + 8) ^ left);
      right = Fold(Load64(text + 16) ^ key.a, Load64(text + 24) ^ right);
      text += 32;
    }
    // What is left is at most 32 bytes: the last 16 and, where needed, the 16 before them (they may overlap with bytes
    // that were taken already).
    if (text < last) left = Fold(Load64(text) ^ key.b, Load64(text + 8) ^ left);
    right = Fold(Load64(last) ^ key.a, Load64(last + 8) ^ right);
    return Fold(left ^ key.b, right ^ key.a);
  }
  uint64_t low = 0;
  uint64_t high = 0;
  if (size >= 8) {
    low = Load64(text);
    high = Load64(text + size - 8);
  } else if (size >= 4) {
    low = Load32(text);
    high = Load32(text + size - 4);
  } else if (size > 0) {
    low = static_cast<unsigned char>(text[0]) | uint64_t{static_cast<unsigned char>(text[size / 2])} << 8;
    high = static_cast<unsigned char>(text[size - 1]);
  }
  return Fold(Fold(low ^ key.b, high ^ seed) ^ key.a, seed ^ key.b);
}

}  // namespace epi::scrape
