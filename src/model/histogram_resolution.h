// Fewer, wider buckets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"

namespace epi {

// Brings an exponential histogram to a coarser schema by adding up the buckets that fall into one. Spans come out
// minimal. kInvalid, with `h` untouched, for custom buckets, a schema that is not coarser, or spans that do not fit the
// buckets.
Result<void> ReduceResolution(FloatHistogram& h, int32_t target_schema);
Result<void> ReduceResolution(Histogram& h, int32_t target_schema);

// A copy in a coarser or equal schema. Unless the schema is equal the hint of the copy is unknown.
// Requires that ReduceResolution would succeed.
FloatHistogram CopyToSchema(const FloatHistogram& h, int32_t target_schema);

// The bucket of the coarser schema that holds bucket `index` of the finer one.
inline int64_t CoarserIndex(int64_t index, int32_t from_schema, int32_t to_schema) {
  return ((index - 1) >> std::min(from_schema - to_schema, 63)) + 1;
}

// One side brought to a coarser schema with compensated addition: `compensation` has one term for each bucket and is
// reduced beside it. For sums of histograms.
void ReduceSideCompensated(std::vector<HistogramSpan>& spans, std::vector<double>& buckets,
                           std::vector<double>& compensation, int32_t from_schema, int32_t to_schema);

}  // namespace epi
