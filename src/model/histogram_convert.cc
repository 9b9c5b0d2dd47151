#include "model/histogram_convert.h"

#include <limits>

namespace epi {
namespace {

// Sums of deltas wrap around instead of being undefined: damaged input must not do worse than a wrong count.
void Accumulate(const std::vector<int64_t>& deltas, std::vector<double>& absolute) {
  absolute.clear();
  absolute.reserve(deltas.size());
  uint64_t current = 0;
  for (const int64_t delta : deltas) {
    current += static_cast<uint64_t>(delta);
    absolute.push_back(static_cast<double>(static_cast<int64_t>(current)));
  }
}

// The largest counts were rounded up, to one more than there is.
template <typename Integer>
Integer ToCount(double count) {
  constexpr Integer kMax = std::numeric_limits<Integer>::max();
  return count >= static_cast<double>(kMax) ? kMax : static_cast<Integer>(count);
}

std::vector<int64_t> Differences(const std::vector<double>& absolute) {
  std::vector<int64_t> deltas;
  deltas.reserve(absolute.size());
  uint64_t before = 0;
  for (const double count : absolute) {
    const auto current = static_cast<uint64_t>(ToCount<int64_t>(count));
    deltas.push_back(static_cast<int64_t>(current - before));
    before = current;
  }
  return deltas;
}

}  // namespace

void ToFloat(const Histogram& h, FloatHistogram& out) {
  out.counter_reset_hint = h.counter_reset_hint;
  out.schema = h.schema;
  out.zero_threshold = h.zero_threshold;
  out.zero_count = static_cast<double>(h.zero_count);
  out.count = static_cast<double>(h.count);
  out.sum = h.sum;
  out.positive_spans = h.positive_spans;
  out.negative_spans = h.negative_spans;
  out.custom_values = h.custom_values;
  Accumulate(h.positive_buckets, out.positive_buckets);
  Accumulate(h.negative_buckets, out.negative_buckets);
}

FloatHistogram ToFloat(const Histogram& h) {
  FloatHistogram out;
  ToFloat(h, out);
  return out;
}

Histogram ToInteger(const FloatHistogram& h) {
  Histogram out;
  out.counter_reset_hint = h.counter_reset_hint;
  out.schema = h.schema;
  out.zero_threshold = h.zero_threshold;
  out.zero_count = ToCount<uint64_t>(h.zero_count);
  out.count = ToCount<uint64_t>(h.count);
  out.sum = h.sum;
  out.positive_spans = h.positive_spans;
  out.negative_spans = h.negative_spans;
  out.positive_buckets = Differences(h.positive_buckets);
  out.negative_buckets = Differences(h.negative_buckets);
  out.custom_values = h.custom_values;
  return out;
}

}  // namespace epi
