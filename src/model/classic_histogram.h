// Classic histograms collected bucket by bucket and turned into native ones with custom bounds.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"

namespace epi {

// Which series of a classic histogram a metric name is.
enum class ClassicPart : unsigned char { kNone, kBucket, kSum, kCount };
struct ClassicName {
  ClassicPart part = ClassicPart::kNone;
  std::string_view base;  // the name without the suffix; the whole name for kNone
};
ClassicName SplitClassicName(std::string_view metric_name);

// The values of one classic histogram at one time, in any order. The first value that cannot be right (a NaN bound, a
// negative count, buckets that do not accumulate) is remembered and reported by Convert.
class ClassicHistogram {
 public:
  // A bound that was given before is ignored.
  void SetBucket(double le, double cumulative_count);
  void SetCount(double count);
  void SetSum(double sum);
  void Clear();
  bool empty() const { return buckets_.empty() && !count_ && !has_sum_; }

  // Exactly one of the two: integers where all counts are whole.
  struct Converted {
    std::optional<Histogram> integer;
    std::optional<FloatHistogram> floats;
  };
  // Without a count the highest bucket's is taken, without a +Inf bucket one is added. kInvalid with Prometheus's text.
  Result<Converted> Convert() const;

 private:
  struct BoundCount {
    double le;
    double count;
  };
  void Reject(std::string text);
  std::vector<BoundCount> buckets_;  // by bound
  std::optional<double> count_;
  double sum_ = 0;
  bool has_sum_ = false;
  std::string error_;
};

}  // namespace epi
