// Where the buckets of native histograms begin and end. Bit-equal to Prometheus, whose bounds are not correctly
// rounded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/histogram.h"

namespace epi {

// The upper bound of bucket `index` (its lower bound is that of index - 1) on the positive side of an exponential
// schema -4..8. The last bucket of finite numbers ends at the largest double, the next at +Inf.
double ExponentialBound(int64_t index, int32_t schema);

// The same for any valid schema. With custom bounds, index bounds.size() is +Inf and -1 is -Inf; an index outside,
// which only a damaged histogram has, is treated like the nearest of these.
double BucketBound(int64_t index, int32_t schema, std::span<const double> custom_values);

// Equal as numbers, one by one.
bool SameCustomBounds(std::span<const double> a, std::span<const double> b);
// The bounds that are in both; both ascending.
std::vector<double> CommonCustomBounds(std::span<const double> a, std::span<const double> b);

}  // namespace epi
