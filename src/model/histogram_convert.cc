#include "model/histogram_convert.h"

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

}  // namespace epi
