// Integer histograms as float histograms.
#pragma once

#include "model/histogram.h"

namespace epi {

// The same histogram with absolute float counts; the hint is kept. Counts beyond 2^53 are rounded to the nearest
// double.
FloatHistogram ToFloat(const Histogram& h);
// The same into `out`, whose buffers are reused.
void ToFloat(const Histogram& h, FloatHistogram& out);

}  // namespace epi
