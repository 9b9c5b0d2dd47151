#include "model/histogram_reset.h"

#include <limits>

#include "model/histogram_bounds.h"
#include "model/histogram_buckets.h"
#include "model/histogram_resolution.h"
#include "model/histogram_zero_bucket.h"

namespace epi {
namespace {

// A bucket of `previous` beyond the zero bucket that is less, or gone though populated.
template <typename Cursor>
bool AnyBucketFell(Cursor current, Cursor previous, int32_t schema, double zero_threshold) {
  bool more = current.Next();
  bool inside = IsExponentialSchema(schema);
  while (previous.Next()) {
    inside = inside && ExponentialBound(previous.index(), schema) <= zero_threshold;
    if (inside) continue;
    while (more && current.index() < previous.index()) more = current.Next();
    const bool found = more && current.index() == previous.index();
    if (found ? current.count() < previous.count() : previous.count() != 0) return true;
  }
  return false;
}

// Adds up the buckets that end at or below each bound asked for, bounds ascending.
class RollUp {
 public:
  explicit RollUp(const FloatHistogram& h) : h_(h), at_(h), more_(at_.Next()) {}
  double UpTo(double bound) {
    double sum = 0;
    while (more_ && BucketBound(at_.index(), h_.schema, h_.custom_values) <= bound) {
      sum += at_.count();
      more_ = at_.Next();
    }
    return sum;
  }

 private:
  const FloatHistogram& h_;
  PositiveCursor at_;
  bool more_;
};

bool FellBetweenCommonBounds(const FloatHistogram& h, const FloatHistogram& previous) {
  RollUp current_counts(h);
  RollUp previous_counts(previous);
  std::vector<double> bounds = CommonCustomBounds(h.custom_values, previous.custom_values);
  bounds.push_back(std::numeric_limits<double>::infinity());
  for (const double bound : bounds) {
    const double current = current_counts.UpTo(bound);
    if (current < previous_counts.UpTo(bound)) return true;
  }
  return false;
}

}  // namespace

bool DetectReset(const FloatHistogram& h, const FloatHistogram& previous) {
  if (h.counter_reset_hint == CounterResetHint::kReset) return true;
  if (h.counter_reset_hint == CounterResetHint::kNotReset) return false;
  return CountsWereReset(h, previous);
}

bool CountsWereReset(const FloatHistogram& h, const FloatHistogram& previous) {
  if (h.count < previous.count) return true;
  if (IsCustomBucketsSchema(h.schema)) {
    if (!IsCustomBucketsSchema(previous.schema)) return true;
    if (!SameCustomBounds(h.custom_values, previous.custom_values)) return FellBetweenCommonBounds(h, previous);
  }
  if (h.schema > previous.schema || h.zero_threshold < previous.zero_threshold) return true;
  const WiderZeroBucket zero = WidenZeroBucket(previous, h.zero_threshold);
  if (zero.threshold != h.zero_threshold || h.zero_count < zero.count) return true;
  FloatHistogram reduced;
  if (h.schema != previous.schema) reduced = CopyToSchema(previous, h.schema);
  const FloatHistogram& before = h.schema != previous.schema ? reduced : previous;
  return AnyBucketFell(PositiveCursor(h), PositiveCursor(before), h.schema, h.zero_threshold) ||
         AnyBucketFell(NegativeCursor(h), NegativeCursor(before), h.schema, h.zero_threshold);
}

}  // namespace epi
