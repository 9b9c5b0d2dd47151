#include "storage/change_log.h"

#include <gtest/gtest.h>

namespace epi {
namespace {

TEST(ChangeLogTest, OnlyWatchedTimesAreRemembered) {
  ChangeLog log;
  EXPECT_EQ(log.Watch(1000), 0u);
  log.End(log.Begin({1001, 2000}));
  EXPECT_EQ(log.Watch(1000), 0u);
  log.End(log.Begin({900, 2000}));
  EXPECT_EQ(log.Watch(1000), 1u);
  EXPECT_EQ(log.FirstTouched(0, {0, 1000}), 900);
  EXPECT_EQ(log.FirstTouched(0, {950, 1000}), 950);
  EXPECT_EQ(log.FirstTouched(0, {0, 899}), ChangeLog::kNever);
  EXPECT_EQ(log.FirstTouched(1, {0, 1000}), ChangeLog::kNever);
}

TEST(ChangeLogTest, AChangeUnderWayCountsWhateverThePosition) {
  ChangeLog log;
  const uint64_t ticket = log.Begin({100, 200});
  const uint64_t position = log.Watch(500);
  EXPECT_EQ(log.FirstTouched(position, {0, 500}), 100);
  log.End(ticket);
  // Watched meanwhile, so it is remembered although it began before.
  EXPECT_EQ(log.FirstTouched(position, {0, 500}), 100);
  EXPECT_EQ(log.FirstTouched(log.Watch(500), {0, 500}), ChangeLog::kNever);
}

TEST(ChangeLogTest, ManyChangesAreTakenTogetherAndNoneIsForgotten) {
  ChangeLog log;
  log.Watch(1'000'000);
  for (TimestampMs t = 1000; t > 0; --t) log.End(log.Begin({t, t}));
  for (uint64_t position = 0; position < 1000; ++position) {
    EXPECT_EQ(log.FirstTouched(position, {0, 2000}), 1) << position;
    EXPECT_LE(log.FirstTouched(position, {500, 2000}), position < 500 ? 500 : ChangeLog::kNever) << position;
  }
  EXPECT_EQ(log.FirstTouched(1000, {0, 2000}), ChangeLog::kNever);
}

TEST(ChangeLogTest, ScopedChangeEndsWithItsScope) {
  ChangeLog log;
  log.Watch(10);
  { const ScopedChange change(&log, {3, 4}); }
  EXPECT_EQ(log.FirstTouched(0, {0, 10}), 3);
  { const ScopedChange none(nullptr, {1, 2}); }
  EXPECT_EQ(log.FirstTouched(0, {0, 10}), 3);
}

}  // namespace
}  // namespace epi
