#include "promql/cache/reach.h"

#include <gtest/gtest.h>

#include "promql/engine/engine.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

constexpr TimestampMs kReachStart = 1'000'000;
constexpr TimestampMs kReachEnd = 2'000'000;
constexpr int64_t kReachLookback = 300'000;

std::optional<Reach> ReachOf(const std::string& text, FeatureSwitches features = {}) {
  features.experimental_functions = features.extended_range_selectors = true;
  EngineOptions options;
  options.features = features;
  const Engine engine(options);
  const auto query = engine.Parse(text);
  EXPECT_TRUE(query) << text << ": " << query.error().message();
  const auto plan = MakePlan((*query)->expr(), {kReachStart, kReachEnd, 10'000, kReachLookback, 60'000});
  EXPECT_TRUE(plan) << text;
  return FindReach((*query)->expr(), **plan, kReachStart, kReachEnd, features);
}

TEST(ReachTest, WhatMovesWithTheStep) {
  struct Case {
    const char* query;
    TimeRange read;  // at step 1'500'000
  };
  const Case cases[] = {
      {"m", {1'200'001, 1'500'000}},
      {"m offset 1m", {1'140'001, 1'440'000}},
      {"m offset -1m", {1'260'001, 1'560'000}},
      {"rate(m[10m])", {900'001, 1'500'000}},
      {"sum by (a) (rate(m[1m])) / on (a) n", {1'200'001, 1'500'000}},
      {"max_over_time(rate(m[1m])[10m:1m] offset 1m)", {780'001, 1'440'000}},
  };
  for (const Case& c : cases) {
    const auto reach = ReachOf(c.query);
    ASSERT_TRUE(reach) << c.query;
    EXPECT_EQ(reach->Read(1'500'000, 1'500'000), c.read) << c.query << " " << reach->low << " " << reach->high;
    const TimestampMs last = reach->LastStepBefore(c.read.max + 1);
    EXPECT_EQ(last, 1'500'000) << c.query;
  }
}

TEST(ReachTest, WhatStandsStill) {
  const auto reach = ReachOf("m @ 500");
  ASSERT_TRUE(reach);
  EXPECT_TRUE(reach->standing);
  EXPECT_FALSE(reach->moving);
  EXPECT_EQ(reach->Read(1'500'000, 1'600'000), (TimeRange{200'001, 500'000}));
  EXPECT_EQ(reach->LastStepBefore(500'000), std::numeric_limits<TimestampMs>::min());
  EXPECT_GE(reach->LastStepBefore(500'001), kReachEnd);

  const auto both = ReachOf("m - n @ 500");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->Read(1'500'000, 1'600'000), (TimeRange{200'001, 1'600'000}));
  EXPECT_EQ(both->LastStepBefore(1'600'001), 1'600'000);
  EXPECT_EQ(both->LastStepBefore(500'000), std::numeric_limits<TimestampMs>::min());
}

TEST(ReachTest, WhatDependsOnMoreThanTheStep) {
  for (const char* query : {"time()",
                            "vector(1)",
                            "m @ start()",
                            "m @ end()",
                            "rate(m[5m] @ end())",
                            "m * end()",
                            "m + start()",
                            "m / range()",
                            "m offset range()",
                            "rate(m[range()])",
                            "label_replace(m, \"a\", \"$1\", \"b\", \"(.*)\")",
                            "label_join(m, \"a\", \"\", \"b\")",
                            "info(m)",
                            "{a=\"b\"}",
                            "rate({__name__=~\"m|n\"}[5m])",
                            "-(m or n)",
                            "max_over_time((m or n)[5m:1m])",
                            "rate(m[5m] anchored)",
                            "m smoothed",
                            "histogram_count(m)"}) {
    EXPECT_FALSE(ReachOf(query)) << query;
  }
  for (const char* query : {"m or n", "sum(m or n)", "-m", "m * step()", "{__name__=\"m\"}", "topk(3, m)", "absent(m)",
                            "histogram_quantile(0.9, m)"}) {
    EXPECT_TRUE(ReachOf(query)) << query;
  }
  FeatureSwitches features;
  features.delayed_name_removal = true;
  EXPECT_FALSE(ReachOf("m", features));
}

}  // namespace
}  // namespace epi::promql
