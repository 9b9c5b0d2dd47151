// Snappy's block format, as the remote protocols use it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/budget.h"
#include "base/result.h"

namespace epi::remote {

// Undoes the compression. The declared size is checked and charged before anything is allocated: kInvalid `decoded size
// exceeds the N bytes limit` and, for damaged input, `<codec>: corrupt input` (Prometheus has two of them), kLimit when
// `charge` has no room for it.
Result<std::string> SnappyDecode(std::string_view compressed, uint64_t max_bytes, BudgetCharge& charge,
                                 std::string_view codec = "snappy");
std::string SnappyEncode(std::string_view plain);

}  // namespace epi::remote
