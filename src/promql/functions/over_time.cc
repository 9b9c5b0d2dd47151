#include "promql/functions/over_time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "model/histogram_math.h"
#include "model/histogram_reset.h"
#include "model/kahan_sum.h"
#include "model/sample.h"
#include "promql/functions/dense_kernels.h"
#include "promql/functions/four_windows.h"
#include "promql/functions/quantile.h"
#include "promql/functions/rate.h"

namespace epi::promql {
namespace {

double OverTimeSeconds(TimestampMs t) { return static_cast<double>(t) / 1000; }

// Functions of floats only note histograms beside them. False when there is no float.
bool FloatsOnly(const Window& window, RangeContext& context) {
  if (window.v.empty()) return false;
  if (!window.h.empty()) context.notes.HistogramsIgnoredInMixedRange(context.metric, context.pos);
  return true;
}

// Functions of one kind or the other drop windows with both.
bool Mixed(const Window& window, RangeContext& context) {
  if (window.v.empty() || window.h.empty()) return false;
  context.notes.MixedFloatsHistograms(context.metric, context.pos);
  return true;
}

double Sum(std::span<const double> v) {
  KahanSum sum;
  for (const double x : v) sum.Add(x);
  return std::isinf(sum.sum) ? sum.sum : sum.Total();
}

double Average(std::span<const double> v) {
  KahanSum sum{v[0], 0};
  double count = 1;
  size_t i = 1;
  for (; i < v.size(); ++i) {
    count = static_cast<double>(i + 1);
    KahanSum next = sum;
    next.Add(v[i]);
    if (std::isinf(next.sum)) break;
    sum = next;
  }
  if (i == v.size()) return sum.sum / count + sum.compensation / count;
  // The sum would overflow: go on with a running mean from here.
  KahanSum mean{sum.sum / (count - 1), sum.compensation / (count - 1)};
  for (; i < v.size(); ++i) {
    count = static_cast<double>(i + 1);
    const double q = (count - 1) / count;
    mean.sum *= q;
    mean.compensation *= q;
    mean.Add(v[i] / count);
  }
  return mean.Total();
}

// The squared deviation from the mean, in one pass.
struct Deviation {
  KahanSum mean;
  KahanSum squares;
  double count = 0;

  void Add(double x) {
    ++count;
    const double delta = x - mean.Total();
    mean.Add(delta / count);
    squares.Add(delta * (x - mean.Total()));
  }
  double Variance() const { return squares.Total() / count; }
  bool finite() const {
    return std::isfinite(mean.sum) && std::isfinite(mean.compensation) && std::isfinite(squares.sum) &&
           std::isfinite(squares.compensation);
  }
};

double Variance(std::span<const double> v) {
  Deviation deviation;
  for (const double x : v) deviation.Add(x);
  return deviation.Variance();
}

bool Changed(double before, double after) { return after != before && !(std::isnan(after) && std::isnan(before)); }

// What adding up a window of histograms came across.
struct HistogramFindings {
  bool reset = false;
  bool not_reset = false;
  bool reconciled = false;

  void See(const FloatHistogram& h) {
    reset |= h.counter_reset_hint == CounterResetHint::kReset;
    not_reset |= h.counter_reset_hint == CounterResetHint::kNotReset;
  }
  bool Add(const Result<HistogramAddition>& done) {
    if (!done) return false;
    reconciled |= done->bounds_reconciled;
    return true;
  }
  void Annotate(RangeContext& context) const {
    if (reset && not_reset) context.notes.CounterResetCollision(HistogramOperation::kAggregation, context.pos);
    if (reconciled) context.notes.BoundsReconciled(HistogramOperation::kAggregation, context.pos);
  }
};

StepValue IncompatibleHistograms(RangeContext& context) {
  context.notes.MixedExponentialCustom(context.metric, context.pos);
  return StepValue::None();
}

StepValue SumHistograms(const Window& window, RangeContext& context) {
  HistogramFindings findings;
  FloatHistogram sum = *window.h.front().h;
  findings.See(sum);
  std::optional<FloatHistogram> compensation;
  for (const auto& point : window.h.subspan(1)) {
    findings.See(*point.h);
    if (!compensation) compensation = CompensationFor(sum);
    if (!findings.Add(KahanAdd(sum, *point.h, *compensation))) return IncompatibleHistograms(context);
  }
  if (compensation && !findings.Add(epi::Add(sum, *compensation))) return IncompatibleHistograms(context);
  findings.Annotate(context);
  return StepValue::Histogram(std::move(sum));
}

// Sum first; from where that would overflow, a running mean.
StepValue AverageHistograms(const Window& window, RangeContext& context) {
  HistogramFindings findings;
  FloatHistogram sum = *window.h.front().h;
  findings.See(sum);
  std::optional<FloatHistogram> compensation;
  bool incremental = false;
  double count = 1;
  for (size_t i = 1; i < window.h.size(); ++i) {
    const FloatHistogram& h = *window.h[i].h;
    findings.See(h);
    count = static_cast<double>(i + 1);
    if (!incremental) {
      FloatHistogram next = sum;
      FloatHistogram next_compensation = compensation ? *compensation : CompensationFor(sum);
      if (!findings.Add(KahanAdd(next, h, next_compensation))) return IncompatibleHistograms(context);
      if (!HasOverflow(next)) {
        sum = std::move(next);
        compensation = std::move(next_compensation);
        continue;
      }
      incremental = true;
      Divide(sum, count - 1);
      if (compensation) Divide(*compensation, count - 1);
    }
    const double q = (count - 1) / count;
    if (compensation) Multiply(*compensation, q);
    FloatHistogram share = h;
    Divide(share, count);
    Multiply(sum, q);
    if (!compensation) compensation = CompensationFor(sum);
    if (!findings.Add(KahanAdd(sum, share, *compensation))) return IncompatibleHistograms(context);
  }
  if (!incremental) {
    Divide(sum, count);
    if (compensation) Divide(*compensation, count);
  }
  if (compensation && !epi::Add(sum, *compensation)) return IncompatibleHistograms(context);
  findings.Annotate(context);
  return StepValue::Histogram(std::move(sum));
}

// The extreme value and its time; later ones replace it where `better` says so, and always a NaN.
struct Extreme {
  double v = 0;
  TimestampMs t = 0;
};
template <typename Better>
Extreme FindExtreme(const Window& window, Better better) {
  Extreme extreme{window.v[0], window.t[0]};
  for (size_t i = 0; i < window.v.size(); ++i) {
    if (better(window.v[i], extreme.v) || std::isnan(extreme.v)) extreme = {window.v[i], window.t[i]};
  }
  return extreme;
}

// For anchored ranges: the first sample to look at of either kind. False when nothing lies after the range's start.
bool FirstAnchored(const Window& window, size_t& first_float, size_t& first_histogram) {
  const auto before = [&](auto count, auto time_of) {
    size_t n = 0;
    while (n < count && time_of(n) <= window.range_start) ++n;
    return n;
  };
  const size_t floats = before(window.t.size(), [&](size_t i) { return window.t[i]; });
  const size_t histograms = before(window.h.size(), [&](size_t i) { return window.h[i].t; });
  if (floats >= window.t.size() && histograms >= window.h.size()) return false;
  first_float = floats;
  first_histogram = histograms;
  if (floats == 0 && histograms == 0) return true;
  const bool anchor_is_float = histograms == 0 || (floats > 0 && window.t[floats - 1] >= window.h[histograms - 1].t);
  --(anchor_is_float ? first_float : first_histogram);
  return true;
}

struct AnySample {
  TimestampMs t = 0;
  TimestampMs start = 0;
  double v = 0;
  const FloatHistogram* h = nullptr;
};

// Calls visit(previous, current) for neighbours over both kinds. False when there is no sample to look at.
template <typename Visit>
bool ForEachPair(const Window& window, const RangeContext& context, Visit visit) {
  size_t f = 0;
  size_t g = 0;
  if (context.anchored && !FirstAnchored(window, f, g)) return false;
  AnySample previous;
  bool first = true;
  while (f < window.v.size() || g < window.h.size()) {
    AnySample current;
    if (g >= window.h.size() || (f < window.v.size() && window.t[f] < window.h[g].t)) {
      current = {window.t[f], f < window.start_times.size() ? window.start_times[f] : 0, window.v[f], nullptr};
      ++f;
    } else {
      current = {window.h[g].t, window.h[g].start_time, 0, window.h[g].h};
      ++g;
    }
    if (!first) visit(previous, current);
    first = false;
    previous = current;
  }
  return true;
}

template <typename OfWindow>
void EachWindow(const FloatRow& row, OfWindow of_window) {
  for (size_t k = 0; k < row.grid.count; ++k) {
    const uint32_t lo = row.windows.lo[k];
    const uint32_t hi = row.windows.hi[k];
    if (lo == hi) continue;
    row.values[k] = of_window(std::span<const double>(row.v + lo, hi - lo));
    SetBit(row.bits, k);
  }
}

// Compensated sums of all windows. A sum begins with the first `given` values as they are. `finish(values, sum)` makes
// the result.
template <typename Finish>
void EachSum(const FloatRow& row, size_t given, Finish finish) {
  ForEachFourWindows(row, 1, [&](const FourWindows& windows) {
    FourSums four;
    for (size_t w = 0; w < 4; ++w) {
      const double* first = row.v + row.windows.lo[windows.steps[w]];
      four.at[w] = first + given;
      four.sums[w] = given == 0 ? 0 : *first;
    }
    SumFour(four, windows.common - given);
    for (size_t w = 0; w < windows.filled; ++w) {
      const auto values = WindowValues(row, windows.steps[w]);
      KahanSum sum{four.sums[w], four.compensations[w]};
      size_t done = windows.common;
      if (!std::isfinite(sum.sum) || !std::isfinite(sum.compensation)) {
        sum = KahanSum{given == 0 ? 0 : values[0], 0};
        done = given;
      }
      for (size_t i = done; i < values.size(); ++i) sum.Add(values[i]);
      row.values[windows.steps[w]] = finish(values, sum);
      SetBit(row.bits, windows.steps[w]);
    }
  });
}

template <typename Finish>
void EachVariance(const FloatRow& row, Finish finish) {
  ForEachFourWindows(row, 1, [&](const FourWindows& windows) {
    FourSums mean;
    FourSums squares;
    for (size_t w = 0; w < 4; ++w) mean.at[w] = row.v + row.windows.lo[windows.steps[w]];
    VarianceFour(mean, squares, windows.common);
    for (size_t w = 0; w < windows.filled; ++w) {
      const auto values = WindowValues(row, windows.steps[w]);
      Deviation deviation{{mean.sums[w], mean.compensations[w]}, {squares.sums[w], squares.compensations[w]}, 0};
      deviation.count = static_cast<double>(windows.common);
      size_t done = windows.common;
      if (!deviation.finite()) {
        deviation = {};
        done = 0;
      }
      for (size_t i = done; i < values.size(); ++i) deviation.Add(values[i]);
      row.values[windows.steps[w]] = finish(deviation.Variance());
      SetBit(row.bits, windows.steps[w]);
    }
  });
}

// A count of neighbours for which `event(before, after)` holds, for all windows from one running count.
template <typename Event>
void CountNeighbours(const FloatRow& row, Event event) {
  if (row.t.empty()) return;
  std::vector<uint32_t> events(row.t.size());
  for (size_t i = 1; i < events.size(); ++i) events[i] = events[i - 1] + (event(row.v[i - 1], row.v[i]) ? 1 : 0);
  for (size_t k = 0; k < row.grid.count; ++k) {
    const uint32_t lo = row.windows.lo[k];
    const uint32_t hi = row.windows.hi[k];
    if (lo == hi) continue;
    row.values[k] = static_cast<double>(events[hi - 1] - events[lo]);
    SetBit(row.bits, k);
  }
}

// Sliding extreme in amortised constant time: a queue of positions whose values get worse from front to back. NaN loses
// against every number; among equals the earlier one is kept, as in a scan from the left.
template <typename Better>
void SlidingExtreme(const FloatRow& row, Better better) {
  std::vector<uint32_t> queue;
  size_t head = 0;
  uint32_t added = 0;
  const auto replaces = [&](double newer, double older) {
    return better(newer, older) || (std::isnan(older) && !std::isnan(newer));
  };
  for (size_t k = 0; k < row.grid.count; ++k) {
    const uint32_t lo = row.windows.lo[k];
    const uint32_t hi = row.windows.hi[k];
    if (added < lo) added = lo;
    for (; added < hi; ++added) {
      while (queue.size() > head && replaces(row.v[added], row.v[queue.back()])) queue.pop_back();
      queue.push_back(added);
    }
    while (head < queue.size() && queue[head] < lo) ++head;
    if (lo == hi) continue;
    row.values[k] = row.v[queue[head]];
    SetBit(row.bits, k);
  }
}

}  // namespace

StepValue AvgOverTime(const Window& window, RangeContext& context) {
  if (Mixed(window, context)) return StepValue::None();
  return window.v.empty() ? AverageHistograms(window, context) : StepValue::Float(Average(window.v));
}

StepValue SumOverTime(const Window& window, RangeContext& context) {
  if (Mixed(window, context)) return StepValue::None();
  return window.v.empty() ? SumHistograms(window, context) : StepValue::Float(Sum(window.v));
}

StepValue CountOverTime(const Window& window, RangeContext&) {
  return StepValue::Float(static_cast<double>(window.v.size() + window.h.size()));
}

StepValue PresentOverTime(const Window&, RangeContext&) { return StepValue::Float(1); }

StepValue MinOverTime(const Window& window, RangeContext& context) {
  if (!FloatsOnly(window, context)) return StepValue::None();
  return StepValue::Float(FindExtreme(window, [](double a, double b) { return a < b; }).v);
}

StepValue MaxOverTime(const Window& window, RangeContext& context) {
  if (!FloatsOnly(window, context)) return StepValue::None();
  return StepValue::Float(FindExtreme(window, [](double a, double b) { return a > b; }).v);
}

StepValue TsOfMinOverTime(const Window& window, RangeContext& context) {
  if (!FloatsOnly(window, context)) return StepValue::None();
  return StepValue::Float(OverTimeSeconds(FindExtreme(window, [](double a, double b) { return a <= b; }).t));
}

StepValue TsOfMaxOverTime(const Window& window, RangeContext& context) {
  if (!FloatsOnly(window, context)) return StepValue::None();
  return StepValue::Float(OverTimeSeconds(FindExtreme(window, [](double a, double b) { return a >= b; }).t));
}

StepValue FirstOverTime(const Window& window, RangeContext&) {
  const bool take_float = window.h.empty() || (!window.v.empty() && window.t.front() < window.h.front().t);
  return take_float ? StepValue::Float(window.v.front()) : StepValue::Histogram(*window.h.front().h);
}

StepValue LastOverTime(const Window& window, RangeContext&) {
  const bool take_float = window.h.empty() || (!window.v.empty() && window.h.back().t < window.t.back());
  return take_float ? StepValue::Float(window.v.back()) : StepValue::Histogram(*window.h.back().h);
}

StepValue TsOfFirstOverTime(const Window& window, RangeContext&) {
  constexpr TimestampMs kNever = std::numeric_limits<TimestampMs>::max();
  return StepValue::Float(OverTimeSeconds(
      std::min(window.t.empty() ? kNever : window.t.front(), window.h.empty() ? kNever : window.h.front().t)));
}

StepValue TsOfLastOverTime(const Window& window, RangeContext&) {
  // A missing kind counts as time zero, as in Prometheus, which shows with negative times only.
  return StepValue::Float(
      OverTimeSeconds(std::max(window.t.empty() ? 0 : window.t.back(), window.h.empty() ? 0 : window.h.back().t)));
}

StepValue StdvarOverTime(const Window& window, RangeContext& context) {
  return FloatsOnly(window, context) ? StepValue::Float(Variance(window.v)) : StepValue::None();
}

StepValue StddevOverTime(const Window& window, RangeContext& context) {
  return FloatsOnly(window, context) ? StepValue::Float(std::sqrt(Variance(window.v))) : StepValue::None();
}

StepValue QuantileOverTime(const Window& window, RangeContext& context) {
  if (window.v.empty()) return StepValue::None();
  const double q = window.arg0;
  if (!(q >= 0 && q <= 1)) context.notes.InvalidQuantile(q, context.pos);
  FloatsOnly(window, context);
  std::vector<double> values(window.v.begin(), window.v.end());
  return StepValue::Float(Quantile(q, values));
}

StepValue MadOverTime(const Window& window, RangeContext& context) {
  if (!FloatsOnly(window, context)) return StepValue::None();
  std::vector<double> values(window.v.begin(), window.v.end());
  // One NaN makes the median, and so every deviation, undefined.
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    return StepValue::Float(NormalNaN());
  }
  const double median = Quantile(0.5, values);
  for (auto& v : values) v = std::fabs(v - median);
  return StepValue::Float(Quantile(0.5, values));
}

StepValue Changes(const Window& window, RangeContext& context) {
  int64_t changes = 0;
  const bool any = ForEachPair(window, context, [&](const AnySample& a, const AnySample& b) {
    if ((a.h == nullptr) != (b.h == nullptr)) {
      ++changes;
    } else if (b.h != nullptr) {
      changes += SameData(*b.h, *a.h) ? 0 : 1;
    } else {
      changes += Changed(a.v, b.v) ? 1 : 0;
    }
  });
  return any ? StepValue::Float(static_cast<double>(changes)) : StepValue::None();
}

StepValue Resets(const Window& window, RangeContext& context) {
  int64_t resets = 0;
  const bool any = ForEachPair(window, context, [&](const AnySample& a, const AnySample& b) {
    const bool by_start = context.use_start_times && IsStartTimeReset(a.start, a.t, b.start, b.t);
    if ((a.h == nullptr) != (b.h == nullptr)) {
      ++resets;
    } else if (b.h != nullptr) {
      resets += by_start || DetectReset(*b.h, *a.h) ? 1 : 0;
    } else {
      resets += b.v < a.v || by_start ? 1 : 0;
    }
  });
  return any ? StepValue::Float(static_cast<double>(resets)) : StepValue::None();
}

void AvgRow(const FloatRow& row, RangeContext&) {
  EachSum(row, 1, [](std::span<const double> v, const KahanSum& sum) {
    // Infinite sums have a way of their own.
    if (!std::isfinite(sum.sum)) return Average(v);
    const auto count = static_cast<double>(v.size());
    return sum.sum / count + sum.compensation / count;
  });
}
void SumRow(const FloatRow& row, RangeContext&) {
  EachSum(row, 0,
          [](std::span<const double>, const KahanSum& sum) { return std::isinf(sum.sum) ? sum.sum : sum.Total(); });
}
void CountRow(const FloatRow& row, RangeContext&) {
  EachWindow(row, [](std::span<const double> v) { return static_cast<double>(v.size()); });
}
void PresentRow(const FloatRow& row, RangeContext&) {
  EachWindow(row, [](std::span<const double>) { return 1.0; });
}
void FirstRow(const FloatRow& row, RangeContext&) {
  EachWindow(row, [](std::span<const double> v) { return v.front(); });
}
void LastRow(const FloatRow& row, RangeContext&) {
  EachWindow(row, [](std::span<const double> v) { return v.back(); });
}
void MinRow(const FloatRow& row, RangeContext&) {
  SlidingExtreme(row, [](double a, double b) { return a < b; });
}
void MaxRow(const FloatRow& row, RangeContext&) {
  SlidingExtreme(row, [](double a, double b) { return a > b; });
}

void StdvarRow(const FloatRow& row, RangeContext&) {
  EachVariance(row, [](double variance) { return variance; });
}
void StddevRow(const FloatRow& row, RangeContext&) {
  EachVariance(row, [](double variance) { return std::sqrt(variance); });
}
void ChangesRow(const FloatRow& row, RangeContext&) { CountNeighbours(row, Changed); }
void ResetsRow(const FloatRow& row, RangeContext&) {
  CountNeighbours(row, [](double before, double after) { return after < before; });
}
void QuantileRow(const FloatRow& row, RangeContext& context) {
  std::vector<double> values;
  for (size_t k = 0; k < row.grid.count; ++k) {
    const auto window = WindowValues(row, k);
    if (window.empty()) continue;
    const double q = row.arg0[k];
    if (!(q >= 0 && q <= 1)) context.notes.InvalidQuantile(q, context.pos);
    values.assign(window.begin(), window.end());
    row.values[k] = Quantile(q, values);
    SetBit(row.bits, k);
  }
}

}  // namespace epi::promql
