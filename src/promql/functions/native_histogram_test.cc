#include "promql/functions/native_histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "promql/functions/classic_buckets.h"
#include "testing/conformance.h"

namespace epi::promql {
namespace {

FloatHistogram OneToFour() {
  FloatHistogram h;
  h.count = 8;
  h.sum = 16;
  h.positive_spans = {{1, 2}};
  h.positive_buckets = {4, 4};
  return h;
}

TEST(NativeHistogramTest, QuantilesInterpolateOnALogarithmicScale) {
  const FloatHistogram h = OneToFour();
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.5, h).value, 2);
  EXPECT_DOUBLE_EQ(HistogramQuantile(0.25, h).value, std::sqrt(2));
  EXPECT_EQ(HistogramQuantile(-1, h).value, -INFINITY);
  EXPECT_EQ(HistogramQuantile(2, h).value, INFINITY);
  EXPECT_TRUE(std::isnan(HistogramQuantile(0.5, {}).value));
}

TEST(NativeHistogramTest, NaNObservationsAreNoticed) {
  FloatHistogram h = OneToFour();
  h.sum = NAN;
  EXPECT_EQ(HistogramQuantile(0.5, h).nan, NaNEffect::kNone) << "opposite infinities, nothing missing";
  h.count = 10;
  EXPECT_EQ(HistogramQuantile(0.1, h).nan, NaNEffect::kSkew);
  EXPECT_EQ(HistogramQuantile(0.99, h).nan, NaNEffect::kResult);
  EXPECT_EQ(HistogramFraction(0, 10, h).nan, NaNEffect::kExcluded);
  EXPECT_DOUBLE_EQ(HistogramFraction(0, 10, h).value, 0.8);
}

TEST(NativeHistogramTest, FractionsOfTheZeroBucketAreOneSided) {
  FloatHistogram h = OneToFour();
  h.zero_threshold = 0.5;
  h.zero_count = 2;
  h.count = 10;
  EXPECT_DOUBLE_EQ(HistogramFraction(0.25, 10, h).value, 0.9);
  EXPECT_DOUBLE_EQ(HistogramFraction(-1, 0, h).value, 0);
  h.negative_spans = {{1, 1}};
  h.negative_buckets = {0};
  EXPECT_DOUBLE_EQ(HistogramFraction(-1, 0, h).value, 0.1);
}

TEST(NativeHistogramTest, KernelsAreFound) {
  EXPECT_EQ(FindHistogramKernel(FunctionId::kHistogramCount)(OneToFour()), 8);
  EXPECT_EQ(FindHistogramKernel(FunctionId::kHistogramAvg)(OneToFour()), 2);
  EXPECT_EQ(FindHistogramKernel(FunctionId::kRate), nullptr);
}

double Number(const nlohmann::json& value) { return value == "+Inf" ? INFINITY : value.get<double>(); }

TEST(ClassicBucketsTest, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/bucket_quantile.json");
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    for (const auto& expected : c["expected"]) {
      std::vector<ClassicBucket> buckets;
      for (const auto& b : c["buckets"]) buckets.push_back({Number(b[0]), Number(b[1])});
      const BucketQuantileAnswer answer = BucketQuantile(Number(expected[0]), buckets);
      EXPECT_NEAR(answer.value, Number(expected[1]), 1e-12 * std::fabs(Number(expected[1])));
      EXPECT_EQ(answer.forced_monotonicity, c["expect_forced"].get<bool>());
      EXPECT_EQ(answer.fixed_precision, c["expect_fixed_small"].get<bool>());
    }
  }
}

TEST(ClassicBucketsTest, FractionsInterpolate) {
  std::vector<ClassicBucket> buckets = {{INFINITY, 10}, {1, 4}, {2, 8}};
  EXPECT_DOUBLE_EQ(BucketFraction(0.5, 1.5, buckets), 0.4);
  EXPECT_DOUBLE_EQ(BucketFraction(-INFINITY, INFINITY, buckets), 1);
  std::vector<ClassicBucket> open = {{1, 4}};
  EXPECT_TRUE(std::isnan(BucketFraction(0, 1, open)));
}

}  // namespace
}  // namespace epi::promql
