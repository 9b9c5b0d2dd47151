#include "model/histogram_trim.h"

#include <cmath>
#include <limits>

#include "model/histogram_buckets.h"
#include "model/histogram_math.h"

namespace epi {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();

// What is left of a bucket, and the value its observations are taken to have.
struct Rest {
  double count = 0;
  double midpoint = 0;
};

double ZeroIfInfinite(double v) { return std::isinf(v) ? 0 : v; }

// The middle of an interval: geometric in exponential buckets, on the side of zero where they are.
double Midpoint(double lower, double upper, bool positive, bool linear) {
  if (std::isinf(lower)) {
    if (std::isinf(upper)) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (std::isinf(upper)) return lower;
  if (linear) return (lower + upper) / 2;
  const double geometric = std::sqrt(std::fabs(lower * upper));
  return positive ? geometric : -geometric;
}

// The first bucket of custom bounds reaches down to -Inf; when it ends above zero, it is taken to begin at zero.
Rest CutDownToMinusInfinity(const Bucket& b, double value, TrimSide side) {
  const bool from_zero = b.upper > 0 && !std::isinf(b.upper);
  if (side == TrimSide::kAbove) {
    if (value >= b.upper) return {b.count, 0};
    if (value > 0 && from_zero) return {b.count * value / b.upper, value / 2};
    if (b.upper <= 0) return {b.count, value};
    return {0, ZeroIfInfinite(b.upper)};
  }
  if (value <= b.lower) return {b.count, 0};
  if (value >= 0 && b.upper > value && from_zero) return {b.count * (1 - value / b.upper), (value + b.upper) / 2};
  return {0, ZeroIfInfinite(b.upper)};
}

// How the observations lie in a bucket up to +Inf is unknown: it stays whole or goes.
Rest CutUpToInfinity(const Bucket& b, double value, TrimSide side) {
  if (side == TrimSide::kBelow && value >= b.lower) return {b.count, value};
  return {0, ZeroIfInfinite(b.lower)};
}

Rest CutBucket(const Bucket& b, double value, TrimSide side, bool positive, bool linear) {
  if (b.lower == -kNoBound) return CutDownToMinusInfinity(b, value, side);
  if (b.upper == kNoBound) return CutUpToInfinity(b, value, side);
  double under = 0;
  if (value >= b.upper) {
    under = b.count;
  } else if (value > b.lower) {
    under = b.count * b.FractionBelow(value, linear);
  }
  if (side == TrimSide::kAbove) return {under, Midpoint(b.lower, value, positive, linear)};
  return {b.count - under, Midpoint(value, b.upper, positive, linear)};
}

Rest CutZeroBucket(const Bucket& zero, double value, TrimSide side, bool has_negative, bool has_positive) {
  const double lower = has_positive && !has_negative ? 0 : zero.lower;
  const double upper = has_negative && !has_positive ? 0 : zero.upper;
  const bool above = side == TrimSide::kAbove;
  if (value <= lower) return above ? Rest{} : Rest{zero.count, (lower + upper) / 2};
  if (value >= upper) return above ? Rest{zero.count, (lower + upper) / 2} : Rest{};
  const double kept = (above ? value - lower : upper - value) / (upper - lower);
  return {zero.count * kept, (above ? lower + value : value + upper) / 2};
}

struct Totals {
  double count = 0;
  double sum = 0;
  bool trimmed = false;
  void Keep(const Rest& rest) {
    count += rest.count;
    sum += rest.midpoint * rest.count;
  }
};

// Returns whether the side has populated buckets.
template <typename Cursor>
bool TrimBuckets(Cursor at, std::vector<double>& counts, double value, TrimSide side, bool positive, bool linear,
                 Totals& totals) {
  bool populated = false;
  while (at.Next()) {
    const Bucket b = at.bucket();
    if (b.count == 0) continue;
    populated = true;
    const bool above = side == TrimSide::kAbove;
    double& count = counts[at.position()];
    if (above ? b.upper <= value : b.lower >= value) {
      totals.Keep({b.count, Midpoint(b.lower, b.upper, positive, linear)});
    } else if (above ? b.lower < value : b.upper > value) {
      const Rest rest = CutBucket(b, value, side, positive, linear);
      totals.Keep(rest);
      totals.trimmed = totals.trimmed || count != rest.count;
      count = rest.count;
    } else {
      count = 0;
      totals.trimmed = true;
    }
  }
  return populated;
}

}  // namespace

void Trim(FloatHistogram& h, double value, TrimSide side) {
  const bool linear = IsCustomBucketsSchema(h.schema);
  Totals totals;
  const bool has_positive = TrimBuckets(PositiveCursor(h), h.positive_buckets, value, side, true, linear, totals);
  const bool has_negative = TrimBuckets(NegativeCursor(h), h.negative_buckets, value, side, false, linear, totals);
  if (h.zero_count > 0) {
    const Rest rest = CutZeroBucket(ZeroBucket(h), value, side, has_negative, has_positive);
    totals.trimmed = totals.trimmed || h.zero_count != rest.count;
    h.zero_count = rest.count;
    totals.Keep(rest);
  }
  if (!totals.trimmed) return;
  h.count = totals.count;
  h.sum = totals.sum;
  Compact(h);
}

}  // namespace epi
