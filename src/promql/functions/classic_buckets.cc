#include "promql/functions/classic_buckets.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/almost_equal.h"
#include "model/sample.h"

namespace epi::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallDelta = 1e-12;  // relative; below it a difference is taken for rounding

// Sorts and adds up buckets of one bound. Whether the highest is +Inf.
bool Normalise(std::vector<ClassicBucket>& buckets) {
  std::stable_sort(buckets.begin(), buckets.end(),
                   [](const ClassicBucket& a, const ClassicBucket& b) { return a.upper < b.upper; });
  if (buckets.back().upper != kInfinity) return false;
  size_t last = 0;
  for (size_t i = 1; i < buckets.size(); ++i) {
    if (buckets[i].upper == buckets[last].upper) {
      buckets[last].count += buckets[i].count;
    } else {
      buckets[++last] = buckets[i];
    }
  }
  buckets.resize(last + 1);
  return true;
}

// Removes differences that are rounding, then lifts every count to the highest before it.
void EnsureMonotonic(std::vector<ClassicBucket>& buckets, BucketQuantileAnswer& answer) {
  answer.min_bucket = kInfinity;
  answer.max_bucket = -kInfinity;
  double before = buckets.front().count;
  for (size_t i = 1; i < buckets.size(); ++i) {
    ClassicBucket& b = buckets[i];
    if (b.count == before) continue;
    if (AlmostEqual(before, b.count, kSmallDelta)) {
      answer.fixed_precision = true;
    } else if (b.count < before) {
      answer.forced_monotonicity = true;
      answer.min_bucket = std::min(answer.min_bucket, b.upper);
      answer.max_bucket = std::max(answer.max_bucket, b.upper);
      answer.max_diff = std::max(answer.max_diff, before - b.count);
    } else {
      before = b.count;
      continue;
    }
    b.count = before;
  }
}

double QuantileOfSorted(double q, const std::vector<ClassicBucket>& buckets) {
  if (buckets.size() < 2 || buckets.back().count == 0) return NormalNaN();
  double rank = q * buckets.back().count;
  const auto end = buckets.end() - 1;
  const auto at =
      std::partition_point(buckets.begin(), end, [rank](const ClassicBucket& b) { return !(b.count >= rank); });
  if (at == end) return (end - 1)->upper;
  if (at == buckets.begin() && at->upper <= 0) return at->upper;
  double from = 0;
  double count = at->count;
  if (at != buckets.begin()) {
    from = (at - 1)->upper;
    count -= (at - 1)->count;
    rank -= (at - 1)->count;
  }
  return from + (at->upper - from) * (rank / count);
}

}  // namespace

BucketQuantileAnswer BucketQuantile(double q, std::vector<ClassicBucket>& buckets) {
  if (std::isnan(q)) return {NormalNaN()};
  if (q < 0) return {-kInfinity};
  if (q > 1) return {kInfinity};
  BucketQuantileAnswer answer;
  answer.value = NormalNaN();
  if (!Normalise(buckets)) return answer;
  EnsureMonotonic(buckets, answer);
  answer.value = QuantileOfSorted(q, buckets);
  return answer;
}

double BucketFraction(double lower, double upper, std::vector<ClassicBucket>& buckets) {
  if (!Normalise(buckets)) return NormalNaN();
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return NormalNaN();
  if (lower >= upper) return 0;
  double rank = 0;
  // A first bucket that ends above zero is taken to begin there.
  double from = buckets.front().upper <= 0 ? -kInfinity : 0;
  struct End {
    double value;
    double rank = 0;
    bool found = false;
  } ends[] = {{lower}, {upper}};
  for (const ClassicBucket& b : buckets) {
    for (End& end : ends) {
      if (end.found) continue;
      if (from >= end.value) {
        end.rank = rank;
        end.found = true;
      } else if (b.upper > end.value) {
        // Nothing can be said about the inside of a bucket without a beginning.
        end.rank = from == -kInfinity ? b.count : rank + (b.count - rank) * (end.value - from) / (b.upper - from);
        end.found = true;
      }
    }
    rank = b.count;
    from = b.upper;
  }
  for (End& end : ends) {
    if (!end.found || end.rank > total) end.rank = total;
  }
  return (ends[1].rank - ends[0].rank) / total;
}

}  // namespace epi::promql
