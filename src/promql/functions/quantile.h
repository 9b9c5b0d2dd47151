// Quantiles of plain numbers.
#pragma once

#include <span>

namespace epi::promql {

// The q-quantile, interpolated between neighbours; reorders `values`, among which NaN counts as smallest and -0
// as smaller than +0. NaN without values or for q = NaN, -Inf below 0, +Inf above 1.
double Quantile(double q, std::span<double> values);

// Go's math.Max and math.Min: NaN if either is, except that an infinity on its own side wins; zeros by sign.
double GoMax(double a, double b);
double GoMin(double a, double b);

}  // namespace epi::promql
