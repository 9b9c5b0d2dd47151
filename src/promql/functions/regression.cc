#include "promql/functions/regression.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/kahan_sum.h"
#include "model/number_format.h"
#include "model/sample.h"
#include "promql/functions/dense_kernels.h"
#include "promql/functions/four_windows.h"

namespace epi::promql {
namespace {

struct Line {
  double slope = 0;
  double intercept = 0;
};

double SecondsSince(TimestampMs t, TimestampMs origin) { return static_cast<double>(t - origin) / 1e3; }

bool Constant(std::span<const double> v) {
  return std::all_of(v.begin() + 1, v.end(), [&](double y) { return y == v[0]; });
}

struct LineSums {
  double x = 0;
  double y = 0;
  double xy = 0;
  double xx = 0;
};
Line Solve(double n, const LineSums& sums) {
  const double covariance = sums.xy - sums.x * sums.y / n;
  const double variance = sums.xx - sums.x * sums.x / n;
  const double slope = covariance / variance;
  return {slope, sums.y / n - slope * sums.x / n};
}

Line ConstantLine(double v) { return std::isinf(v) ? Line{NormalNaN(), NormalNaN()} : Line{0, v}; }

// Least squares; the intercept is the value at `origin`.
Line FitLine(std::span<const TimestampMs> t, std::span<const double> v, TimestampMs origin) {
  if (Constant(v)) return ConstantLine(v[0]);
  KahanSum sum_x;
  KahanSum sum_y;
  KahanSum sum_xy;
  KahanSum sum_xx;
  for (size_t i = 0; i < v.size(); ++i) {
    const double x = SecondsSince(t[i], origin);
    sum_x.Add(x);
    sum_y.Add(v[i]);
    sum_xy.Add(x * v[i]);
    sum_xx.Add(x * x);
  }
  return Solve(static_cast<double>(v.size()), {sum_x.Total(), sum_y.Total(), sum_xy.Total(), sum_xx.Total()});
}

// Two megabytes. Regular timestamps need far less, because all their windows look alike.
constexpr size_t kMaxStoredTimes = size_t{1} << 18;

// `origin(step)` is the time from which a step's x counts.
template <typename Origin>
void FillLineTerms(const FloatRow& row, Origin origin) {
  LineTerms& terms = row.line_terms;
  const size_t steps = row.grid.count;
  terms.sum_x.assign(steps, 0);
  terms.sum_xx.assign(steps, 0);
  terms.x.clear();
  terms.first.assign(steps, 0);
  size_t before = 0;  // the step whose window was stored last, + 1
  std::vector<double> x;
  for (size_t k = 0; k < steps; ++k) {
    const size_t lo = row.windows.lo[k];
    const size_t count = row.windows.hi[k] - lo;
    if (count < 2) continue;
    x.clear();
    for (size_t i = 0; i < count; ++i) x.push_back(SecondsSince(row.t[lo + i], origin(k)));
    if (before > 0 && !terms.first.empty()) {
      const size_t b = before - 1;
      const size_t stored = row.windows.hi[b] - row.windows.lo[b];
      if (stored == count && std::equal(x.begin(), x.end(), terms.x.begin() + terms.first[b])) {
        terms.first[k] = terms.first[b];
        terms.sum_x[k] = terms.sum_x[b];
        terms.sum_xx[k] = terms.sum_xx[b];
        continue;
      }
    }
    KahanSum sum_x;
    KahanSum sum_xx;
    for (const double value : x) {
      sum_x.Add(value);
      sum_xx.Add(value * value);
    }
    terms.sum_x[k] = sum_x.Total();
    terms.sum_xx[k] = sum_xx.Total();
    if (terms.first.empty()) continue;
    if (terms.x.size() + count > kMaxStoredTimes) {
      terms.first.clear();
      terms.x.clear();
      continue;
    }
    terms.first[k] = static_cast<uint32_t>(terms.x.size());
    terms.x.insert(terms.x.end(), x.begin(), x.end());
    before = k + 1;
  }
  terms.ready = true;
}

// `result(step, line)` makes the value.
template <typename Origin, typename MakeValue>
void EachLine(const FloatRow& row, Origin origin, MakeValue result) {
  if (!row.line_terms.ready) FillLineTerms(row, origin);
  const LineTerms& terms = row.line_terms;
  std::array<std::vector<double>, 4> own;  // x where it is not stored
  ForEachFourWindows(row, 2, [&](const FourWindows& windows) {
    FourSums y;
    FourSums xy;
    const double* x[4] = {};
    for (size_t w = 0; w < 4; ++w) {
      const size_t k = windows.steps[w];
      const size_t lo = row.windows.lo[k];
      y.at[w] = row.v + lo;
      if (!terms.first.empty()) {
        x[w] = terms.x.data() + terms.first[k];
        continue;
      }
      own[w].resize(windows.lengths[w]);
      for (size_t i = 0; i < own[w].size(); ++i) own[w][i] = SecondsSince(row.t[lo + i], origin(k));
      x[w] = own[w].data();
    }
    SumFourProducts(x, y, xy, windows.common);
    for (size_t w = 0; w < windows.filled; ++w) {
      const size_t k = windows.steps[w];
      const auto values = WindowValues(row, k);
      SetBit(row.bits, k);
      if (values[1] == values[0] && Constant(values)) {
        row.values[k] = result(k, ConstantLine(values[0]));
        continue;
      }
      KahanSum sum_y{y.sums[w], y.compensations[w]};
      KahanSum sum_xy{xy.sums[w], xy.compensations[w]};
      size_t done = windows.common;
      if (!std::isfinite(sum_y.Total()) || !std::isfinite(sum_xy.Total())) {
        sum_y = sum_xy = KahanSum{};
        done = 0;
      }
      for (size_t i = done; i < values.size(); ++i) {
        sum_y.Add(values[i]);
        sum_xy.Add(x[w][i] * values[i]);
      }
      row.values[k] = result(k, Solve(static_cast<double>(values.size()),
                                      {terms.sum_x[k], sum_y.Total(), sum_xy.Total(), terms.sum_xx[k]}));
    }
  });
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

void DerivRow(const FloatRow& row, RangeContext&) {
  EachLine(
      row, [&](size_t step) { return row.t[row.windows.lo[step]]; },
      [](size_t, const Line& line) { return line.slope; });
}

void PredictLinearRow(const FloatRow& row, RangeContext&) {
  EachLine(
      row, [&](size_t step) { return row.grid.Time(step); },
      [&](size_t step, const Line& line) { return line.slope * row.arg0[step] + line.intercept; });
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
