// Snappy's block format, as the remote protocols use it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"

namespace epi::remote {

// Undoes the compression. The declared size is checked against `max_bytes` before anything is allocated: kLimit
// `decoded size exceeds the N bytes limit`. kInvalid for damaged input.
Result<std::string> SnappyDecode(std::string_view compressed, uint64_t max_bytes);
std::string SnappyEncode(std::string_view plain);

}  // namespace epi::remote
