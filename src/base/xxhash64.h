// XXH64 (Yann Collet's 64-bit hash, seed 0): Prometheus's hash of label sets, and ours for text.
#pragma once

#include <cstdint>
#include <string_view>

namespace epi {

uint64_t XxHash64(std::string_view data, uint64_t seed = 0);

}  // namespace epi
