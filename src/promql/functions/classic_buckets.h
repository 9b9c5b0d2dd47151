// Quantiles and fractions of classic histograms: cumulative counts below upper bounds.
#pragma once

#include <vector>

namespace epi::promql {

struct ClassicBucket {
  double upper = 0;
  double count = 0;
};

struct BucketQuantileAnswer {
  double value = 0;
  bool forced_monotonicity = false;  // counts fell and were lifted; the fields below say where and by how much
  bool fixed_precision = false;      // differences too small to mean anything were removed
  double min_bucket = 0;             // the lowest and highest bound where that was done
  double max_bucket = 0;
  double max_diff = 0;
};

// The q-quantile by linear interpolation; `buckets`, at least one, come in any order and are sorted and repaired in
// place. NaN for q = NaN, without a +Inf bucket, with fewer than two buckets or no observations; -Inf below 0, +Inf
// above 1.
BucketQuantileAnswer BucketQuantile(double q, std::vector<ClassicBucket>& buckets);

// The share of observations between `lower` and `upper`; sorts `buckets`, at least one. NaN without a +Inf bucket or
// observations.
double BucketFraction(double lower, double upper, std::vector<ClassicBucket>& buckets);

}  // namespace epi::promql
