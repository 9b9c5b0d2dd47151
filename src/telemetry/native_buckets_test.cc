#include "telemetry/native_buckets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace epi {
namespace {

MetricHistogram Of(const std::vector<double>& values) {
  NativeBuckets buckets;
  for (const double value : values) buckets.Observe(value);
  MetricHistogram out;
  buckets.Collect(out);
  return out;
}

// index -> count, as a reader of the format finds them.
std::map<int32_t, int64_t> Decoded(const std::vector<MetricSpan>& spans, const std::vector<int64_t>& deltas) {
  std::map<int32_t, int64_t> out;
  int32_t index = 0;
  int64_t count = 0;
  size_t at = 0;
  for (const auto& span : spans) {
    index += span.offset;
    for (uint32_t i = 0; i < span.length; ++i, ++index) out[index] = count += deltas.at(at++);
  }
  EXPECT_EQ(at, deltas.size());
  return out;
}

TEST(NativeBuckets, BoundsBelongToTheBucketBelow) {
  // One is the upper bound of bucket 0, two of bucket 8; the next number is in the bucket above.
  const double after_one = std::nextafter(1.0, 2.0), bound = std::exp2(3.0 / 8);
  const auto h = Of({1, after_one, 2, std::nextafter(2.0, 3.0), 0.5, bound, std::nextafter(bound, 9)});
  EXPECT_EQ(h.schema, 3);
  EXPECT_EQ(Decoded(h.positive_spans, h.positive_deltas),
            (std::map<int32_t, int64_t>{{-8, 1}, {0, 1}, {1, 1}, {3, 1}, {4, 1}, {8, 1}, {9, 1}}));
}

TEST(NativeBuckets, EveryValueIsBetweenItsBounds) {
  for (double value = 1e-30; value < 1e30; value *= 1.37) {
    const auto h = Of({value});
    const int32_t index = Decoded(h.positive_spans, h.positive_deltas).begin()->first;
    EXPECT_LE(value, std::exp2(index / 8.0) * (1 + 1e-15)) << value;
    EXPECT_GT(value, std::exp2((index - 1) / 8.0) * (1 - 1e-15)) << value;
  }
}

TEST(NativeBuckets, ZerosSignsAndWhatIsNoNumber) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto h = Of({0, -0.0, 1e-40, -1e-40, 0x1p-128, -1, -1, -4, infinity, -infinity, std::nan("")});
  EXPECT_EQ(h.zero_count, 5u);
  EXPECT_EQ(h.zero_threshold, 0x1p-128);
  EXPECT_EQ(Decoded(h.negative_spans, h.negative_deltas), (std::map<int32_t, int64_t>{{0, 2}, {16, 1}, {8193, 1}}));
  EXPECT_EQ(Decoded(h.positive_spans, h.positive_deltas), (std::map<int32_t, int64_t>{{8193, 1}}));
  const auto none = Of({});
  EXPECT_TRUE(none.native);
  EXPECT_TRUE(none.positive_spans.empty());
}

TEST(NativeBuckets, ManyBucketsAreJoined) {
  std::vector<double> values;
  for (int octave = 0; octave < 64; ++octave) {
    values.push_back(std::exp2(octave));
    values.push_back(std::exp2(octave + 0.3));
  }
  const auto h = Of(values);
  EXPECT_EQ(h.schema, 0);
  const auto buckets = Decoded(h.positive_spans, h.positive_deltas);
  EXPECT_EQ(buckets.size(), 65u);
  EXPECT_EQ(buckets.at(0), 1);   // 1
  EXPECT_EQ(buckets.at(1), 2);   // 2 and what is between 1 and 2
  EXPECT_EQ(buckets.at(64), 1);  // beyond 2^63
}

}  // namespace
}  // namespace epi
