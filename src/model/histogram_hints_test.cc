#include "model/histogram_hints.h"

#include <gtest/gtest.h>

#include "model/sample.h"

namespace epi {
namespace {

FloatHistogram Count(double count) {
  FloatHistogram h;
  h.count = count;
  h.positive_spans = {{0, 1}};
  h.positive_buckets = {count};
  return h;
}

TEST(HistogramHintsTest, AChunkGoesOnUntilSomethingFalls) {
  HistogramHints hints;
  EXPECT_EQ(hints.Next(Count(1)), CounterResetHint::kUnknown);
  EXPECT_EQ(hints.Next(Count(3)), CounterResetHint::kNotReset);
  EXPECT_EQ(hints.Next(Count(2)), CounterResetHint::kUnknown);
  EXPECT_EQ(hints.Next(Count(2)), CounterResetHint::kNotReset);
  hints.Break();
  EXPECT_EQ(hints.Next(Count(9)), CounterResetHint::kUnknown);
}

TEST(HistogramHintsTest, GaugesStaleMarkersAndLayoutsBeginChunks) {
  HistogramHints hints;
  FloatHistogram gauge = Count(1);
  gauge.counter_reset_hint = CounterResetHint::kGauge;
  FloatHistogram stale;
  stale.sum = StaleNaN();
  FloatHistogram coarse = Count(20);
  coarse.schema = -1;
  EXPECT_EQ(hints.Next(gauge), CounterResetHint::kGauge);
  EXPECT_EQ(hints.Next(Count(2)), CounterResetHint::kUnknown);
  EXPECT_EQ(hints.Next(stale), CounterResetHint::kNotReset);
  EXPECT_EQ(hints.Next(Count(3)), CounterResetHint::kUnknown);
  EXPECT_EQ(hints.Next(coarse), CounterResetHint::kUnknown);
  FloatHistogram reset = coarse;
  reset.count = 30;
  reset.counter_reset_hint = CounterResetHint::kReset;
  EXPECT_EQ(hints.Next(reset), CounterResetHint::kUnknown);
}

}  // namespace
}  // namespace epi
