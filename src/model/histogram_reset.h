// Counter resets between two histograms of a series.
#pragma once

#include "model/histogram.h"

namespace epi {

// Whether the counter was reset between `previous` and `h`: as `h` hints, when it does; otherwise when the count, the
// zero count or any bucket went down, a populated bucket vanished, the resolution rose, or the zero bucket shrank or
// grew into the middle of a populated bucket. A coarser schema or wider zero bucket in `h` is applied to `previous` for
// the comparison; custom bounds that differ are compared over the bounds in common.
bool DetectReset(const FloatHistogram& h, const FloatHistogram& previous);
// The same from the counts alone, whatever `h` hints.
bool CountsWereReset(const FloatHistogram& h, const FloatHistogram& previous);

}  // namespace epi
