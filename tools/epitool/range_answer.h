// The answer of /api/v1/query_range, read.
#pragma once

#include <string_view>

#include "base/result.h"
#include "promql/engine/result.h"

namespace epi::tool {

// The matrix of a successful answer; kExecution with the server's error otherwise. Histograms are left out and counted.
struct RangeAnswer {
  promql::MatrixValue matrix;
  size_t histograms = 0;
};
Result<RangeAnswer> ParseRangeAnswer(std::string_view body);

}  // namespace epi::tool
