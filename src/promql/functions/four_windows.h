// Windows of a series taken four at a time, for kernels whose work on a window is one long chain of dependent
// operations.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "promql/functions/range_kernel.h"

namespace epi::promql {

struct FourWindows {
  std::array<size_t, 4> steps{};    // the last is repeated when there are fewer than four left
  std::array<size_t, 4> lengths{};  // samples
  size_t filled = 0;
  size_t common = 0;  // the shortest length
};

// Calls visit(FourWindows) until every window with at least `fewest` samples was in one.
template <typename Visit>
void ForEachFourWindows(const FloatRow& row, size_t fewest, Visit visit) {
  FourWindows four;
  const auto hand_on = [&] {
    four.common = ~size_t{0};
    for (size_t w = 0; w < 4; ++w) {
      if (w >= four.filled) four.steps[w] = four.steps[four.filled - 1];
      const size_t k = four.steps[w];
      four.lengths[w] = row.windows.hi[k] - row.windows.lo[k];
      four.common = std::min(four.common, four.lengths[w]);
    }
    visit(four);
    four.filled = 0;
  };
  for (size_t k = 0; k < row.grid.count; ++k) {
    if (row.windows.hi[k] - row.windows.lo[k] < fewest) continue;
    four.steps[four.filled++] = k;
    if (four.filled == 4) hand_on();
  }
  if (four.filled > 0) hand_on();
}

inline std::span<const double> WindowValues(const FloatRow& row, size_t step) {
  return {row.v + row.windows.lo[step], row.windows.hi[step] - row.windows.lo[step]};
}

}  // namespace epi::promql
