// Times as RFC 3339 text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace epi {

// "2024-01-01T00:00:00Z", "2024-01-01T01:00:00.5+01:00"; digits beyond milliseconds are cut off. Nothing for other
// texts.
std::optional<TimestampMs> ParseRfc3339(std::string_view text);

// In UTC with as many decimals as the time has, at most nine: Go's RFC3339Nano.
std::string FormatRfc3339(int64_t time_ns);

}  // namespace epi
