#include "promql/functions/native_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram_buckets.h"
#include "model/kahan_sum.h"
#include "model/log2.h"
#include "model/sample.h"

namespace epi::promql {
namespace {

constexpr double kInfiniteBucket = std::numeric_limits<double>::infinity();

double Count(const FloatHistogram& h) { return h.count; }
double Sum(const FloatHistogram& h) { return h.sum; }
double Average(const FloatHistogram& h) { return h.sum / h.count; }

// Where the observations of a bucket are taken to lie.
double Centre(const Bucket& b, bool custom) {
  if (custom) return (b.upper + b.lower) / 2.0;
  if (b.lower <= 0 && b.upper >= 0) return 0;
  const double geometric = std::sqrt(b.upper * b.lower);
  return b.upper < 0 ? -geometric : geometric;
}

double Variance(const FloatHistogram& h) {
  const double mean = h.sum / h.count;
  const bool custom = IsCustomBucketsSchema(h.schema);
  KahanSum variance;
  for (const Bucket& b : AllBuckets(h)) {
    if (b.count == 0) continue;
    const double delta = Centre(b, custom) - mean;
    variance.Add(b.count * delta * delta);
  }
  return variance.Total() / h.count;
}

double StandardDeviation(const FloatHistogram& h) { return std::sqrt(Variance(h)); }

struct KernelRow {
  FunctionId id;
  HistogramKernel kernel;
};
constexpr KernelRow kKernels[] = {
    {FunctionId::kHistogramAvg, Average},     {FunctionId::kHistogramCount, Count},
    {FunctionId::kHistogramSum, Sum},         {FunctionId::kHistogramStddev, StandardDeviation},
    {FunctionId::kHistogramStdvar, Variance},
};

// The bounds of a bucket around zero: 0 where the histogram has no buckets on one side but some on the other.
void CutAtZero(Bucket& b, const FloatHistogram& h) {
  if (h.negative_buckets.empty() && !h.positive_buckets.empty()) b.lower = 0;
  if (h.positive_buckets.empty() && !h.negative_buckets.empty()) b.upper = 0;
}

double InterpolateInBucket(const Bucket& b, double fraction, bool linear) {
  if (linear) return b.lower + (b.upper - b.lower) * fraction;
  const double log_lower = Log2(std::fabs(b.lower));
  const double log_upper = Log2(std::fabs(b.upper));
  if (b.lower > 0) return std::exp2(log_lower + (log_upper - log_lower) * fraction);
  return -std::exp2(log_upper + (log_lower - log_upper) * (1 - fraction));
}

// The first populated bucket at which the counts, added up from one end, reach `rank`; or the last one looked at.
struct Reached {
  size_t at = 0;
  double count = 0;  // up to and including that bucket
  bool any = false;
};
Reached WalkTo(const BucketSequence& buckets, double rank, bool forward) {
  Reached out;
  for (size_t i = 0; i < buckets.size(); ++i) {
    out.at = forward ? i : buckets.size() - 1 - i;
    out.any = true;
    const double count = buckets.count(out.at);
    if (count == 0) continue;
    out.count += count;
    if (out.count >= rank) break;
  }
  return out;
}

// One end of the interval of a fraction: the rank at it, once it is found.
struct End {
  double value;
  double rank = 0;
  bool found = false;

  void LookAt(const Bucket& b, double rank_before, bool linear) {
    if (found) return;
    if (b.lower >= value) {
      rank = rank_before;
      found = true;
    } else if (b.upper > value) {
      // Nothing can be said about the inside of a bucket without an end; it counts as if its upper bound were met.
      rank = linear && b.lower == -kInfiniteBucket ? b.count : rank_before + b.count * b.FractionBelow(value, linear);
      found = true;
    }
  }
};

}  // namespace

HistogramKernel FindHistogramKernel(FunctionId id) {
  const auto row =
      std::find_if(std::begin(kKernels), std::end(kKernels), [id](const KernelRow& k) { return k.id == id; });
  return row == std::end(kKernels) ? nullptr : row->kernel;
}

HistogramAnswer HistogramQuantile(double q, const FloatHistogram& h) {
  if (q < 0) return {-kInfiniteBucket};
  if (q > 1) return {kInfiniteBucket};
  if (h.count == 0 || std::isnan(q)) return {NormalNaN()};
  const bool custom = IsCustomBucketsSchema(h.schema);
  // NaN observations stand above all buckets, so ranks are only right from below when there may be some.
  const bool forward = std::isnan(h.sum) || q < 0.5;
  double rank = forward ? q * h.count : (1 - q) * h.count;
  const BucketSequence buckets(h);
  Reached reached = WalkTo(buckets, rank, forward);
  Bucket b = reached.any ? buckets.bucket(reached.at) : Bucket();

  if (!custom && b.lower < 0 && b.upper > 0) {
    CutAtZero(b, h);
  } else if (custom && b.lower == -kInfiniteBucket) {
    if (b.upper <= 0) return {b.upper};
    b.lower = 0;
  } else if (custom && b.upper == kInfiniteBucket) {
    return {b.lower};
  }
  reached.count = reached.count > h.count ? h.count : reached.count;  // rounding may have gone beyond
  if (reached.count < rank) {
    if (std::isnan(h.sum)) return {NormalNaN(), NaNEffect::kResult};
    return {b.upper};
  }
  rank = forward ? rank - (reached.count - b.count) : reached.count - rank;
  NaNEffect nan = NaNEffect::kNone;
  if (std::isnan(h.sum)) {
    // The sum is NaN after opposite infinities, too; a count above that of the buckets tells.
    double total = reached.count;
    for (size_t i = reached.at + 1; i < buckets.size(); ++i) {
      total += buckets.count(i);
      b = buckets.bucket(i);  // Prometheus goes on with the last bucket here
    }
    if (total < h.count) nan = NaNEffect::kSkew;
  }
  return {InterpolateInBucket(b, rank / b.count, custom || (b.lower <= 0 && b.upper >= 0)), nan};
}

HistogramAnswer HistogramFraction(double lower, double upper, const FloatHistogram& h) {
  if (h.count == 0 || std::isnan(lower) || std::isnan(upper)) return {NormalNaN()};
  if (lower >= upper) return {0};
  End low{lower};
  End high{upper};
  double rank = 0;
  double in_buckets = 0;
  const BucketSequence buckets(h);
  for (size_t i = 0; i < buckets.size(); ++i) {
    in_buckets += buckets.count(i);
    if (low.found && high.found) continue;
    Bucket b = buckets.bucket(i);
    const bool around_zero = b.lower <= 0 && b.upper >= 0;
    if (around_zero) CutAtZero(b, h);
    const bool linear = around_zero || IsCustomBucketsSchema(h.schema);
    low.LookAt(b, rank, linear);
    high.LookAt(b, rank, linear);
    rank += b.count;
  }
  NaNEffect nan = NaNEffect::kNone;
  double count = h.count;
  if (std::isnan(h.sum)) {
    count = in_buckets;
    if (count < h.count) nan = NaNEffect::kExcluded;
  }
  if (!low.found || low.rank > count) low.rank = count;
  if (!high.found || high.rank > count) high.rank = count;
  return {(high.rank - low.rank) / h.count, nan};
}

}  // namespace epi::promql
