#include "promql/functions/rate.h"

#include <algorithm>
#include <array>

#include "model/histogram_math.h"
#include "model/histogram_reset.h"
#include "model/histogram_resolution.h"

namespace epi::promql {
namespace {

bool UsesCustomBuckets(const FloatHistogram& h) { return IsCustomBucketsSchema(h.schema); }

// h += other or h -= other; false, annotated, when the schemas do not mix.
bool AddAnnotated(FloatHistogram& h, const FloatHistogram& other, RangeContext& context) {
  const auto done = epi::Add(h, other);
  if (!done) {
    context.notes.MixedExponentialCustom(context.metric, context.pos);
    return false;
  }
  if (done->bounds_reconciled) context.notes.BoundsReconciled(HistogramOperation::kAddition, context.pos);
  return true;
}

bool SubtractAnnotated(FloatHistogram& h, const FloatHistogram& other, RangeContext& context) {
  const auto done = epi::Subtract(h, other);
  if (!done) {
    context.notes.MixedExponentialCustom(context.metric, context.pos);
    return false;
  }
  if (done->bounds_reconciled) context.notes.BoundsReconciled(HistogramOperation::kSubtraction, context.pos);
  return true;
}

bool StartTimesOverlap(TimestampMs previous_start, TimestampMs previous, TimestampMs start) {
  return start != 0 && start < previous && start != previous_start;
}

// Start times of a window's histograms; 0 where there is none.
bool HistogramStartReset(const HistogramPoint& previous, const HistogramPoint& current, const RangeContext& context) {
  return context.use_start_times && IsStartTimeReset(previous.start_time, previous.t, current.start_time, current.t);
}

// last - first of a window of two or more histograms, plus what was lost in resets. Nothing when they do not go
// together.
std::optional<FloatHistogram> HistogramIncrease(std::span<const HistogramPoint> points, bool counter,
                                                RangeContext& outer) {
  // When samples turn out not to go together, that alone is reported.
  Annotations notes;
  RangeContext context{notes, outer.pos, outer.metric, outer.range_seconds, false, false, outer.use_start_times, {}};
  const FloatHistogram& last = *points.back().h;
  const FloatHistogram* previous = points.front().h;
  bool custom = UsesCustomBuckets(*previous);
  if (counter && (previous->counter_reset_hint == CounterResetHint::kGauge ||
                  last.counter_reset_hint == CounterResetHint::kGauge)) {
    context.notes.HistogramNotCounter(context.metric, context.pos);
  }
  // A reset right after the first sample makes that sample's own layout irrelevant.
  FloatHistogram empty;
  if (counter) {
    const FloatHistogram& second = *points[1].h;
    if (HistogramStartReset(points[0], points[1], context) || DetectReset(second, *previous)) {
      empty.schema = second.schema;
      empty.custom_values = second.custom_values;
      previous = &empty;
      custom = UsesCustomBuckets(second);
    }
  }
  const auto mixed = [&] {
    outer.notes.MixedExponentialCustom(outer.metric, outer.pos);
    return std::nullopt;
  };
  if (UsesCustomBuckets(last) != custom) {
    outer.notes.Merge(notes);
    return mixed();
  }
  int32_t schema = std::min(last.schema, previous->schema);
  if (counter) {
    for (const auto& point : points.subspan(1, points.size() - 2)) {
      if (point.h->counter_reset_hint == CounterResetHint::kGauge) {
        context.notes.HistogramNotCounter(context.metric, context.pos);
      }
      schema = std::min(schema, point.h->schema);
      if (UsesCustomBuckets(*point.h) != custom) return mixed();
    }
  }
  FloatHistogram h = CopyToSchema(last, schema);
  // Resets are handled here explicitly, so hints that contradict each other are no news.
  if (!SubtractAnnotated(h, *previous, context)) return mixed();
  if (counter) {
    bool overlap = false;
    for (size_t i = 1; i < points.size(); ++i) {
      if (context.use_start_times && !overlap &&
          StartTimesOverlap(points[i - 1].start_time, points[i - 1].t, points[i].start_time)) {
        context.notes.StartTimeOverlap(context.metric, context.pos);
        overlap = true;
      }
      if (HistogramStartReset(points[i - 1], points[i], context) || DetectReset(*points[i].h, *previous)) {
        if (!AddAnnotated(h, *previous, context)) return mixed();
      }
      previous = points[i].h;
    }
  } else if (points.front().h->counter_reset_hint != CounterResetHint::kGauge ||
             last.counter_reset_hint != CounterResetHint::kGauge) {
    context.notes.HistogramNotGauge(context.metric, context.pos);
  }
  outer.notes.Merge(notes);
  h.counter_reset_hint = CounterResetHint::kGauge;
  Compact(h);
  return h;
}

double FloatIncrease(const Window& window, bool counter, RangeContext& context) {
  double result = window.v.back() - window.v.front();
  if (!counter) return result;
  const auto starts = window.start_times;
  bool overlap = false;
  for (size_t i = 1; i < window.v.size(); ++i) {
    const bool known = i < starts.size();
    if (known && !overlap && StartTimesOverlap(starts[i - 1], window.t[i - 1], starts[i])) {
      context.notes.StartTimeOverlap(context.metric, context.pos);
      overlap = true;
    }
    if (window.v[i] < window.v[i - 1] ||
        (known && IsStartTimeReset(starts[i - 1], window.t[i - 1], starts[i], window.t[i]))) {
      result += window.v[i - 1];
    }
  }
  return result;
}

// Index of the first of `times` that satisfies `holds`, among the first `count`; count when none does.
template <typename TimeOf, typename Holds>
size_t FirstWhere(size_t count, TimeOf time_of, Holds holds) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (holds(time_of(middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// The samples that stand for the two ends of an extended range.
struct Edges {
  size_t first = 0;
  size_t last = 0;
};
template <typename TimeOf>
Edges FindEdges(size_t count, TimeOf time_of, TimestampMs start, TimestampMs end, bool smoothed) {
  Edges edges;
  edges.last = count - 1;
  const size_t after = FirstWhere(edges.last, time_of, [&](TimestampMs t) { return t > start; });
  edges.first = after == 0 ? 0 : after - 1;
  if (smoothed) edges.last = FirstWhere(edges.last, time_of, [&](TimestampMs t) { return t >= end; });
  return edges;
}

double LeftValue(std::span<const TimestampMs> t, std::span<const double> v, size_t first, TimestampMs start,
                 bool smoothed, bool counter) {
  if (smoothed && t[first] < start && first + 1 < t.size()) {
    return Interpolate(t[first], v[first], t[first + 1], v[first + 1], start, counter);
  }
  return v[first];
}

double RightValue(std::span<const TimestampMs> t, std::span<const double> v, size_t last, TimestampMs end,
                  bool smoothed, bool counter) {
  if (smoothed && last > 0 && t[last] > end)
    return Interpolate(t[last - 1], v[last - 1], t[last], v[last], end, counter);
  return v[last];
}

StepValue ExtendedRate(const Window& window, bool counter, bool rate, RangeContext& context) {
  const auto time_of = [&](size_t i) { return window.t[i]; };
  auto [first, last] = FindEdges(window.t.size(), time_of, window.range_start, window.range_end, context.smoothed);
  if (window.t[last] <= window.range_start) return StepValue::None();
  if (context.smoothed && window.t[first] > window.range_end) return StepValue::None();
  const double left = LeftValue(window.t, window.v, first, window.range_start, context.smoothed, counter);
  const double right = RightValue(window.t, window.v, last, window.range_end, context.smoothed, counter);
  double result = right - left;
  if (counter) {
    // The ends have taken care of resets beside them; only samples strictly inside are looked at.
    const size_t begin = window.t[first] <= window.range_start ? first + 1 : first;
    const size_t end = window.t[last] >= window.range_end ? last : last + 1;
    double correction = 0;
    double previous = left;
    for (size_t i = begin; i < end; ++i) {
      if (window.v[i] < previous) correction += previous;
      previous = window.v[i];
    }
    if (right < previous) correction += previous;
    result += correction;
  }
  if (rate) result /= context.range_seconds;
  return StepValue::Float(result);
}

// Whether all samples have one kind of buckets; annotates gauges where a counter is wanted.
bool CheckHistograms(std::span<const HistogramPoint> points, bool counter, RangeContext& context) {
  const bool custom = UsesCustomBuckets(*points.front().h);
  for (const auto& point : points) {
    if (UsesCustomBuckets(*point.h) != custom) {
      context.notes.MixedExponentialCustom(context.metric, context.pos);
      return false;
    }
    if (counter && point.h->counter_reset_hint == CounterResetHint::kGauge) {
      context.notes.HistogramNotCounter(context.metric, context.pos);
    }
  }
  return true;
}

// What resets between the two edges took away; `lost` is empty when nothing. False when histograms do not go together.
bool LostInResets(std::span<const HistogramPoint> h, size_t first, size_t last, const FloatHistogram& left,
                  const FloatHistogram& right, TimestampMs range_start, RangeContext& context,
                  std::optional<FloatHistogram>& lost) {
  size_t begin = first + 1;
  const FloatHistogram* previous = &left;
  if (context.smoothed && h[first].t < range_start && first + 1 < h.size() &&
      DetectReset(*h[first + 1].h, *h[first].h)) {
    // The interpolated left edge already lies behind this reset.
    previous = h[first + 1].h;
    ++begin;
  }
  // The last sample is represented by `right`. One or no sample between the edges leaves nothing to correct.
  if (begin > last) return true;
  const auto add = [&](const FloatHistogram& what) {
    if (lost) return AddAnnotated(*lost, what, context);
    lost = what;
    return true;
  };
  for (size_t i = begin; i < last; ++i) {
    if (DetectReset(*h[i].h, *previous) && !add(*previous)) return false;
    previous = h[i].h;
  }
  return !DetectReset(right, *previous) || add(*previous);
}

StepValue ExtendedHistogramRate(const Window& window, bool counter, bool rate, RangeContext& context) {
  const auto h = window.h;
  const auto time_of = [&](size_t i) { return h[i].t; };
  const auto [first, last] = FindEdges(h.size(), time_of, window.range_start, window.range_end, context.smoothed);
  if (h[last].t <= window.range_start) return StepValue::None();
  if (context.smoothed && h[first].t > window.range_end) return StepValue::None();
  if (!CheckHistograms(h.subspan(first, last - first + 1), counter, context)) return StepValue::None();
  std::optional<FloatHistogram> left = *h[first].h;
  if (context.smoothed && h[first].t < window.range_start && first + 1 < h.size()) {
    left = InterpolateHistograms(h[first], h[first + 1], window.range_start, counter, context);
    if (!left) return StepValue::None();
  }
  std::optional<FloatHistogram> right = *h[last].h;
  if (context.smoothed && last > 0 && h[last].t > window.range_end) {
    right = InterpolateHistograms(h[last - 1], h[last], window.range_end, counter, context);
    if (!right) return StepValue::None();
  }
  if (!counter &&
      (left->counter_reset_hint != CounterResetHint::kGauge || right->counter_reset_hint != CounterResetHint::kGauge)) {
    context.notes.HistogramNotGauge(context.metric, context.pos);
  }
  FloatHistogram result = *right;
  if (!SubtractAnnotated(result, *left, context)) return StepValue::None();
  if (counter) {
    std::optional<FloatHistogram> lost;
    if (!LostInResets(h, first, last, *left, *right, window.range_start, context, lost)) return StepValue::None();
    if (lost && !AddAnnotated(result, *lost, context)) return StepValue::None();
  }
  if (rate) Divide(result, context.range_seconds);
  result.counter_reset_hint = CounterResetHint::kGauge;
  Compact(result);
  return StepValue::Histogram(std::move(result));
}

StepValue Extrapolated(const Window& window, bool counter, bool rate, RangeContext& context) {
  if (window.h.empty() && window.v.empty()) return StepValue::None();
  if (!window.h.empty() && !window.v.empty()) {
    context.notes.MixedFloatsHistograms(context.metric, context.pos);
    return StepValue::None();
  }
  const bool histograms = !window.h.empty();
  if (context.anchored || context.smoothed) {
    return histograms ? ExtendedHistogramRate(window, counter, rate, context)
                      : ExtendedRate(window, counter, rate, context);
  }
  const size_t gaps = (histograms ? window.h.size() : window.v.size()) - 1;
  const TimestampMs first = histograms ? window.h.front().t : window.t.front();
  const TimestampMs last = histograms ? window.h.back().t : window.t.back();
  double result = 0;
  std::optional<FloatHistogram> result_histogram;
  TimestampMs first_start = 0;
  if (histograms) {
    if (gaps > 0) {
      result_histogram = HistogramIncrease(window.h, counter, context);
      if (!result_histogram) return StepValue::None();
    }
    if (context.use_start_times) first_start = window.h.front().start_time;
  } else {
    result = FloatIncrease(window, counter, context);
    if (!window.start_times.empty()) first_start = window.start_times.front();
  }

  double to_start = static_cast<double>(first - window.range_start) / 1000;
  double to_end = static_cast<double>(window.range_end - last) / 1000;
  double sampled = static_cast<double>(last - first) / 1000;
  const double average = gaps > 0 ? sampled / static_cast<double>(gaps) : 0;
  const double threshold = average * 1.1;
  if (counter && first_start != 0 && first_start > window.range_start && first_start < first) {
    // The counter began inside the range: a zero sample at its start replaces extrapolation on that side.
    to_start = 0;
    sampled = static_cast<double>(last - first_start) / 1000;
    if (!histograms) {
      result += window.v.front();
    } else if (!result_histogram) {
      result_histogram = *window.h.front().h;
    } else if (!AddAnnotated(*result_histogram, *window.h.front().h, context)) {
      return StepValue::None();
    }
  } else if (gaps == 0) {
    return StepValue::None();
  } else {
    if (to_start >= threshold) to_start = average / 2;
    if (counter) {
      double to_zero = to_start;
      if (result > 0 && !histograms && window.v.front() >= 0) {
        to_zero = sampled * (window.v.front() / result);
      } else if (result_histogram && result_histogram->count > 0 && window.h.front().h->count >= 0) {
        to_zero = sampled * (window.h.front().h->count / result_histogram->count);
      }
      if (to_zero < to_start) to_start = to_zero;
    }
  }
  if (to_end >= threshold) to_end = average / 2;
  double factor = sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
  if (rate) factor /= context.range_seconds;
  if (!result_histogram) return StepValue::Float(result * factor);
  Multiply(*result_histogram, factor);
  return StepValue::Histogram(std::move(*result_histogram));
}

// The last two samples of a window, whatever their kinds.
struct LastSample {
  TimestampMs t = 0;
  TimestampMs start = 0;
  double v = 0;
  const FloatHistogram* h = nullptr;
};
std::array<LastSample, 2> LastTwo(const Window& window) {
  size_t f = window.v.size();
  size_t g = window.h.size();
  std::array<LastSample, 2> out;
  for (size_t i = 2; i-- > 0;) {
    const bool take_float = f > 0 && (g == 0 || window.t[f - 1] > window.h[g - 1].t);
    if (take_float) {
      --f;
      out[i] = {window.t[f], f < window.start_times.size() ? window.start_times[f] : 0, window.v[f], nullptr};
    } else {
      --g;
      out[i] = {window.h[g].t, window.h[g].start_time, 0, window.h[g].h};
    }
  }
  return out;
}

StepValue Instantaneous(const Window& window, bool rate, RangeContext& context) {
  if (window.v.size() + window.h.size() < 2) return StepValue::None();
  const auto [a, b] = LastTwo(window);
  if (b.t == a.t) return StepValue::None();
  const double seconds = static_cast<double>(b.t - a.t) / 1000;
  const bool start_reset = context.use_start_times && IsStartTimeReset(a.start, a.t, b.start, b.t);
  if (a.h == nullptr && b.h == nullptr) {
    // After a reset a counter's last value is the whole increase.
    double value = b.v;
    if (!rate || !(b.v < a.v || start_reset)) value = b.v - a.v;
    return StepValue::Float(rate ? value / seconds : value);
  }
  if (a.h == nullptr || b.h == nullptr) {
    context.notes.MixedFloatsHistograms(context.metric, context.pos);
    return StepValue::None();
  }
  const bool gauge_a = a.h->counter_reset_hint == CounterResetHint::kGauge;
  const bool gauge_b = b.h->counter_reset_hint == CounterResetHint::kGauge;
  if (rate && (gauge_a || gauge_b)) context.notes.HistogramNotCounter(context.metric, context.pos);
  if (!rate && (!gauge_a || !gauge_b)) context.notes.HistogramNotGauge(context.metric, context.pos);
  FloatHistogram result = *b.h;
  if (!rate || (!start_reset && !DetectReset(*b.h, *a.h))) {
    if (!SubtractAnnotated(result, *a.h, context)) return StepValue::None();
  }
  result.counter_reset_hint = CounterResetHint::kGauge;
  Compact(result);
  if (rate) Divide(result, seconds);
  return StepValue::Histogram(std::move(result));
}

}  // namespace

bool IsStartTimeReset(TimestampMs previous_start, TimestampMs previous, TimestampMs start, TimestampMs time) {
  // No start, an invalid one, or the OpenTelemetry sign for an unknown one.
  if (start == 0 || start >= time) return false;
  if (start != previous) return start > previous;
  // The start touches the sample before: a delta series, unless that sample's own start is unknown or invalid.
  if (previous_start > previous) return false;
  return previous_start != 0 && previous_start != previous;
}

double Interpolate(TimestampMs t1, double v1, TimestampMs t2, double v2, TimestampMs t, bool counter) {
  if (counter && v2 < v1) v1 = 0;
  return v1 + (v2 - v1) * static_cast<double>(t - t1) / static_cast<double>(t2 - t1);
}

std::optional<FloatHistogram> InterpolateHistograms(const HistogramPoint& a, const HistogramPoint& b, TimestampMs t,
                                                    bool counter, RangeContext& context) {
  if (t == a.t) return *a.h;
  if (t == b.t) return *b.h;
  const double fraction = static_cast<double>(t - a.t) / static_cast<double>(b.t - a.t);
  FloatHistogram result = *b.h;
  if (counter && DetectReset(*b.h, *a.h)) {
    Multiply(result, fraction);
    return result;
  }
  if (!SubtractAnnotated(result, *a.h, context)) return std::nullopt;
  Multiply(result, fraction);
  if (!AddAnnotated(result, *a.h, context)) return std::nullopt;
  return result;
}

ExtendedFloats ExtendFloats(std::span<const TimestampMs> t, std::span<const double> v, TimestampMs range_start,
                            TimestampMs range_end, bool smoothed) {
  ExtendedFloats out;
  if (t.empty()) return out;
  const auto [first, last] = FindEdges(
      t.size(), [&](size_t i) { return t[i]; }, range_start, range_end, smoothed);
  if (t[last] <= range_start) return out;
  out.t.push_back(range_start);
  out.v.push_back(LeftValue(t, v, first, range_start, smoothed, false));
  const size_t begin = t[first] <= range_start ? first + 1 : first;
  const size_t end = t[last] >= range_end ? last : last + 1;
  for (size_t i = begin; i < end; ++i) {
    out.t.push_back(t[i]);
    out.v.push_back(v[i]);
  }
  out.t.push_back(range_end);
  out.v.push_back(RightValue(t, v, last, range_end, smoothed, false));
  return out;
}

StepValue Rate(const Window& window, RangeContext& context) { return Extrapolated(window, true, true, context); }
StepValue Increase(const Window& window, RangeContext& context) { return Extrapolated(window, true, false, context); }
StepValue Delta(const Window& window, RangeContext& context) { return Extrapolated(window, false, false, context); }
StepValue Irate(const Window& window, RangeContext& context) { return Instantaneous(window, true, context); }
StepValue Idelta(const Window& window, RangeContext& context) { return Instantaneous(window, false, context); }

}  // namespace epi::promql
