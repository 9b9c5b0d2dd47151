// Values of number, duration and string tokens.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::promql {

// Integers in any base of Go's (0x1f, 010 is 8), then floats.
Result<double> ParseNumberToken(std::string_view text);
// Seconds.
Result<double> ParseDurationToken(std::string_view text);
// The content of a quoted or raw string that the lexer accepted.
std::string Unquote(std::string_view quoted);

}  // namespace epi::promql
