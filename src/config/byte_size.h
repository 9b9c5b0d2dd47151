// Sizes such as 512MB and 1GiB: all powers of 1024, as alecthomas/units' Base2Bytes reads and prints them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::config {

// "10MB", "1GiB512MiB", "-1GB", "0": a sequence of numbers with units B, KB … EB or B, KiB … EiB. Bytes. kInvalid with
// the library's texts: `units: invalid x`, `units: unknown unit u in x`.
Result<int64_t> ParseByteSize(std::string_view text);
// "512MiB", "1GiB1B", "0B".
std::string FormatByteSize(int64_t bytes);

}  // namespace epi::config
