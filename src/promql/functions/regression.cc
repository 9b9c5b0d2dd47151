#include "promql/functions/regression.h"

#include <cmath>

#include "model/kahan_sum.h"
#include "model/number_format.h"
#include "model/sample.h"

namespace epi::promql {
namespace {

struct Line {
  double slope = 0;
  double intercept = 0;
};

// Least squares; the intercept is the value at `origin`.
Line FitLine(std::span<const TimestampMs> t, std::span<const double> v, TimestampMs origin) {
  double n = 0;
  KahanSum sum_x;
  KahanSum sum_y;
  KahanSum sum_xy;
  KahanSum sum_xx;
  bool constant = true;
  for (size_t i = 0; i < v.size(); ++i) {
    if (v[i] != v[0] && i > 0) constant = false;
    n += 1;
    const double x = static_cast<double>(t[i] - origin) / 1e3;
    sum_x.Add(x);
    sum_y.Add(v[i]);
    sum_xy.Add(x * v[i]);
    sum_xx.Add(x * x);
  }
  if (constant) return std::isinf(v[0]) ? Line{NormalNaN(), NormalNaN()} : Line{0, v[0]};
  const double x = sum_x.Total();
  const double y = sum_y.Total();
  const double covariance = sum_xy.Total() - x * y / n;
  const double variance = sum_xx.Total() - x * x / n;
  const double slope = covariance / variance;
  return {slope, y / n - slope * x / n};
}

// These functions need two floats; histograms beside floats are noted.
bool EnoughFloats(const Window& window, RangeContext& context) {
  if (!window.v.empty() && !window.h.empty()) {
    context.notes.HistogramsIgnoredInMixedRange(context.metric, context.pos);
  }
  return window.v.size() >= 2;
}

bool CheckFactor(double factor, std::string_view name, std::string_view symbol, RangeContext& context) {
  if (!(factor <= 0 || factor >= 1)) return true;
  std::string text = "invalid ";
  text.append(name).append(" factor. Expected: 0 < ").append(symbol).append(" < 1, got: ");
  context.error = Error(ErrorCode::kExecution, text + FormatFloatPrecision(factor, 'f', 6));
  return false;
}

}  // namespace

StepValue Deriv(const Window& window, RangeContext& context) {
  if (!EnoughFloats(window, context)) return StepValue::None();
  // Times near the samples keep the sums small and so precise.
  return StepValue::Float(FitLine(window.t, window.v, window.t.front()).slope);
}

StepValue PredictLinear(const Window& window, RangeContext& context) {
  if (!EnoughFloats(window, context)) return StepValue::None();
  const Line line = FitLine(window.t, window.v, window.time);
  return StepValue::Float(line.slope * window.arg0 + line.intercept);
}

StepValue DoubleExponentialSmoothing(const Window& window, RangeContext& context) {
  const double smoothing = window.arg0;
  const double trend = window.arg1;
  if (!CheckFactor(smoothing, "smoothing", "sf", context) || !CheckFactor(trend, "trend", "tf", context)) {
    return StepValue::None();
  }
  if (!EnoughFloats(window, context)) return StepValue::None();
  double before = 0;
  double smoothed = window.v[0];
  double slope = window.v[1] - window.v[0];
  for (size_t i = 1; i < window.v.size(); ++i) {
    const double x = smoothing * window.v[i];
    if (i > 1) slope = trend * (smoothed - before) + (1 - trend) * slope;
    const double y = (1 - smoothing) * (smoothed + slope);
    before = smoothed;
    smoothed = x + y;
  }
  return StepValue::Float(smoothed);
}

}  // namespace epi::promql
