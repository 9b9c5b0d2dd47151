// Sums and differences modulo 2^64: chunk arithmetic never overflows, whatever bytes a chunk holds.
#pragma once

#include <cstdint>

namespace epi {

inline int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int64_t WrapSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

}  // namespace epi
