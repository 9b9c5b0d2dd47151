#include <gtest/gtest.h>

#include <cmath>

#include "promql/parser/parser.h"
#include "promql/plan/plan.h"

namespace epi::promql {
namespace {

PlanPtr FoldedPlan(std::string_view text, size_t expected_changes) {
  const auto expr = ParseExpr(text, ParseOptions::AllEnabled());
  EXPECT_TRUE(expr) << text;
  std::vector<PassReport> reports;
  auto plan = MakePlan(**expr, {600'000, 1'200'000, 60'000, 300'000, 60'000}, &reports);
  EXPECT_TRUE(plan) << text;
  for (const auto& report : reports) {
    if (report.name != "constant folding") continue;
    EXPECT_EQ(report.changes, expected_changes) << text;
  }
  return std::move(*plan);
}

double FoldedValue(std::string_view text) {
  const PlanPtr plan = FoldedPlan(text, 1);
  EXPECT_EQ(plan->kind, PlanKind::kNumber) << text;
  EXPECT_NE(plan->folded, nullptr) << text;
  return plan->number;
}

TEST(FoldConstants, NumbersAloneBecomeOne) {
  EXPECT_EQ(FoldedValue("1 + 2 * 3"), 7);
  EXPECT_EQ(FoldedValue("-(2 ^ 3)"), -8);
  EXPECT_EQ(FoldedValue("7 % 4 == bool 3"), 1);
  EXPECT_EQ(FoldedValue("max_of(1, min_of(5, 3))"), 3);
  EXPECT_EQ(FoldedValue("end() - start()"), 600);
  EXPECT_EQ(FoldedValue("1 atan2 1"), std::atan2(1.0, 1.0));
  EXPECT_TRUE(std::isnan(FoldedValue("0 / 0")));
  EXPECT_TRUE(std::signbit(FoldedValue("-(0 * 1)")));
}

TEST(FoldConstants, TheLargestPartIsTaken) {
  const PlanPtr plan = FoldedPlan("a * (1 + (2 - 3))", 1);
  EXPECT_EQ(Describe(*plan), "binary *\n  selector __name__=\"a\"\n  number 0 folded\n");
}

TEST(FoldConstants, WhatDependsOnTimeOrDataIsLeft) {
  FoldedPlan("time() + 1", 0);
  FoldedPlan("scalar(a) + 1", 0);
  FoldedPlan("2", 0);
  FoldedPlan("vector(1) + 1", 0);
  FoldedPlan("max_of(time(), 1)", 0);
  FoldedPlan("(1 + 1) * time() + (2 + 2)", 2);
}

}  // namespace
}  // namespace epi::promql
