#include "base/xxhash64.h"

#include <bit>

#include "base/bytes.h"

namespace epi {
namespace {

// The five primes of the algorithm's specification.
constexpr uint64_t kP1 = 0x9E3779B185EBCA87, kP2 = 0xC2B2AE3D27D4EB4F, kP3 = 0x165667B19E3779F9,
                   kP4 = 0x85EBCA77C2B2AE63, kP5 = 0x27D4EB2F165667C5;

uint64_t Round(uint64_t acc, uint64_t input) { return std::rotl(acc + input * kP2, 31) * kP1; }
uint64_t Merge(uint64_t acc, uint64_t lane) { return (acc ^ Round(0, lane)) * kP1 + kP4; }

}  // namespace

uint64_t XxHash64(std::string_view data, uint64_t seed) {
  const char* at = data.data();
  size_t left = data.size();
  uint64_t hash;
  if (left >= 32) {
    uint64_t lanes[4] = {seed + kP1 + kP2, seed + kP2, seed, seed - kP1};
    for (; left >= 32; left -= 32) {
      for (auto& lane : lanes) {
        lane = Round(lane, LoadLittle<uint64_t>(at));
        at += 8;
      }
    }
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (const auto lane : lanes) hash = Merge(hash, lane);
  } else {
    hash = seed + kP5;
  }
  hash += data.size();
  for (; left >= 8; left -= 8, at += 8) hash = std::rotl(hash ^ Round(0, LoadLittle<uint64_t>(at)), 27) * kP1 + kP4;
  if (left >= 4) {
    hash = std::rotl(hash ^ (LoadLittle<uint32_t>(at) * kP1), 23) * kP2 + kP3;
    at += 4;
    left -= 4;
  }
  for (; left > 0; --left, ++at) hash = std::rotl(hash ^ (static_cast<uint8_t>(*at) * kP5), 11) * kP1;
  hash = (hash ^ (hash >> 33)) * kP2;
  hash = (hash ^ (hash >> 29)) * kP3;
  return hash ^ (hash >> 32);
}

}  // namespace epi
