// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as Prometheus's files and ours use it.
#pragma once

#include <cstdint>
#include <string_view>

namespace epi {

// The checksum of `data`, or of what `crc` covers followed by `data`.
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);

namespace internal {
uint32_t Crc32cPortable(std::string_view data, uint32_t crc);  // the table form; for machines without SSE4.2, and tests
}

}  // namespace epi
