#include "model/classic_histogram.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/histogram_format.h"

namespace epi {
namespace {

TEST(ClassicHistogramTest, NamesAreSplit) {
  EXPECT_EQ(SplitClassicName("http_bucket").part, ClassicPart::kBucket);
  EXPECT_EQ(SplitClassicName("http_bucket").base, "http");
  EXPECT_EQ(SplitClassicName("http_sum").part, ClassicPart::kSum);
  EXPECT_EQ(SplitClassicName("http_count").part, ClassicPart::kCount);
  EXPECT_EQ(SplitClassicName("http").base, "http");
}

TEST(ClassicHistogramTest, WholeCountsBecomeIntegers) {
  ClassicHistogram classic;
  classic.SetBucket(10, 5);
  classic.SetBucket(1, 2);
  classic.SetSum(20);
  classic.SetCount(7);
  const auto converted = classic.Convert();
  ASSERT_TRUE(converted);
  ASSERT_TRUE(converted->integer);
  EXPECT_EQ(HistogramToString(*converted->integer), "{count:7, sum:20, [-Inf,1]:2, (1,10]:3, (10,+Inf]:2}");
}

TEST(ClassicHistogramTest, FractionsBecomeFloats) {
  ClassicHistogram classic;
  classic.SetBucket(1, 0.5);
  classic.SetBucket(INFINITY, 2);
  const auto converted = classic.Convert();
  ASSERT_TRUE(converted);
  ASSERT_TRUE(converted->floats);
  EXPECT_EQ(HistogramToString(*converted->floats), "{count:2, sum:0, [-Inf,1]:0.5, (1,+Inf]:1.5}");
}

TEST(ClassicHistogramTest, WhatCannotBeRightIsRefused) {
  const auto error = [](auto fill) {
    ClassicHistogram classic;
    fill(classic);
    const auto converted = classic.Convert();
    return converted ? std::string() : converted.error().message();
  };
  EXPECT_EQ(error([](ClassicHistogram& c) { c.SetBucket(NAN, 1); }), "bucket boundary must not be NaN");
  EXPECT_EQ(error([](ClassicHistogram& c) { c.SetBucket(1, -1); }),
            "bucket count must be non-negative: le=1, count=-1");
  EXPECT_EQ(error([](ClassicHistogram& c) { c.SetCount(-1); }), "count must be non-negative: count=-1");
  EXPECT_EQ(error([](ClassicHistogram& c) {
              c.SetBucket(1, 3);
              c.SetBucket(2, 2);
            }),
            "count is not cumulative: 2 < 3");
  EXPECT_EQ(error([](ClassicHistogram& c) {
              c.SetBucket(INFINITY, 3);
              c.SetCount(4);
            }),
            "count mismatch: count=4 != le=+Inf count=3");
}

}  // namespace
}  // namespace epi
