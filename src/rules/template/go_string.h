// String and character literals of Go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::rules {

// strconv.Unquote of a "…" or `…` literal.
std::optional<std::string> UnquoteGoString(std::string_view quoted);
// The character of a '…' literal.
Result<int32_t> UnquoteGoRune(std::string_view quoted);

}  // namespace epi::rules
