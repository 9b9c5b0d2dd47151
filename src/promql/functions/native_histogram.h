// What functions compute from one native histogram. Operation order is Prometheus's.
#pragma once

#include "model/histogram.h"
#include "promql/parser/function_signatures.h"

namespace epi::promql {

// histogram_count, _sum, _avg, _stddev, _stdvar: one number for a histogram.
using HistogramKernel = double (*)(const FloatHistogram& h);
// Null when `id` is none of them.
HistogramKernel FindHistogramKernel(FunctionId id);

// Observations that are NaN are in the count but in no bucket; what that did to the answer is annotated.
enum class NaNEffect : unsigned char {
  kNone,
  kResult,    // a quantile beyond all buckets: NaN
  kSkew,      // a quantile that is too high
  kExcluded,  // a fraction that leaves them out
};

struct HistogramAnswer {
  double value = 0;
  NaNEffect nan = NaNEffect::kNone;
};

// The q-quantile: by interpolation on a logarithmic scale in exponential buckets, on a linear one in custom buckets and
// in the zero bucket. NaN without observations or for q = NaN, -Inf below 0, +Inf above 1.
HistogramAnswer HistogramQuantile(double q, const FloatHistogram& h);
// The share of observations between `lower` and `upper`.
HistogramAnswer HistogramFraction(double lower, double upper, const FloatHistogram& h);

}  // namespace epi::promql
