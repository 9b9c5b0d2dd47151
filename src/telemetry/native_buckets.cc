#include "telemetry/native_buckets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace epi {
namespace {

constexpr int kSchema = 3;
constexpr int kPerOctave = 1 << kSchema;
constexpr size_t kMaxBuckets = 100;
// client_golang's default: smaller values are zeros.
constexpr double kZeroThreshold = 0x1p-128;

// Of the octave (1/2, 1], each bucket's upper bound but the last.
const std::array<double, kPerOctave - 1>& OctaveBounds() {
  static const auto kBounds = [] {
    std::array<double, kPerOctave - 1> bounds{};
    for (int i = 1; i < kPerOctave; ++i)
      bounds[static_cast<size_t>(i - 1)] = std::exp2(static_cast<double>(i) / kPerOctave - 1);
    return bounds;
  }();
  return kBounds;
}

// Of a positive value; infinity comes behind the largest number.
int32_t IndexOf(double value) {
  int exponent = 0;
  double fraction = std::frexp(std::min(value, std::numeric_limits<double>::max()), &exponent);
  if (fraction == 0.5) {  // a power of two is the upper bound of the octave below
    fraction = 1;
    --exponent;
  }
  const auto& bounds = OctaveBounds();
  const auto within = std::lower_bound(bounds.begin(), bounds.end(), fraction) - bounds.begin();
  const int32_t index = (exponent - 1) * kPerOctave + static_cast<int32_t>(within) + 1;
  return std::isinf(value) ? index + 1 : index;
}

// Two neighbours become one: (a, b] and (b, c] are (a, c], which ends where the one with the even index did.
std::map<int32_t, uint64_t> Joined(const std::map<int32_t, uint64_t>& side) {
  std::map<int32_t, uint64_t> out;
  for (const auto& [index, count] : side) out[(index + 1) >> 1] += count;
  return out;
}

void Encode(const std::map<int32_t, uint64_t>& side, std::vector<MetricSpan>& spans, std::vector<int64_t>& deltas) {
  int32_t next = 0;
  int64_t before = 0;
  for (const auto& [index, count] : side) {
    if (spans.empty() || index != next) spans.push_back({index - next, 0});
    ++spans.back().length;
    next = index + 1;
    deltas.push_back(static_cast<int64_t>(count) - before);
    before = static_cast<int64_t>(count);
  }
}

}  // namespace

void NativeBuckets::Observe(double value) {
  if (std::isnan(value)) return;
  const std::lock_guard lock(mutex_);
  if (value > kZeroThreshold) {
    ++positive_[IndexOf(value)];
  } else if (value < -kZeroThreshold) {
    ++negative_[IndexOf(-value)];
  } else {
    ++zero_count_;
  }
}

void NativeBuckets::Collect(MetricHistogram& out) const {
  Side positive, negative;
  {
    const std::lock_guard lock(mutex_);
    positive = positive_;
    negative = negative_;
    out.zero_count = zero_count_;
  }
  out.native = true;
  out.schema = kSchema;
  out.zero_threshold = kZeroThreshold;
  while (positive.size() + negative.size() > kMaxBuckets) {
    positive = Joined(positive);
    negative = Joined(negative);
    --out.schema;
  }
  Encode(positive, out.positive_spans, out.positive_deltas);
  Encode(negative, out.negative_spans, out.negative_deltas);
}

}  // namespace epi
