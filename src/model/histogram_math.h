// Arithmetic on native histograms, in Prometheus's operation order throughout. See also histogram_buckets.h (walking),
// histogram_resolution.h (schemas), histogram_reset.h (counter resets), histogram_trim.h, histogram_validate.h and
// histogram_format.h.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "model/histogram.h"

namespace epi {

// What adding two histograms had to put up with; queries annotate it.
struct HistogramAddition {
  // One was hinted as a counter reset, the other as none. The hint of the sum is then unknown.
  bool counter_reset_collision = false;
  // Custom bounds differed; the sum has the bounds both had.
  bool bounds_reconciled = false;
};

// h += other. Different schemas are brought to the coarser one, different zero buckets to one that holds both without
// cutting a populated bucket, different custom bounds to those in common. The result may have empty buckets; Compact
// removes them. The hint follows Prometheus: equal stays, gauge wins, else unknown. `other` stays as it is and must not
// be `h`. kInvalid, with `h` untouched, when one is exponential and the other has custom bounds.
Result<HistogramAddition> Add(FloatHistogram& h, const FloatHistogram& other);
// h -= other, in the same way, hint included: the - operator of queries makes the result a gauge itself.
Result<HistogramAddition> Subtract(FloatHistogram& h, const FloatHistogram& other);

// The compensation terms beside a sum of histograms: schema, zero threshold and spans are always those of the sum, and
// so are the numbers of buckets. Start with CompensationFor(h), end with Add(h, compensation).
FloatHistogram CompensationFor(const FloatHistogram& h);
// h += other with compensated addition of every count.
Result<HistogramAddition> KahanAdd(FloatHistogram& h, const FloatHistogram& other, FloatHistogram& compensation);

// Every count and the sum times (divided by) `factor`. A negative factor makes a gauge. Division by zero removes all
// buckets and leaves the IEEE results in count, sum and zero count, whatever the hint.
void Multiply(FloatHistogram& h, double factor);
void Divide(FloatHistogram& h, double divisor);

// Removes empty buckets at the ends of every span and runs of more than `max_empty_buckets` inside, and joins spans
// that are at most that many apart. Only the layout changes.
void Compact(FloatHistogram& h, size_t max_empty_buckets = 0);
void Compact(Histogram& h, size_t max_empty_buckets = 0);

// The same data: counts and sums bit by bit, bounds as numbers, the same buckets (empty ones count) in the same spans
// but for spans of no length. Hints are not compared.
bool SameData(const FloatHistogram& a, const FloatHistogram& b);
bool SameData(const Histogram& a, const Histogram& b);

// Bytes the histogram takes in Prometheus's memory: what query limits and statistics count, 16 of them a sample.
size_t PrometheusSize(const FloatHistogram& h);
// Whether any count, the sum or a custom bound is infinite.
bool HasOverflow(const FloatHistogram& h);

}  // namespace epi
