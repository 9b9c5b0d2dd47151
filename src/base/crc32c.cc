#include "base/crc32c.h"

#include <nmmintrin.h>

#include <array>

#include "base/bytes.h"

namespace epi {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto kTable = MakeTable();

__attribute__((target("sse4.2"))) uint32_t Crc32cSse(std::string_view data, uint32_t crc) {
  uint64_t state = ~crc;
  const char* at = data.data();
  size_t left = data.size();
  for (; left >= 8; left -= 8, at += 8) state = _mm_crc32_u64(state, LoadLittle<uint64_t>(at));
  auto narrow = static_cast<uint32_t>(state);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, static_cast<uint8_t>(*at));
  return ~narrow;
}

}  // namespace

namespace internal {

uint32_t Crc32cPortable(std::string_view data, uint32_t crc) {
  crc = ~crc;
  for (const char c : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

}  // namespace internal

uint32_t Crc32c(std::string_view data, uint32_t crc) {
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
  return has_sse42 ? Crc32cSse(data, crc) : internal::Crc32cPortable(data, crc);
}

}  // namespace epi
