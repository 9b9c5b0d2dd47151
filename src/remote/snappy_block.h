// Snappy's block format, as the remote protocols use it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"

namespace epi::remote {

// Prometheus has two decoders, which say what is wrong in their own words: of remote read, and of remote write.
enum class SnappyWords : unsigned char { kSnappy, kS2 };

// Undoes the compression. The declared size is checked and charged before anything is allocated: kInvalid when it is
// above `max_bytes` or the input is damaged, kLimit when `charge` has no room for it.
Result<std::string> SnappyDecode(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge,
                                 SnappyWords words = SnappyWords::kSnappy);
std::string SnappyEncode(std::string_view plain);

}  // namespace epi::remote
