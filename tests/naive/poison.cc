// A fault in one kernel of the engine: linked instead of the real rate() for whole series, it makes the last value of a
// row wrong by the smallest possible amount. The comparison has to notice.
#include <cmath>

#include "promql/functions/rate.h"

namespace epi::promql {

// The linker's --wrap calls the first of these for RateRow, and gives RateRow the second name.
void PoisonedRateRow(const FloatRow& row,
                     RangeContext& context) asm("__wrap__ZN3epi6promql7RateRowERKNS0_8FloatRowERNS0_12RangeContextE");
void RealRateRow(const FloatRow& row,
                 RangeContext& context) asm("__real__ZN3epi6promql7RateRowERKNS0_8FloatRowERNS0_12RangeContextE");

void PoisonedRateRow(const FloatRow& row, RangeContext& context) {
  RealRateRow(row, context);
  for (size_t step = row.grid.count; step > 0; --step) {
    if (!TestBit(row.bits, step - 1)) continue;
    row.values[step - 1] = std::nextafter(row.values[step - 1], INFINITY);
    return;
  }
}

}  // namespace epi::promql
