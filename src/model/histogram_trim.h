// Cutting a histogram at a value: what the operators </ and >/ of queries do.
#pragma once

#include "model/histogram.h"

namespace epi {

enum class TrimSide : unsigned char {
  kAbove,  // </ : observations above the value go
  kBelow,  // >/ : observations below the value go
};

// A bucket around `value` keeps the share on its side, estimated by interpolation: by the logarithm in exponential
// buckets, by length in custom ones and in the zero bucket, which is taken as one-sided when only the other side has
// populated buckets. When anything was cut, count and sum are estimated anew from the buckets left, and the histogram
// is compacted.
void Trim(FloatHistogram& h, double value, TrimSide side);

}  // namespace epi
