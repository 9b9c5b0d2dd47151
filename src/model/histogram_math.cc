#include "model/histogram_math.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/histogram_bounds.h"
#include "model/histogram_buckets.h"
#include "model/histogram_layout.h"
#include "model/histogram_resolution.h"
#include "model/histogram_zero_bucket.h"
#include "model/kahan_sum.h"

namespace epi {
namespace {

// Returns whether the hints collide.
bool CombineHints(CounterResetHint& mine, CounterResetHint theirs) {
  if (mine == theirs || mine == CounterResetHint::kGauge) return false;
  if (theirs == CounterResetHint::kGauge) {
    mine = CounterResetHint::kGauge;
    return false;
  }
  const bool collision = mine != CounterResetHint::kUnknown && theirs != CounterResetHint::kUnknown;
  mine = CounterResetHint::kUnknown;
  return collision;
}

// How many buckets at the beginning of a side end inside the zero bucket. Their counts are in the zero count already.
size_t BucketsInside(const std::vector<HistogramSpan>& spans, size_t buckets, int32_t schema, double threshold) {
  size_t inside = 0;
  for (SpanWalk at(spans, buckets); at.Next() && ExponentialBound(at.index(), schema) <= threshold;) ++inside;
  return inside;
}

bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }
bool SameBits(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return SameBits(x, y); });
}

// h ± other; with compensation when `compensation` is given.
Result<HistogramAddition> Combine(FloatHistogram& h, const FloatHistogram& other, bool subtract,
                                  FloatHistogram* compensation) {
  const bool custom = IsCustomBucketsSchema(h.schema);
  if (custom != IsCustomBucketsSchema(other.schema)) {
    return Fail(ErrorCode::kInvalid,
                "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas");
  }
  HistogramAddition report;
  report.counter_reset_collision = CombineHints(h.counter_reset_hint, other.counter_reset_hint);
  const auto add = [subtract](double value, double& sum, double* term) {
    if (subtract) {
      sum -= value;
    } else if (term == nullptr) {
      sum += value;
    } else {
      KahanAdd(value, sum, *term);
    }
  };
  if (!custom) {
    const WiderZeroBucket zero = ReconcileZeroBuckets(h, other, compensation);
    double* term = compensation != nullptr ? &compensation->zero_count : nullptr;
    add(zero.count, h.zero_count, term);
    if (term != nullptr) add(zero.compensation, h.zero_count, term);
  }
  add(other.count, h.count, compensation != nullptr ? &compensation->count : nullptr);
  add(other.sum, h.sum, compensation != nullptr ? &compensation->sum : nullptr);

  std::vector<double>* positive_terms = compensation != nullptr ? &compensation->positive_buckets : nullptr;
  std::vector<double>* negative_terms = compensation != nullptr ? &compensation->negative_buckets : nullptr;
  if (custom) {
    const SideAddend addend{other.positive_spans, other.positive_buckets, nullptr, subtract};
    if (SameCustomBounds(h.custom_values, other.custom_values)) {
      AddSide(h.positive_spans, h.positive_buckets, positive_terms, addend);
    } else {
      report.bounds_reconciled = true;
      std::vector<double> common = CommonCustomBounds(h.custom_values, other.custom_values);
      AddCustomSide(h.positive_spans, h.positive_buckets, positive_terms, h.custom_values, addend, other.custom_values,
                    common);
      h.custom_values = std::move(common);
    }
    if (compensation != nullptr) {
      compensation->positive_spans = h.positive_spans;
      compensation->custom_values = h.custom_values;
    }
    return report;
  }

  // A finer addend is reduced in a copy, with compensation terms of its own when they count.
  FloatHistogram reduced;
  std::vector<double> reduced_positive_terms;
  std::vector<double> reduced_negative_terms;
  const FloatHistogram* addend = &other;
  if (other.schema > h.schema) {
    if (compensation == nullptr) {
      reduced = CopyToSchema(other, h.schema);
    } else {
      reduced = other;
      reduced_positive_terms.resize(other.positive_buckets.size());
      reduced_negative_terms.resize(other.negative_buckets.size());
      ReduceSideCompensated(reduced.positive_spans, reduced.positive_buckets, reduced_positive_terms, other.schema,
                            h.schema);
      ReduceSideCompensated(reduced.negative_spans, reduced.negative_buckets, reduced_negative_terms, other.schema,
                            h.schema);
    }
    addend = &reduced;
  } else if (other.schema < h.schema) {
    if (compensation != nullptr) {
      ReduceSideCompensated(h.positive_spans, h.positive_buckets, *positive_terms, h.schema, other.schema);
      ReduceSideCompensated(h.negative_spans, h.negative_buckets, *negative_terms, h.schema, other.schema);
      h.schema = other.schema;
    } else {
      const CounterResetHint hint = h.counter_reset_hint;
      h = CopyToSchema(h, other.schema);
      h.counter_reset_hint = hint;
    }
  }
  const bool own_terms = addend == &reduced && compensation != nullptr;
  AddSide(h.positive_spans, h.positive_buckets, positive_terms,
          {addend->positive_spans, addend->positive_buckets, own_terms ? &reduced_positive_terms : nullptr, subtract,
           BucketsInside(addend->positive_spans, addend->positive_buckets.size(), h.schema, h.zero_threshold)});
  AddSide(h.negative_spans, h.negative_buckets, negative_terms,
          {addend->negative_spans, addend->negative_buckets, own_terms ? &reduced_negative_terms : nullptr, subtract,
           BucketsInside(addend->negative_spans, addend->negative_buckets.size(), h.schema, h.zero_threshold)});
  if (compensation != nullptr) {
    compensation->schema = h.schema;
    compensation->zero_threshold = h.zero_threshold;
    compensation->positive_spans = h.positive_spans;
    compensation->negative_spans = h.negative_spans;
  }
  return report;
}

template <typename Operation>
void ForEachCount(FloatHistogram& h, Operation operation) {
  operation(h.zero_count);
  operation(h.count);
  operation(h.sum);
  for (double& count : h.positive_buckets) operation(count);
  for (double& count : h.negative_buckets) operation(count);
}

template <typename H>
bool SameShape(const H& a, const H& b) {
  if (a.schema != b.schema || !SameBits(a.sum, b.sum) || a.zero_threshold != b.zero_threshold) return false;
  if (IsCustomBucketsSchema(a.schema) && !SameCustomBounds(a.custom_values, b.custom_values)) return false;
  return SameSpans(a.negative_spans, b.negative_spans) && SameSpans(a.positive_spans, b.positive_spans);
}

}  // namespace

Result<HistogramAddition> Add(FloatHistogram& h, const FloatHistogram& other) {
  return Combine(h, other, false, nullptr);
}
Result<HistogramAddition> Subtract(FloatHistogram& h, const FloatHistogram& other) {
  return Combine(h, other, true, nullptr);
}
Result<HistogramAddition> KahanAdd(FloatHistogram& h, const FloatHistogram& other, FloatHistogram& compensation) {
  return Combine(h, other, false, &compensation);
}

FloatHistogram CompensationFor(const FloatHistogram& h) {
  FloatHistogram out;
  out.counter_reset_hint = h.counter_reset_hint;
  out.schema = h.schema;
  out.zero_threshold = h.zero_threshold;
  out.custom_values = h.custom_values;
  out.positive_spans = h.positive_spans;
  out.negative_spans = h.negative_spans;
  out.positive_buckets.assign(h.positive_buckets.size(), 0);
  out.negative_buckets.assign(h.negative_buckets.size(), 0);
  return out;
}

void Multiply(FloatHistogram& h, double factor) {
  ForEachCount(h, [factor](double& count) { count *= factor; });
  if (factor < 0) h.counter_reset_hint = CounterResetHint::kGauge;
}

void Divide(FloatHistogram& h, double divisor) {
  ForEachCount(h, [divisor](double& count) { count /= divisor; });
  if (divisor == 0) {
    h.positive_buckets.clear();
    h.negative_buckets.clear();
    h.positive_spans.clear();
    h.negative_spans.clear();
  }
  if (divisor < 0) h.counter_reset_hint = CounterResetHint::kGauge;
}

void Compact(FloatHistogram& h, size_t max_empty_buckets) { CompactTogether(h, nullptr, max_empty_buckets); }
void Compact(Histogram& h, size_t max_empty_buckets) { CompactSides(h, max_empty_buckets); }

bool SameData(const FloatHistogram& a, const FloatHistogram& b) {
  return SameShape(a, b) && SameBits(a.count, b.count) && SameBits(a.zero_count, b.zero_count) &&
         SameBits(a.negative_buckets, b.negative_buckets) && SameBits(a.positive_buckets, b.positive_buckets);
}

bool SameData(const Histogram& a, const Histogram& b) {
  return SameShape(a, b) && a.count == b.count && a.zero_count == b.zero_count &&
         a.negative_buckets == b.negative_buckets && a.positive_buckets == b.positive_buckets;
}

size_t PrometheusSize(const FloatHistogram& h) {
  constexpr size_t kStruct = 168;  // the Go structure itself, pointer included; every element of a slice takes 8 bytes
  return kStruct + 8 * (h.positive_spans.size() + h.negative_spans.size() + h.positive_buckets.size() +
                        h.negative_buckets.size() + h.custom_values.size());
}

bool HasOverflow(const FloatHistogram& h) {
  const auto infinite = [](double v) { return std::isinf(v); };
  const auto any = [&](const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(), infinite);
  };
  return infinite(h.zero_count) || infinite(h.count) || infinite(h.sum) || any(h.positive_buckets) ||
         any(h.negative_buckets) || any(h.custom_values);
}

}  // namespace epi
