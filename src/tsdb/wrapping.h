// Differences of times as the encodings have them: any two times have one, and adding it leads back.
#pragma once

#include <cstdint>

namespace epi::tsdb {

inline int64_t WrappedMinus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
inline int64_t WrappedPlus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace epi::tsdb
