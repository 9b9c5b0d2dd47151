// Quantiles and fractions: of numbers, of native histograms, of classic ones.
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/almost_equal.h"
#include "model/histogram_buckets.h"
#include "model/kahan_sum.h"
#include "model/log2.h"
#include "naive/functions.h"

namespace epi::naive {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Of observations in buckets: all but NaN.
double CountIn(const FloatHistogram& h) {
  double count = 0;
  for (const Bucket& b : AllBuckets(h)) count += b.count;
  return count;
}

std::vector<Bucket> CutAtZero(std::vector<Bucket> buckets, const FloatHistogram& h) {
  for (Bucket& b : buckets) {
    if (!(b.lower <= 0 && b.upper >= 0)) continue;
    if (h.negative_buckets.empty() && !h.positive_buckets.empty()) b.lower = 0;
    if (h.positive_buckets.empty() && !h.negative_buckets.empty()) b.upper = 0;
  }
  return buckets;
}

bool Prepare(std::vector<LeCount>& buckets) {
  if (buckets.empty()) return false;
  std::sort(buckets.begin(), buckets.end(), [](const LeCount& a, const LeCount& b) { return a.le < b.le; });
  if (buckets.back().le != kInfinity) return false;
  std::vector<LeCount> joined;
  for (const LeCount& b : buckets) {
    if (!joined.empty() && joined.back().le == b.le) {
      joined.back().count += b.count;
    } else {
      joined.push_back(b);
    }
  }
  buckets = joined;
  return true;
}

}  // namespace

double QuantileOf(double q, std::vector<double> values) {
  if (values.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  // NaN first, and equal zeros by sign.
  std::sort(values.begin(), values.end(), [](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
    return a == b ? std::signbit(a) && !std::signbit(b) : a < b;
  });
  const double n = static_cast<double>(values.size());
  const double rank = q * (n - 1);
  const double low = std::fmax(0, std::floor(rank));
  const double high = std::fmin(n - 1, low + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<size_t>(low)] * (1 - weight) + values[static_cast<size_t>(high)] * weight;
}

double NativeQuantile(double q, const FloatHistogram& h, Notes& notes) {
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (h.count == 0 || std::isnan(q)) return std::nan("");
  const bool custom = IsCustomBucketsSchema(h.schema);
  const bool forward = std::isnan(h.sum) || q < 0.5;
  std::vector<Bucket> buckets = AllBuckets(h);
  if (!forward) std::reverse(buckets.begin(), buckets.end());
  double rank = forward ? q * h.count : (1 - q) * h.count;
  double count = 0;
  Bucket b;
  size_t i = 0;
  while (i < buckets.size()) {
    b = buckets[i++];
    if (b.count == 0) continue;
    count += b.count;
    if (count >= rank) break;
  }
  if (!custom && b.lower < 0 && b.upper > 0) b = CutAtZero({b}, h)[0];
  if (custom && b.lower == -kInfinity) {
    if (b.upper <= 0) return b.upper;
    b.lower = 0;
  } else if (custom && b.upper == kInfinity) {
    return b.lower;
  }
  count = std::min(count, h.count);
  if (count < rank && !std::isnan(h.sum)) return b.upper;
  if (count < rank) {
    notes.Inform("input to histogram_quantile has NaN observations, result is NaN");
    return std::nan("");
  }
  if (std::isnan(h.sum) && CountIn(h) < h.count)
    notes.Inform("input to histogram_quantile has NaN observations, result is skewed higher");
  rank = forward ? rank - (count - b.count) : count - rank;
  if (std::isnan(h.sum) && i < buckets.size()) b = buckets.back();
  const double fraction = rank / b.count;
  if (custom || (b.lower <= 0 && b.upper >= 0)) return b.lower + (b.upper - b.lower) * fraction;
  const double low = Log2(std::fabs(b.lower));
  const double high = Log2(std::fabs(b.upper));
  return b.lower > 0 ? std::exp2(low + (high - low) * fraction) : -std::exp2(high + (low - high) * (1 - fraction));
}

double NativeFraction(double lower, double upper, const FloatHistogram& h, Notes& notes) {
  if (h.count == 0 || std::isnan(lower) || std::isnan(upper)) return std::nan("");
  if (lower >= upper) return 0;
  const bool custom = IsCustomBucketsSchema(h.schema);
  const double total = std::isnan(h.sum) ? CountIn(h) : h.count;
  if (total < h.count)
    notes.Inform("input to histogram_fraction has NaN observations, which are excluded from all fractions");
  const auto rank_of = [&](double v) {
    double rank = 0;
    const std::vector<Bucket> raw = AllBuckets(h);
    const std::vector<Bucket> buckets = CutAtZero(raw, h);
    for (size_t i = 0; i < buckets.size(); ++i) {
      const Bucket& b = buckets[i];
      if (b.lower >= v) return std::min(rank, total);
      if (b.upper > v) {
        const bool linear = custom || (raw[i].lower <= 0 && raw[i].upper >= 0);
        if (linear && b.lower == -kInfinity) return std::min(b.count, total);
        const double at = rank + b.count * b.FractionBelow(v, linear);
        return at > total ? total : at;
      }
      rank += b.count;
    }
    return total;
  };
  return (rank_of(upper) - rank_of(lower)) / h.count;
}

double NativeVariance(const FloatHistogram& h) {
  const double mean = h.sum / h.count;
  KahanSum sum;
  for (const Bucket& b : AllBuckets(h)) {
    if (b.count == 0) continue;
    double at = 0;
    if (IsCustomBucketsSchema(h.schema)) {
      at = (b.upper + b.lower) / 2.0;
    } else if (!(b.lower <= 0 && b.upper >= 0)) {
      at = std::sqrt(b.upper * b.lower);
      if (b.upper < 0) at = -at;
    }
    sum.Add(b.count * (at - mean) * (at - mean));
  }
  return sum.Total() / h.count;
}

double ClassicQuantile(double q, std::vector<LeCount> buckets, Notes& notes) {
  if (std::isnan(q)) return q;
  if (q < 0) return -kInfinity;
  if (q > 1) return kInfinity;
  if (!Prepare(buckets)) return std::nan("");
  bool forced = false;
  for (size_t i = 1; i < buckets.size(); ++i) {
    const double before = buckets[i - 1].count;
    if (buckets[i].count < before && !AlmostEqual(before, buckets[i].count, 1e-12)) forced = true;
    if (AlmostEqual(before, buckets[i].count, 1e-12) || buckets[i].count < before) buckets[i].count = before;
  }
  if (forced) {
    notes.Inform(
        "input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)");
  }
  if (buckets.size() < 2 || buckets.back().count == 0) return std::nan("");
  double rank = q * buckets.back().count;
  size_t at = 0;
  while (at + 1 < buckets.size() && !(buckets[at].count >= rank)) ++at;
  if (at + 1 == buckets.size()) return buckets[at - 1].le;
  if (at == 0 && buckets[0].le <= 0) return buckets[0].le;
  const double from = at == 0 ? 0 : buckets[at - 1].le;
  double count = buckets[at].count;
  if (at > 0) {
    count -= buckets[at - 1].count;
    rank -= buckets[at - 1].count;
  }
  return from + (buckets[at].le - from) * (rank / count);
}

double ClassicFraction(double lower, double upper, std::vector<LeCount> buckets) {
  if (!Prepare(buckets)) return std::nan("");
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return std::nan("");
  if (lower >= upper) return 0;
  const auto rank_of = [&](double v) {
    double rank = 0;
    double from = buckets[0].le <= 0 ? -kInfinity : 0;
    for (const LeCount& b : buckets) {
      if (from >= v) return std::min(rank, total);
      if (b.le > v) {
        const double at = from == -kInfinity ? b.count : rank + (b.count - rank) * (v - from) / (b.le - from);
        return at > total ? total : at;
      }
      rank = b.count;
      from = b.le;
    }
    return total;
  };
  return (rank_of(upper) - rank_of(lower)) / total;
}

}  // namespace epi::naive
