#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram_math.h"
#include "model/histogram_reset.h"
#include "model/histogram_resolution.h"
#include "model/kahan_sum.h"
#include "naive/functions.h"

namespace epi::naive {
namespace {

using promql::FunctionId;
using Answer = Result<std::optional<Sample>>;
using Args = std::vector<double>;

Answer None() { return std::optional<Sample>(); }
Answer Float(double v) { return std::optional(Sample{v, nullptr}); }
Answer Histogram(FloatHistogram h) { return std::optional(Sample{0, std::make_shared<FloatHistogram>(std::move(h))}); }

bool IsGauge(const TimedSample& p) { return p.h->counter_reset_hint == CounterResetHint::kGauge; }
void NoteNotCounter(const Window& w) {
  w.notes->Warn("this native histogram metric is not a counter: " + QuotedName(w.metric));
}
void NoteNotGauge(const Window& w) {
  w.notes->Warn("this native histogram metric is not a gauge: " + QuotedName(w.metric));
}

// Last minus first, in the coarsest schema, plus what was lost at counter resets. Nothing when schemas do not mix:
// then that is the only note, unless the first and the last already differ.
std::optional<FloatHistogram> HistogramIncrease(const Window& w, bool counter) {
  const std::vector<TimedSample>& points = w.histograms;
  const auto mixed = [&] {
    w.notes->MixedBuckets(w.metric);
    return std::nullopt;
  };
  FloatHistogram previous = *points.front().h;
  const FloatHistogram& last = *points.back().h;
  bool gauge = counter && (IsGauge(points.front()) || IsGauge(points.back()));
  if (counter && DetectReset(*points[1].h, previous)) {
    previous = FloatHistogram();
    previous.schema = points[1].h->schema;
    previous.custom_values = points[1].h->custom_values;
  }
  const bool custom = IsCustomBucketsSchema(previous.schema);
  if (IsCustomBucketsSchema(last.schema) != custom) {
    if (gauge) NoteNotCounter(w);
    return mixed();
  }
  int32_t schema = std::min(last.schema, previous.schema);
  for (size_t i = 1; counter && i + 1 < points.size(); ++i) {
    gauge = gauge || IsGauge(points[i]);
    schema = std::min(schema, points[i].h->schema);
    if (IsCustomBucketsSchema(points[i].h->schema) != custom) return mixed();
  }
  FloatHistogram h = CopyToSchema(last, schema);
  const auto difference = Subtract(h, previous);
  if (!difference) return mixed();
  bool reconciled_added = false;
  for (size_t i = 1; counter && i < points.size(); ++i) {
    if (DetectReset(*points[i].h, previous)) {
      const auto sum = Add(h, previous);
      if (!sum) return mixed();
      reconciled_added = reconciled_added || sum->bounds_reconciled;
    }
    previous = *points[i].h;
  }
  if (difference->bounds_reconciled) w.notes->Reconciled("subtraction");
  if (reconciled_added) w.notes->Reconciled("addition");
  if (gauge) NoteNotCounter(w);
  if (!counter && (!IsGauge(points.front()) || !IsGauge(points.back()))) NoteNotGauge(w);
  h.counter_reset_hint = CounterResetHint::kGauge;
  Compact(h);
  return h;
}

// Functions of one kind of samples or the other.
bool BothKinds(const Window& w) {
  if (w.floats.empty() || w.histograms.empty()) return false;
  w.notes->MixedKinds("metric name " + QuotedName(w.metric));
  return true;
}

// Functions of floats alone.
bool HasFloats(const Window& w) {
  if (w.floats.empty()) return false;
  if (!w.histograms.empty()) w.notes->HistogramsIgnored(w.metric);
  return true;
}
bool HasTwoFloats(const Window& w) { return HasFloats(w) && w.floats.size() >= 2; }

Answer Extrapolated(const Window& w, bool counter, bool per_second) {
  if (BothKinds(w)) return None();
  const auto& points = w.floats.empty() ? w.histograms : w.floats;
  if (points.size() < 2) return None();
  double increase = 0;
  double first_count = 0;
  double increase_count = 0;
  std::optional<FloatHistogram> h;
  if (w.floats.empty()) {
    h = HistogramIncrease(w, counter);
    if (!h) return None();
    first_count = points.front().h->count;
    increase_count = h->count;
  } else {
    increase = points.back().v - points.front().v;
    for (size_t i = 1; counter && i < points.size(); ++i) {
      if (points[i].v < points[i - 1].v) increase += points[i - 1].v;
    }
    first_count = points.front().v;
    increase_count = increase;
  }
  double to_start = static_cast<double>(points.front().t - w.start) / 1000;
  double to_end = static_cast<double>(w.end - points.back().t) / 1000;
  const double sampled = static_cast<double>(points.back().t - points.front().t) / 1000;
  const double average = sampled / static_cast<double>(points.size() - 1);
  const double threshold = average * 1.1;
  if (to_start >= threshold) to_start = average / 2;
  if (counter && increase_count > 0 && first_count >= 0) {
    const double to_zero = sampled * (first_count / increase_count);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= threshold) to_end = average / 2;
  double factor = sampled == 0 ? 1 : (sampled + to_start + to_end) / sampled;
  if (per_second) factor /= w.range_seconds;
  if (!h) return Float(increase * factor);
  Multiply(*h, factor);
  return Histogram(std::move(*h));
}

Answer Instant(const Window& w, bool counter) {
  if (w.all.size() < 2) return None();
  const TimedSample& a = w.all[w.all.size() - 2];
  const TimedSample& b = w.all.back();
  if ((a.h == nullptr) != (b.h == nullptr)) {
    w.notes->MixedKinds("metric name " + QuotedName(w.metric));
    return None();
  }
  const double seconds = static_cast<double>(b.t - a.t) / 1000;
  if (b.h == nullptr) {
    double result = counter && b.v < a.v ? b.v : b.v - a.v;
    if (counter) result /= seconds;
    return Float(result);
  }
  if (counter && (IsGauge(a) || IsGauge(b))) NoteNotCounter(w);
  if (!counter && (!IsGauge(a) || !IsGauge(b))) NoteNotGauge(w);
  FloatHistogram h = *b.h;
  if (!(counter && DetectReset(*b.h, *a.h))) {
    const auto difference = Subtract(h, *a.h);
    if (!difference) {
      w.notes->MixedBuckets(w.metric);
      return None();
    }
    if (difference->bounds_reconciled) w.notes->Reconciled("subtraction");
  }
  h.counter_reset_hint = CounterResetHint::kGauge;
  Compact(h);
  if (counter) Divide(h, seconds);
  return Histogram(std::move(h));
}

// Whether histograms add up; what is to be said about it goes to the window's notes.
bool NoteAddition(const Window& w, const Result<HistogramAddition>& done) {
  if (!done) {
    w.notes->MixedBuckets(w.metric);
    return false;
  }
  if (done->bounds_reconciled) w.notes->Reconciled("aggregation");
  return true;
}

void NoteConflicts(const Window& w) {
  const auto has = [&](CounterResetHint hint) {
    return std::any_of(w.histograms.begin(), w.histograms.end(),
                       [hint](const TimedSample& p) { return p.h->counter_reset_hint == hint; });
  };
  if (has(CounterResetHint::kReset) && has(CounterResetHint::kNotReset)) w.notes->ConflictingResets("aggregation");
}

Answer SumHistograms(const Window& w) {
  FloatHistogram sum = *w.histograms.front().h;
  if (w.histograms.size() == 1) return Histogram(std::move(sum));
  FloatHistogram compensation = CompensationFor(sum);
  for (size_t i = 1; i < w.histograms.size(); ++i) {
    if (!NoteAddition(w, KahanAdd(sum, *w.histograms[i].h, compensation))) return None();
  }
  static_cast<void>(Add(sum, compensation));
  NoteConflicts(w);
  return Histogram(std::move(sum));
}

Answer SumOverTime(const Window& w, const Args&) {
  if (BothKinds(w)) return None();
  if (!w.histograms.empty()) return SumHistograms(w);
  KahanSum sum;
  for (const auto& p : w.floats) sum.Add(p.v);
  return Float(std::isinf(sum.sum) ? sum.sum : sum.Total());
}

Answer AverageHistograms(const Window& w) {
  const std::vector<TimedSample>& points = w.histograms;
  FloatHistogram sum = *points.front().h;
  std::optional<FloatHistogram> compensation;
  std::optional<FloatHistogram> mean;  // set: the running mean, after the sum became too large
  double count = 1;
  for (size_t i = 1; i < points.size(); ++i) {
    count = static_cast<double>(i + 1);
    if (!mean) {
      FloatHistogram next = sum;
      FloatHistogram next_compensation = compensation ? *compensation : CompensationFor(sum);
      if (!NoteAddition(w, KahanAdd(next, *points[i].h, next_compensation))) return None();
      if (!HasOverflow(next)) {
        sum = std::move(next);
        compensation = std::move(next_compensation);
        continue;
      }
      mean = sum;
      Divide(*mean, count - 1);
      if (compensation) Divide(*compensation, count - 1);
    }
    const double share = (count - 1) / count;
    if (compensation) Multiply(*compensation, share);
    FloatHistogram part = *points[i].h;
    Divide(part, count);
    Multiply(*mean, share);
    if (!compensation) compensation = CompensationFor(*mean);
    if (!NoteAddition(w, KahanAdd(*mean, part, *compensation))) return None();
  }
  FloatHistogram result = mean ? *mean : sum;
  if (!mean) Divide(result, count);
  if (compensation) {
    if (!mean) Divide(*compensation, count);
    static_cast<void>(Add(result, *compensation));
  }
  NoteConflicts(w);
  return Histogram(std::move(result));
}

Answer AvgOverTime(const Window& w, const Args&) {
  if (w.all.empty() || BothKinds(w)) return None();
  if (!w.histograms.empty()) return AverageHistograms(w);
  KahanSum sum{w.floats.front().v, 0};
  bool incremental = false;
  double count = 1;
  for (size_t i = 1; i < w.floats.size(); ++i) {
    count = static_cast<double>(i + 1);
    if (!incremental) {
      KahanSum next = sum;
      next.Add(w.floats[i].v);
      if (!std::isinf(next.sum)) {
        sum = next;
        continue;
      }
      incremental = true;
      sum.sum /= count - 1;
      sum.compensation /= count - 1;
    }
    const double share = (count - 1) / count;
    sum = {share * sum.sum, share * sum.compensation};
    sum.Add(w.floats[i].v / count);
  }
  return Float(incremental ? sum.sum + sum.compensation : sum.sum / count + sum.compensation / count);
}

Answer Extreme(const Window& w, bool (*better)(double, double), bool time) {
  if (!HasFloats(w)) return None();
  TimedSample best = w.floats.front();
  for (const auto& p : w.floats) {
    if (better(p.v, best.v)) best = p;
  }
  return Float(time ? static_cast<double>(best.t) / 1000 : best.v);
}

double VarianceOf(const std::vector<TimedSample>& points) {
  double count = 0;
  KahanSum mean;
  KahanSum squares;
  for (const auto& p : points) {
    ++count;
    const double delta = p.v - mean.Total();
    mean.Add(delta / count);
    squares.Add(delta * (p.v - mean.Total()));
  }
  return squares.Total() / count;
}

struct Line {
  double slope = 0;
  double intercept = 0;
};
Line Regression(const std::vector<TimedSample>& points, TimestampMs origin) {
  const double first = points.front().v;
  if (std::all_of(points.begin() + 1, points.end(), [first](const TimedSample& p) { return p.v == first; })) {
    if (std::isinf(first)) return {std::nan(""), std::nan("")};
    return {0, first};
  }
  KahanSum x;
  KahanSum y;
  KahanSum xy;
  KahanSum xx;
  for (const auto& p : points) {
    const double at = static_cast<double>(p.t - origin) / 1e3;
    x.Add(at);
    y.Add(p.v);
    xy.Add(at * p.v);
    xx.Add(at * at);
  }
  const double n = static_cast<double>(points.size());
  const double covariance = xy.Total() - x.Total() * y.Total() / n;
  const double variance = xx.Total() - x.Total() * x.Total() / n;
  const double slope = covariance / variance;
  return {slope, y.Total() / n - slope * x.Total() / n};
}

Answer Smoothing(const Window& w, const Args& args) {
  const double sf = args[0];
  const double tf = args[1];
  if (sf <= 0 || sf >= 1) return Fail(ErrorCode::kExecution, "invalid smoothing factor");
  if (tf <= 0 || tf >= 1) return Fail(ErrorCode::kExecution, "invalid trend factor");
  if (!HasTwoFloats(w)) return None();
  double before = 0;
  double smoothed = w.floats[0].v;
  double trend = w.floats[1].v - w.floats[0].v;
  for (size_t i = 1; i < w.floats.size(); ++i) {
    const double x = sf * w.floats[i].v;
    if (i > 1) trend = tf * (smoothed - before) + (1 - tf) * trend;
    const double y = (1 - sf) * (smoothed + trend);
    before = smoothed;
    smoothed = x + y;
  }
  return Float(smoothed);
}

std::vector<double> Values(const std::vector<TimedSample>& points) {
  std::vector<double> out;
  for (const auto& p : points) out.push_back(p.v);
  return out;
}

Answer Mad(const Window& w, const Args&) {
  if (!HasFloats(w)) return None();
  std::vector<double> values = Values(w.floats);
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) return Float(std::nan(""));
  const double median = QuantileOf(0.5, values);
  for (double& v : values) v = std::fabs(v - median);
  return Float(QuantileOf(0.5, std::move(values)));
}

Answer CountPairs(const Window& w, bool (*counts)(const TimedSample& before, const TimedSample& now)) {
  if (w.all.empty()) return None();
  int n = 0;
  for (size_t i = 1; i < w.all.size(); ++i) n += counts(w.all[i - 1], w.all[i]) ? 1 : 0;
  return Float(n);
}

bool Changed(const TimedSample& before, const TimedSample& now) {
  if ((before.h == nullptr) != (now.h == nullptr)) return true;
  if (now.h != nullptr) return !SameData(*now.h, *before.h);
  return now.v != before.v && !(std::isnan(now.v) && std::isnan(before.v));
}
bool WasReset(const TimedSample& before, const TimedSample& now) {
  if ((before.h == nullptr) != (now.h == nullptr)) return true;
  return now.h != nullptr ? DetectReset(*now.h, *before.h) : now.v < before.v;
}

struct FunctionRow {
  FunctionId id;
  RangeFunction function;
};

const FunctionRow kFunctions[] = {
    {FunctionId::kRate, [](const Window& w, const Args&) { return Extrapolated(w, true, true); }},
    {FunctionId::kIncrease, [](const Window& w, const Args&) { return Extrapolated(w, true, false); }},
    {FunctionId::kDelta, [](const Window& w, const Args&) { return Extrapolated(w, false, false); }},
    {FunctionId::kIrate, [](const Window& w, const Args&) { return Instant(w, true); }},
    {FunctionId::kIdelta, [](const Window& w, const Args&) { return Instant(w, false); }},
    {FunctionId::kSumOverTime, SumOverTime},
    {FunctionId::kAvgOverTime, AvgOverTime},
    {FunctionId::kMadOverTime, Mad},
    {FunctionId::kDoubleExponentialSmoothing, Smoothing},
    {FunctionId::kCountOverTime,
     [](const Window& w, const Args&) { return w.all.empty() ? None() : Float(static_cast<double>(w.all.size())); }},
    {FunctionId::kPresentOverTime, [](const Window& w, const Args&) { return w.all.empty() ? None() : Float(1); }},
    {FunctionId::kFirstOverTime,
     [](const Window& w, const Args&) -> Answer {
       if (w.all.empty()) return None();
       return std::optional(Sample{w.all.front().v, w.all.front().h});
     }},
    {FunctionId::kLastOverTime,
     [](const Window& w, const Args&) -> Answer {
       if (w.all.empty()) return None();
       return std::optional(Sample{w.all.back().v, w.all.back().h});
     }},
    {FunctionId::kTsOfFirstOverTime,
     [](const Window& w, const Args&) {
       return w.all.empty() ? None() : Float(static_cast<double>(w.all.front().t) / 1000);
     }},
    {FunctionId::kTsOfLastOverTime,
     [](const Window& w, const Args&) {
       if (w.all.empty()) return None();
       // Before 1970 Prometheus answers 0 unless there are samples of both kinds.
       const bool both = !w.floats.empty() && !w.histograms.empty();
       const TimestampMs t = both ? w.all.back().t : std::max<TimestampMs>(w.all.back().t, 0);
       return Float(static_cast<double>(t) / 1000);
     }},
    {FunctionId::kMaxOverTime,
     [](const Window& w, const Args&) {
       return Extreme(
           w, [](double v, double best) { return v > best || std::isnan(best); }, false);
     }},
    {FunctionId::kMinOverTime,
     [](const Window& w, const Args&) {
       return Extreme(
           w, [](double v, double best) { return v < best || std::isnan(best); }, false);
     }},
    {FunctionId::kTsOfMaxOverTime,
     [](const Window& w, const Args&) {
       return Extreme(
           w, [](double v, double best) { return v >= best || std::isnan(best); }, true);
     }},
    {FunctionId::kTsOfMinOverTime,
     [](const Window& w, const Args&) {
       return Extreme(
           w, [](double v, double best) { return v <= best || std::isnan(best); }, true);
     }},
    {FunctionId::kStdvarOverTime,
     [](const Window& w, const Args&) { return HasFloats(w) ? Float(VarianceOf(w.floats)) : None(); }},
    {FunctionId::kStddevOverTime,
     [](const Window& w, const Args&) { return HasFloats(w) ? Float(std::sqrt(VarianceOf(w.floats))) : None(); }},
    {FunctionId::kQuantileOverTime,
     [](const Window& w, const Args& args) {
       if (!HasFloats(w)) return None();
       if (!(args[0] >= 0 && args[0] <= 1)) w.notes->BadQuantile(args[0]);
       return Float(QuantileOf(args[0], Values(w.floats)));
     }},
    {FunctionId::kDeriv,
     [](const Window& w, const Args&) {
       return !HasTwoFloats(w) ? None() : Float(Regression(w.floats, w.floats.front().t).slope);
     }},
    {FunctionId::kPredictLinear,
     [](const Window& w, const Args& args) {
       if (!HasTwoFloats(w)) return None();
       const Line line = Regression(w.floats, w.time);
       return Float(line.slope * args[0] + line.intercept);
     }},
    {FunctionId::kChanges, [](const Window& w, const Args&) { return CountPairs(w, Changed); }},
    {FunctionId::kResets, [](const Window& w, const Args&) { return CountPairs(w, WasReset); }},
};

}  // namespace

RangeFunction FindRangeFunction(FunctionId id) {
  for (const FunctionRow& row : kFunctions) {
    if (row.id == id) return row.function;
  }
  return nullptr;
}

}  // namespace epi::naive
