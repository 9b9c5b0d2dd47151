// A classic histogram on its way to a native one with custom buckets.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"

namespace epi::scrape {

// Collects the series of one classic histogram, in any order, and turns them into one histogram. Reused.
class ClassicHistogram {
 public:
  void Clear();
  void AddBucket(double upper_bound, double cumulative_count);
  void SetCount(double count);
  void SetSum(double sum) { sum_ = sum; }

  struct Converted {
    std::shared_ptr<const Histogram> integer;  // exactly one of the two
    std::shared_ptr<const FloatHistogram> floats;
  };
  // Integer when all counts are whole numbers. kInvalid when the series do not make up a histogram: negative counts,
  // buckets that are not cumulative, a count that is not that of the last bucket.
  Result<Converted> Convert();

 private:
  struct Bucket {
    double upper_bound;
    double count;  // cumulative
  };
  std::vector<Bucket> buckets_;  // ascending
  double count_ = 0;
  double sum_ = 0;
  bool has_count_ = false;
  bool broken_ = false;
};

}  // namespace epi::scrape
