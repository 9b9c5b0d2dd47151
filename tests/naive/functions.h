// PromQL's functions, each written from its definition alone.
#pragma once

#include <optional>
#include <vector>

#include "naive/table.h"
#include "promql/parser/function_signatures.h"

namespace epi::naive {

// A function of a range vector: what it says about one window. `args` are its scalar arguments at the step.
using RangeFunction = Result<std::optional<Sample>> (*)(const Window& window, const std::vector<double>& args);
// Null when there is none, or it is not part of the comparison.
RangeFunction FindRangeFunction(promql::FunctionId id);

// A function of one float, with scalar arguments; nothing drops the element.
using FloatFunction = std::optional<double> (*)(double v, const std::vector<double>& args);
FloatFunction FindFloatFunction(promql::FunctionId id);

// The quantile of plain numbers.
double QuantileOf(double q, std::vector<double> values);

// Of a native histogram.
double NativeQuantile(double q, const FloatHistogram& h, Notes& notes);
double NativeFraction(double lower, double upper, const FloatHistogram& h, Notes& notes);
double NativeVariance(const FloatHistogram& h);

// Of a classic one.
struct LeCount {
  double le = 0;
  double count = 0;
};
double ClassicQuantile(double q, std::vector<LeCount> buckets, Notes& notes);
double ClassicFraction(double lower, double upper, std::vector<LeCount> buckets);

}  // namespace epi::naive
