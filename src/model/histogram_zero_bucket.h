// The zero bucket of exponential histograms: making it wider.
#pragma once

#include <optional>

#include "model/histogram.h"

namespace epi {

struct WiderZeroBucket {
  double count = 0;
  double threshold = 0;
  double compensation = 0;  // of count
};

// What the zero bucket of `h` would be with at least this threshold, which is not less than it has. Where the threshold
// would cut a populated bucket, it grows to the far end of that bucket. `compensation`, when given, has a term for each
// count of `h`; the terms of swallowed buckets are added too.
WiderZeroBucket WidenZeroBucket(const FloatHistogram& h, double threshold,
                                const FloatHistogram* compensation = nullptr);

// Gives `h` (and `compensation` beside it) a zero bucket that holds those of both histograms and cuts no populated
// bucket of either. Returns what `other` would have as zero count and compensation then; `other` stays as it is.
WiderZeroBucket ReconcileZeroBuckets(FloatHistogram& h, const FloatHistogram& other, FloatHistogram* compensation);

}  // namespace epi
