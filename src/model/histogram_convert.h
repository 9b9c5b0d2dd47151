// Integer histograms as float histograms, and back.
#pragma once

#include "model/histogram.h"

namespace epi {

// The same histogram with absolute float counts; the hint is kept. Counts beyond 2^53 are rounded to the nearest
// double.
FloatHistogram ToFloat(const Histogram& h);
// The same into `out`, whose buffers are reused.
void ToFloat(const Histogram& h, FloatHistogram& out);
// What ToFloat was given, so far as its counts were not rounded. Requires counts as ToFloat makes them.
Histogram ToInteger(const FloatHistogram& h);

}  // namespace epi
