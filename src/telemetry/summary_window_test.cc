#include "telemetry/summary_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace epi {
namespace {

constexpr MonotonicNs kMinute = 60'000'000'000;

TEST(SummaryWindow, NothingIsNotANumber) {
  SummaryWindow window({0.5, 0.99});
  const auto quantiles = window.Show(kMinute).quantiles;
  ASSERT_EQ(quantiles.size(), 2u);
  EXPECT_TRUE(std::isnan(quantiles[0]) && std::isnan(quantiles[1]));
  window.Observe(std::nan(""), kMinute);
  EXPECT_EQ(window.Show(kMinute).count, 1u);
  EXPECT_TRUE(std::isnan(window.Show(kMinute).quantiles[0]));
}

TEST(SummaryWindow, OneValueIsShownAsItWas) {
  for (const double value : {0.0, -3.0, 1e-12, 0.1, 2.0, 1e300, std::numeric_limits<double>::infinity()}) {
    SummaryWindow window({0.01, 0.5, 1});
    window.Observe(value, 0);
    window.Observe(value, kMinute);
    const auto shown = window.Show(kMinute);
    EXPECT_EQ(shown.quantiles, std::vector<double>(3, value));
    EXPECT_EQ(shown.count, 2u);
    EXPECT_EQ(shown.sum, 2 * value);
  }
}

TEST(SummaryWindow, QuantilesHaveTheirRankAndAreHardlyOff) {
  // A spread of eight decades: the value of rank r is known.
  const auto nth = [](int r) { return std::pow(10, -7 + 8 * r / 1000.0); };
  SummaryWindow window({0, 0.001, 0.01, 0.5, 0.9, 0.99, 1});
  for (int i = 0; i < 1000; ++i) window.Observe(nth(i * 7919 % 1000 + 1), 0);
  const auto quantiles = window.Show(0).quantiles;
  const std::vector<int> ranks = {1, 1, 10, 500, 900, 990, 1000};
  for (size_t i = 0; i < ranks.size(); ++i) {
    EXPECT_NEAR(quantiles[i] / nth(ranks[i]), 1, 1.0 / 62) << ranks[i];
  }
}

TEST(SummaryWindow, ForgetsStepByStep) {
  SummaryWindow window({0, 1});
  window.Observe(1, 0);
  window.Observe(2, 3 * kMinute);
  EXPECT_EQ(window.Show(10 * kMinute - 1).quantiles, (std::vector<double>{1, 2}));
  EXPECT_EQ(window.Show(10 * kMinute).quantiles, (std::vector<double>{2, 2}));
  EXPECT_TRUE(std::isnan(window.Show(12 * kMinute).quantiles[0]));
  window.Observe(5, 1000 * kMinute);
  EXPECT_EQ(window.Show(1001 * kMinute).quantiles, (std::vector<double>{5, 5}));
}

TEST(SummaryWindow, SmallerAndLargerValuesComeLater) {
  SummaryWindow window({0, 0.5, 1});
  for (const double value : {1.0, 1e-9, 1e9, 1e-20, 1e20}) window.Observe(value, 0);
  const auto quantiles = window.Show(0).quantiles;
  EXPECT_LT(quantiles[0], 1e-9);
  EXPECT_NEAR(quantiles[1], 1, 1.0 / 62);
  EXPECT_GT(quantiles[2], 1e12);
}

}  // namespace
}  // namespace epi
