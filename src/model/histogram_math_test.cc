#include "model/histogram_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/histogram_bounds.h"
#include "model/histogram_buckets.h"
#include "model/histogram_format.h"
#include "model/histogram_reset.h"
#include "model/histogram_trim.h"
#include "model/sample.h"

namespace epi {
namespace {

FloatHistogram Counter(std::vector<HistogramSpan> spans, std::vector<double> buckets) {
  FloatHistogram h;
  h.positive_spans = std::move(spans);
  h.positive_buckets = std::move(buckets);
  for (const double count : h.positive_buckets) h.count += count;
  h.sum = 2 * h.count;
  return h;
}

TEST(HistogramBoundsTest, RiseInEverySchemaAndDoubleEveryPower) {
  for (int32_t schema = kExponentialSchemaMin; schema <= kExponentialSchemaMax; ++schema) {
    const int64_t per_power = schema > 0 ? int64_t{1} << schema : 1;
    for (int64_t index = -3 * per_power; index < 3 * per_power; ++index) {
      EXPECT_LT(ExponentialBound(index, schema), ExponentialBound(index + 1, schema)) << schema << " " << index;
      if (schema >= 0) {
        EXPECT_EQ(2 * ExponentialBound(index, schema), ExponentialBound(index + per_power, schema));
      }
    }
  }
}

TEST(HistogramBoundsTest, IndicesFarOutsideSaturate) {
  EXPECT_EQ(ExponentialBound(std::numeric_limits<int32_t>::max(), 8), INFINITY);
  EXPECT_EQ(ExponentialBound(std::numeric_limits<int32_t>::max(), -4), INFINITY);
  EXPECT_EQ(ExponentialBound(std::numeric_limits<int32_t>::min(), 8), 0);
  EXPECT_EQ(ExponentialBound(std::numeric_limits<int32_t>::min(), -4), 0);
  const std::vector<double> bounds = {1, 2};
  EXPECT_EQ(BucketBound(-7, kCustomBucketsSchema, bounds), -INFINITY);
  EXPECT_EQ(BucketBound(99, kCustomBucketsSchema, bounds), INFINITY);
}

TEST(HistogramMathTest, AddAndSubtractUndoEachOther) {
  FloatHistogram h = Counter({{-2, 2}, {1, 3}}, {1, 2, 3, 4, 7});
  const FloatHistogram before = h;
  const FloatHistogram other = Counter({{-3, 1}, {4, 2}}, {5, 1, 1});
  ASSERT_TRUE(Add(h, other));
  ASSERT_TRUE(Subtract(h, other));
  Compact(h);
  EXPECT_TRUE(SameData(h, before)) << HistogramToString(h);
}

TEST(HistogramMathTest, HintsCombineAsPrometheusDoes) {
  using Hint = CounterResetHint;
  const struct {
    Hint a, b, sum;
    bool collision;
  } cases[] = {
      {Hint::kUnknown, Hint::kUnknown, Hint::kUnknown, false}, {Hint::kReset, Hint::kReset, Hint::kReset, false},
      {Hint::kGauge, Hint::kReset, Hint::kGauge, false},       {Hint::kNotReset, Hint::kGauge, Hint::kGauge, false},
      {Hint::kUnknown, Hint::kReset, Hint::kUnknown, false},   {Hint::kNotReset, Hint::kUnknown, Hint::kUnknown, false},
      {Hint::kReset, Hint::kNotReset, Hint::kUnknown, true},
  };
  for (const auto& c : cases) {
    FloatHistogram a = Counter({{0, 1}}, {1});
    FloatHistogram b = a;
    a.counter_reset_hint = c.a;
    b.counter_reset_hint = c.b;
    const auto report = Add(a, b);
    ASSERT_TRUE(report);
    EXPECT_EQ(a.counter_reset_hint, c.sum);
    EXPECT_EQ(report->counter_reset_collision, c.collision);
  }
}

TEST(HistogramMathTest, CompensationSavesWhatRoundingLoses) {
  FloatHistogram sum = Counter({{0, 1}}, {1e16});
  FloatHistogram compensation = CompensationFor(sum);
  const FloatHistogram one = Counter({{0, 1}}, {1});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(KahanAdd(sum, one, compensation));
  ASSERT_TRUE(Add(sum, compensation));
  EXPECT_EQ(sum.positive_buckets[0], 1e16 + 10);
  EXPECT_EQ(sum.count, 1e16 + 10);
}

TEST(HistogramMathTest, ZeroThresholdsThatAreNoNumbersEnd) {
  FloatHistogram a = Counter({{0, 1}}, {1});
  FloatHistogram b = a;
  a.zero_threshold = NormalNaN();
  EXPECT_TRUE(Add(a, b));
  EXPECT_TRUE(Add(b, a));
  b.zero_threshold = INFINITY;
  FloatHistogram c = Counter({{0, 1}}, {1});
  ASSERT_TRUE(Add(c, b));
  EXPECT_EQ(c.zero_count, 1);
  EXPECT_TRUE(c.positive_buckets.empty() || c.positive_buckets[0] == 0);
}

TEST(HistogramMathTest, SpansOfNoLengthDoNotMatter) {
  const FloatHistogram a = Counter({{0, 1}, {2, 1}}, {1, 2});
  const FloatHistogram b = Counter({{0, 1}, {1, 0}, {1, 1}}, {1, 2});
  EXPECT_TRUE(SameData(a, b));
  EXPECT_FALSE(SameData(a, Counter({{0, 1}, {3, 1}}, {1, 2})));
  EXPECT_TRUE(SameData(Counter({{0, 1}, {5, 0}}, {1}), Counter({{0, 1}}, {1})));
}

TEST(HistogramMathTest, TestExpressionNamesEveryField) {
  FloatHistogram h = Counter({{1, 2}, {1, 1}}, {1, 2, 3});
  h.schema = 2;
  h.zero_count = 4;
  h.zero_threshold = 0.5;
  h.negative_spans = {{-1, 1}};
  h.negative_buckets = {9};
  h.counter_reset_hint = CounterResetHint::kGauge;
  EXPECT_EQ(HistogramToTestExpression(h),
            "{{schema:2 count:6 sum:12 z_bucket:4 z_bucket_w:0.5 counter_reset_hint:gauge offset:1 buckets:[1 2 0 3] "
            "n_offset:-1 n_buckets:[9]}}");
  EXPECT_EQ(HistogramToTestExpression({}), "{{}}");
}

TEST(HistogramMathTest, TrimKeepsTheSharesOnOneSide) {
  FloatHistogram custom;
  custom.schema = kCustomBucketsSchema;
  custom.custom_values = {10, 20};
  custom.positive_spans = {{0, 3}};
  custom.positive_buckets = {4, 8, 2};
  custom.count = 14;
  custom.sum = 150;
  FloatHistogram above = custom;
  Trim(above, 15, TrimSide::kAbove);
  EXPECT_EQ(HistogramToString(above), "{count:8, sum:70, [-Inf,10]:4, (10,20]:4}");
  FloatHistogram below = custom;
  Trim(below, 15, TrimSide::kBelow);
  EXPECT_EQ(HistogramToString(below), "{count:6, sum:110, (10,20]:4, (20,+Inf]:2}");
  FloatHistogram untouched = custom;
  Trim(untouched, INFINITY, TrimSide::kAbove);
  EXPECT_EQ(untouched.sum, 150);
}

// Spans that name more or fewer buckets than there are, go backwards or jump far must never do worse than a strange
// answer.
TEST(HistogramMathTest, DamagedHistogramsAreHarmless) {
  const std::vector<FloatHistogram> damaged = {
      Counter({{0, 4}}, {1, 2}),
      Counter({{0, 1}}, {1, 2, 3}),
      Counter({{5, 2}, {-7, 2}}, {1, 2, 3, 4}),
      Counter({{2147483647, 1}, {2147483647, 4294967295u}}, {1, 2, 3}),
      Counter({{-2147483647, 1}, {-2147483647, 4294967295u}}, {1, 0, 3}),
  };
  for (const FloatHistogram& a : damaged) {
    for (const FloatHistogram& b : damaged) {
      FloatHistogram sum = a;
      EXPECT_TRUE(Add(sum, b));
      FloatHistogram coarse = b;
      coarse.schema = -4;
      FloatHistogram compensation = CompensationFor(sum);
      EXPECT_TRUE(KahanAdd(sum, coarse, compensation));
      EXPECT_EQ(sum.positive_buckets.size(), compensation.positive_buckets.size());
      DetectReset(a, b);
      Trim(sum, 3, TrimSide::kAbove);
      AllBuckets(sum);
      EXPECT_LT(HistogramToTestExpression(a).size(), 4'000'000u);
    }
  }
}

}  // namespace
}  // namespace epi
