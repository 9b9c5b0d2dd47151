// Integers as kingpin reads them from a command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace epi::config {

// Its Int: a floating-point number (1e3) without its fraction. kInvalid with Go's text, also for what no integer holds.
Result<int64_t> ParseFlagInt(std::string_view text);
// Its Int64: strconv.ParseInt(text, 0, 64), so 0x10 too, but for underscores between digits.
Result<int64_t> ParseFlagInt64(std::string_view text);

}  // namespace epi::config
