// Writers, deletions, maintenance and cached queries at the same time: who has written sees it in every later answer.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "naive/cache_world.h"

namespace epi::naive {
namespace {

using promql::MatrixValue;
using promql::QuerySpec;

constexpr TimestampMs kFirstLate = 95 * 60'000;
constexpr TimestampMs kRaceNow = 105 * 60'000;
constexpr int kWriters = 3;
constexpr int kLateSamples = 120;

std::optional<double> ValueAt(const MatrixValue& matrix, TimestampMs time) {
  for (const auto& series : matrix) {
    for (const auto& point : series.floats) {
      if (point.t == time) return point.v;
    }
  }
  return std::nullopt;
}

// Late samples from the newest to the oldest, each looked for at once, and again with all that came before.
void WriteLate(CacheWorld& world, int writer) {
  const std::string name = std::to_string(writer);
  const Labels labels{{"__name__", "late"}, {"writer", name}};
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kRemoteWrite, name});
  const auto spec = QuerySpec::Range("late{writer=\"" + name + "\"}", kFirstLate, kRaceNow - 120'000, 1000);
  for (int n = kLateSamples; n > 0; --n) {
    const TimestampMs time = kFirstLate + n * 3000;
    appender->AddAt(*appender->Intern(labels), time, n);
    const auto report = appender->Commit(time);
    ASSERT_TRUE(report && report->all_accepted());
    const auto answer = world.Cached(spec);
    ASSERT_TRUE(answer);
    const auto& matrix = std::get<MatrixValue>(answer->value);
    for (int seen = n; seen <= kLateSamples; seen += 7) EXPECT_EQ(ValueAt(matrix, kFirstLate + seen * 3000), seen) << n;
    EXPECT_EQ(ValueAt(matrix, kFirstLate), std::nullopt);
  }
}

// Batches change two series at once; no answer shows one without the other.
void WritePairs(CacheWorld& world, const std::atomic<bool>& stop) {
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kScrape, "pairs"});
  for (int n = 0; !stop.load(); ++n) {
    const TimestampMs time = kFirstLate + (n * 7919) % 420'000;
    for (const char* side : {"a", "b"})
      appender->AddAt(*appender->Intern({{"__name__", "pair"}, {"side", side}}), time, n);
    ASSERT_TRUE(appender->Commit(time));
  }
}

void ReadPairs(CacheWorld& world, const std::atomic<bool>& stop) {
  const auto spec = QuerySpec::Range("pair{side=\"a\"} - on () pair{side=\"b\"}", kFirstLate, kRaceNow - 120'000, 2000);
  while (!stop.load()) {
    const auto answer = world.Cached(spec);
    ASSERT_TRUE(answer);
    for (const auto& series : std::get<MatrixValue>(answer->value)) {
      for (const auto& point : series.floats) EXPECT_EQ(point.v, 0) << point.t;
    }
  }
}

void Disturb(CacheWorld& world, const std::atomic<bool>& stop) {
  const std::vector<std::vector<Matcher>> sets = {{Matcher::Equal("__name__", "pair")}};
  while (!stop.load()) {
    EXPECT_TRUE(world.db().Maintain());
    EXPECT_TRUE(world.db().Delete(sets, {kFirstLate, kFirstLate + 60'000}));
  }
}

TEST(RangeCacheThreadsTest, WhatIsWrittenIsSeen) {
  CacheWorld world(kRaceNow);
  const auto appender = *world.db().OpenGroup({GroupIdentity::Kind::kScrape, "now"});
  appender->AddAt(*appender->Intern({{"__name__", "up"}}), kRaceNow, 1);
  ASSERT_TRUE(appender->Commit(kRaceNow));
  std::atomic<bool> stop = false;
  std::vector<std::thread> others;
  others.emplace_back([&] { WritePairs(world, stop); });
  others.emplace_back([&] { ReadPairs(world, stop); });
  others.emplace_back([&] { ReadPairs(world, stop); });
  others.emplace_back([&] { Disturb(world, stop); });
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) writers.emplace_back([&world, i] { WriteLate(world, i); });
  for (auto& thread : writers) thread.join();
  stop.store(true);
  for (auto& thread : others) thread.join();
  EXPECT_GT(world.cache().counts().partial + world.cache().counts().hits, 0u);
}

}  // namespace
}  // namespace epi::naive
