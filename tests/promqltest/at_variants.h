// The variants of an instant evaluation that must answer the same: the query with every time fixed, asked at other
// times.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace epi::promqltest {

struct QueryAt {
  std::string expr;
  TimestampMs time = 0;
};

// `expr` at `time` with `@ time` on every selector and subquery that has no time, printed, at five (for time 0: three)
// other times. Nothing when the answer depends on the time of evaluation in another way.
Result<std::vector<QueryAt>> AtVariants(const std::string& expr, TimestampMs time);

}  // namespace epi::promqltest
