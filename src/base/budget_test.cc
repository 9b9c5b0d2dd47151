#include "base/budget.h"

#include <gtest/gtest.h>

namespace epi {
namespace {

TEST(Budget, ChargesGoToTheParentTooAndComeBack) {
  Budget total("all queries", 100);
  {
    Budget one("query", 80, &total);
    EXPECT_TRUE(one.Charge(60));
    EXPECT_EQ(total.used(), 60);
    EXPECT_FALSE(one.Charge(30));  // over its own limit
    EXPECT_EQ(one.used(), 60);
    EXPECT_EQ(total.used(), 60);
  }
  EXPECT_EQ(total.used(), 0);
}

TEST(Budget, TheParentsLimitIsNamedAndNothingStaysCharged) {
  Budget total("all queries", 100);
  Budget one("query", Budget::kUnlimited, &total);
  const auto refused = one.Charge(101);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimit);
  EXPECT_EQ(refused.error().message(), "all queries would need 101 bytes of memory, more than its limit of 100");
  EXPECT_EQ(one.used(), 0);
  EXPECT_EQ(total.used(), 0);
}

TEST(BudgetCharge, GivesBackAtTheEndOfItsScopeAndWhenMoved) {
  Budget budget("b", 10);
  {
    BudgetCharge first(budget);
    ASSERT_TRUE(first.Add(4));
    BudgetCharge second = std::move(first);
    EXPECT_EQ(budget.used(), 4);
    ASSERT_TRUE(second.Add(6));
    EXPECT_FALSE(second.Add(1));
    EXPECT_EQ(second.bytes(), 10);
  }
  EXPECT_EQ(budget.used(), 0);
  EXPECT_EQ(budget.peak(), 10);
}

}  // namespace
}  // namespace epi
