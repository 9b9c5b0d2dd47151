// Whether a native histogram makes sense. Who appends one checks first.
#pragma once

#include "base/result.h"
#include "model/histogram.h"

namespace epi {

// Spans fit buckets and, with custom buckets, ascending finite bounds; nothing is set that the schema has no use for;
// no count is negative; integer counts add up (with NaN observations, which are in no bucket, count may be more).
// kInvalid with Prometheus's text.
Result<void> Validate(const Histogram& h);
Result<void> Validate(const FloatHistogram& h);

}  // namespace epi
