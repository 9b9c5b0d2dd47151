#include "promql/plan/plan.h"

#include <gtest/gtest.h>

#include "promql/parser/parser.h"
#include "promql/plan/subtrees.h"

namespace epi::promql {
namespace {

constexpr int64_t kMinute = 60'000;

PlanPtr Plan(std::string_view text) {
  const auto expr = ParseExpr(text, ParseOptions::AllEnabled());
  EXPECT_TRUE(expr) << text;
  auto plan = MakePlan(**expr, {10 * kMinute, 20 * kMinute, kMinute, 5 * kMinute, kMinute});
  EXPECT_TRUE(plan) << text;
  return std::move(*plan);
}

std::string Described(std::string_view text) { return Describe(*Plan(text)); }

TEST(Plan, ParenthesesAndUnaryPlusAreGone) { EXPECT_EQ(Described("+((1))"), "number 1\n"); }

TEST(Plan, QueryTimesAreNumbers) {
  EXPECT_EQ(Plan("start()")->number, 600);
  EXPECT_EQ(Plan("end()")->number, 1200);
  EXPECT_EQ(Plan("range()")->number, 600);
  EXPECT_EQ(Plan("step()")->number, 60);
}

TEST(Plan, TheLargestInvariantPartsAreWrapped) {
  EXPECT_EQ(Described("sum(rate(a[5m] @ 100)) + b"),
            "binary +\n"
            "  step invariant\n"
            "    aggregate sum\n"
            "      call rate\n"
            "        range selector __name__=\"a\" for no labels\n"
            "  selector __name__=\"b\"\n");
  EXPECT_EQ(Described("vector(1)"), "step invariant\n  call vector\n    number 1\n");
  // A subquery has steps of its own, so its inside is wrapped on its own.
  EXPECT_EQ(Described("max_over_time((a @ 100)[5m:1m])"),
            "call max_over_time\n"
            "  subquery\n"
            "    step invariant\n"
            "      selector __name__=\"a\"\n");
}

TEST(Plan, TimeDependentFunctionsAreNotInvariant) {
  EXPECT_EQ(Described("time()"), "call time\n");
  EXPECT_EQ(Described("predict_linear(a[5m] @ 100, 60)"),
            "call predict_linear\n  range selector __name__=\"a\"\n  number 60\n");
  EXPECT_EQ(Described("timestamp(a @ 100)"), "step invariant\n  call timestamp\n    selector __name__=\"a\"\n");
}

TEST(Plan, ReadRangeCoversAllSelectors) {
  const TimeRange range = ReadRange(*Plan("rate(a[10m] offset 1h) + b @ 5"));
  EXPECT_EQ(range.min, 10 * kMinute - 10 * kMinute - 60 * kMinute + 1);
  EXPECT_EQ(range.max, 5000);
}

TEST(Plan, DurationsAreChecked) {
  const auto expr = ParseExpr("a[step() - step()]", ParseOptions::AllEnabled());
  ASSERT_TRUE(expr);
  EXPECT_FALSE(MakePlan(**expr, {0, 0, 0, 5 * kMinute, kMinute}));
}

TEST(Plan, HistogramStatsNeedNoBuckets) {
  EXPECT_TRUE(Plan("histogram_count(a)")->children[0]->histogram_stats);
  EXPECT_TRUE(Plan("histogram_avg(rate(a[5m]))")->children[0]->children[0]->histogram_stats);
  EXPECT_FALSE(Plan("histogram_quantile(0.5, a)")->children[1]->histogram_stats);
  EXPECT_FALSE(Plan("histogram_count(histogram_quantile(0.5, a))")->children[0]->children[1]->histogram_stats);
}

TEST(RepeatedSubtrees, FindsTheLargest) {
  const PlanPtr plan = Plan("rate(a[5m]) / (rate(a[5m]) + rate(a[5m] offset 1m))");
  const RepeatedSubtrees repeated(*plan, StepGrid::Range(0, kMinute, 1000));
  const PlanNode& left = *plan->children[0];
  const PlanNode& sum = *plan->children[1];
  ASSERT_NE(repeated.Find(left), RepeatedSubtrees::kOnce);
  EXPECT_EQ(repeated.Find(left), repeated.Find(*sum.children[0]));
  EXPECT_EQ(repeated.Find(*sum.children[1]), RepeatedSubtrees::kOnce);
  EXPECT_EQ(repeated.Find(*plan), RepeatedSubtrees::kOnce);
}

TEST(RepeatedSubtrees, OtherStepsAreOtherValues) {
  const PlanPtr plan = Plan("a + max_over_time(a[5m:1m])");
  const RepeatedSubtrees repeated(*plan, StepGrid::Range(0, kMinute, 1000));
  EXPECT_EQ(repeated.Find(*plan->children[0]), RepeatedSubtrees::kOnce);
}

TEST(RepeatedSubtrees, ConstantsAreNotKept) {
  const PlanPtr plan = Plan("a * 2 + b * 2");
  const RepeatedSubtrees repeated(*plan, StepGrid::Range(0, kMinute, 1000));
  EXPECT_EQ(repeated.Find(*plan->children[0]->children[1]), RepeatedSubtrees::kOnce);
}

}  // namespace
}  // namespace epi::promql
