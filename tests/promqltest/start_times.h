// The `metric@st …` lines of load blocks: start timestamps relative to the samples'.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace epi::promqltest {

// "-1mx2 _ 30s-10sx3": milliseconds, nothing where there is no start timestamp.
Result<std::vector<std::optional<int64_t>>> ParseStartTimes(std::string_view text);

}  // namespace epi::promqltest
