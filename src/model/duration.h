// Prometheus's duration syntax (1h30m) and Go's (1h30m0s).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi {

using DurationMs = int64_t;

// "5m", "1h30m", "2w", "0": integers with the units y w d h m s ms, each at most once, in that order. A plain "0" is
// allowed, other bare numbers are not. kInvalid with Prometheus's texts ("empty duration string", `not a valid duration
// string: "x"`, "duration out of range"). The limit is that of Go's nanoseconds, about 292 years.
Result<DurationMs> ParseDuration(std::string_view text);
// The same with an optional '-' in front.
Result<DurationMs> ParseDurationAllowNegative(std::string_view text);
// "1h30m", "2w", "0s"; w, d and y only where they divide evenly.
std::string FormatDuration(DurationMs duration);

// Go's time.Duration.String(): "1m30s", "1.5s", "100ms", "0s".
std::string FormatGoDuration(int64_t nanoseconds);
// Go's time.ParseDuration: "1h30m", "1.5s", "-2us". Nanoseconds.
Result<int64_t> ParseGoDuration(std::string_view text);

}  // namespace epi
