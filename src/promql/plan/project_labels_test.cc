#include <gtest/gtest.h>

#include "promql/parser/parser.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

std::string ProjectedPlan(std::string_view text) {
  const auto expr = ParseExpr(text, ParseOptions::AllEnabled());
  EXPECT_TRUE(expr) << text;
  auto plan = MakePlan(**expr, {600'000, 1'200'000, 60'000, 300'000, 60'000});
  EXPECT_TRUE(plan) << text;
  return Describe(**plan);
}

TEST(ProjectLabels, GroupingLabelsAreEnoughForWhatIsGrouped) {
  EXPECT_EQ(ProjectedPlan("sum by (job, pod) (rate(a[5m]) * 2)"),
            "aggregate sum\n  binary *\n    call rate\n      range selector __name__=\"a\" for job pod\n    number 2\n");
  EXPECT_EQ(ProjectedPlan("sum(abs(-a))"),
            "aggregate sum\n  call abs\n    negate\n      selector __name__=\"a\" for no labels\n");
}

TEST(ProjectLabels, AllLabelsMatterElsewhere) {
  for (const std::string_view text :
       {"a", "rate(a[5m])", "sum without (job) (a)", "topk by (job) (1, a)", "count_values by (job) (\"v\", a)",
        "sum by (__name__) (a)", "sum by (__type__, job) (a)", "sum by (job) (a + on (job) b)",
        "sum by (job) (label_replace(a, \"x\", \"$1\", \"y\", \"(.*)\"))", "sum by (job) (histogram_quantile(0.9, a))",
        "sum by (job) (rate(a[5m:1m]))", "sum by (job) (topk(1, a))", "sum by (job) (absent(a))"}) {
    EXPECT_EQ(ProjectedPlan(text).find(" for "), std::string::npos) << text;
  }
}

TEST(ProjectLabels, AParameterIsNotWhatIsGrouped) {
  EXPECT_EQ(ProjectedPlan("quantile by (job) (scalar(b), a)"),
            "aggregate quantile\n  selector __name__=\"a\" for job\n  call scalar\n    selector __name__=\"b\"\n");
}

}  // namespace
}  // namespace epi::promql
