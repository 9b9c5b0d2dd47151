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

// h += other or h -= other; with compensation when `compensation` is given, which only additions have.
class Combination {
 public:
  Combination(FloatHistogram& h, const FloatHistogram& other, bool subtract, FloatHistogram* compensation)
      : h_(h), other_(other), subtract_(subtract), compensation_(compensation) {}

  Result<HistogramAddition> Run() {
    const bool custom = IsCustomBucketsSchema(h_.schema);
    if (custom != IsCustomBucketsSchema(other_.schema)) {
      return Fail(ErrorCode::kInvalid,
                  "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas");
    }
    HistogramAddition report;
    report.counter_reset_collision = CombineHints(h_.counter_reset_hint, other_.counter_reset_hint);
    if (!custom) CombineZeroBuckets();
    Combine(other_.count, h_.count, compensation_ != nullptr ? &compensation_->count : nullptr);
    Combine(other_.sum, h_.sum, compensation_ != nullptr ? &compensation_->sum : nullptr);
    if (custom) {
      report.bounds_reconciled = CombineCustomSides();
    } else {
      CombineExponentialSides();
    }
    if (compensation_ != nullptr) {
      compensation_->schema = h_.schema;
      compensation_->zero_threshold = h_.zero_threshold;
      compensation_->custom_values = h_.custom_values;
      compensation_->positive_spans = h_.positive_spans;
      compensation_->negative_spans = h_.negative_spans;
    }
    return report;
  }

 private:
  void Combine(double value, double& sum, double* term) const {
    if (subtract_) {
      sum -= value;
    } else if (term == nullptr) {
      sum += value;
    } else {
      KahanAdd(value, sum, *term);
    }
  }

  void CombineZeroBuckets() {
    const WiderZeroBucket zero = ReconcileZeroBuckets(h_, other_, compensation_);
    double* term = compensation_ != nullptr ? &compensation_->zero_count : nullptr;
    Combine(zero.count, h_.zero_count, term);
    if (term != nullptr) Combine(zero.compensation, h_.zero_count, term);
  }

  // Whether the bounds differed.
  bool CombineCustomSides() {
    std::vector<double>* terms = compensation_ != nullptr ? &compensation_->positive_buckets : nullptr;
    const SideAddend addend{other_.positive_spans, other_.positive_buckets, nullptr, subtract_};
    if (SameCustomBounds(h_.custom_values, other_.custom_values)) {
      AddSide(h_.positive_spans, h_.positive_buckets, terms, addend);
      return false;
    }
    std::vector<double> common = CommonCustomBounds(h_.custom_values, other_.custom_values);
    AddCustomSide(h_.positive_spans, h_.positive_buckets, terms, h_.custom_values, addend, other_.custom_values,
                  common);
    h_.custom_values = std::move(common);
    return true;
  }

  void CombineExponentialSides() {
    FloatHistogram reduced;  // a finer addend in the schema of h
    std::vector<double> positive_terms;
    std::vector<double> negative_terms;
    const bool finer = other_.schema > h_.schema;
    if (finer) {
      reduced = other_;
      positive_terms.resize(other_.positive_buckets.size());
      negative_terms.resize(other_.negative_buckets.size());
      Reduce(reduced, positive_terms, negative_terms, h_.schema);
    } else if (other_.schema < h_.schema) {
      ReduceOwn();
    }
    const FloatHistogram& from = finer ? reduced : other_;
    const bool with_terms = finer && compensation_ != nullptr;
    AddSide(h_.positive_spans, h_.positive_buckets,
            compensation_ != nullptr ? &compensation_->positive_buckets : nullptr,
            {from.positive_spans, from.positive_buckets, with_terms ? &positive_terms : nullptr, subtract_,
             BucketsInside(from.positive_spans, from.positive_buckets.size(), h_.schema, h_.zero_threshold)});
    AddSide(h_.negative_spans, h_.negative_buckets,
            compensation_ != nullptr ? &compensation_->negative_buckets : nullptr,
            {from.negative_spans, from.negative_buckets, with_terms ? &negative_terms : nullptr, subtract_,
             BucketsInside(from.negative_spans, from.negative_buckets.size(), h_.schema, h_.zero_threshold)});
  }

  void ReduceOwn() {
    if (compensation_ != nullptr) {
      Reduce(h_, compensation_->positive_buckets, compensation_->negative_buckets, other_.schema);
      return;
    }
    const CounterResetHint hint = h_.counter_reset_hint;
    h_ = CopyToSchema(h_, other_.schema);
    h_.counter_reset_hint = hint;
  }

  // Without compensation the terms are filled in all the same and then forgotten: sums do not depend on them.
  static void Reduce(FloatHistogram& h, std::vector<double>& positive_terms, std::vector<double>& negative_terms,
                     int32_t schema) {
    ReduceSideCompensated(h.positive_spans, h.positive_buckets, positive_terms, h.schema, schema);
    ReduceSideCompensated(h.negative_spans, h.negative_buckets, negative_terms, h.schema, schema);
    h.schema = schema;
  }

  FloatHistogram& h_;
  const FloatHistogram& other_;
  const bool subtract_;
  FloatHistogram* const compensation_;
};

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
  return Combination(h, other, false, nullptr).Run();
}
Result<HistogramAddition> Subtract(FloatHistogram& h, const FloatHistogram& other) {
  return Combination(h, other, true, nullptr).Run();
}
Result<HistogramAddition> KahanAdd(FloatHistogram& h, const FloatHistogram& other, FloatHistogram& compensation) {
  return Combination(h, other, false, &compensation).Run();
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
