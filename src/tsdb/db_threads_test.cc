// Readers beside writers and maintenance: no view ever shows a part of a batch, or less than an earlier view did.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int kGroups = 3;
constexpr int kSeriesPerGroup = 70;

// How many batches each group has written.
using Progress = std::array<std::atomic<int>, kGroups>;

int Slowest(const Progress& progress) {
  return std::min_element(progress.begin(), progress.end(), [](const auto& a, const auto& b) { return a < b; })->load();
}

// All series of group g have value n in its n-th batch, so a view of whole batches has the same last value everywhere.
void WriteGroup(Db& db, int group, const std::atomic<bool>& stop, Progress& progress) {
  auto appender = *db.OpenGroup({GroupIdentity::Kind::kScrape, std::to_string(group)});
  for (int n = 1; !stop.load(); ++n) {
    // Half a block range behind the newest sample is out of bounds, so nobody may run further ahead than that.
    while (n > Slowest(progress) + 50 && !stop.load()) std::this_thread::yield();
    for (int i = 0; i < kSeriesPerGroup; ++i) {
      // Some series go away and new ones come, with new symbols.
      const int name = i < 60 ? i : i + n / 10 * 10;
      const auto ref =
          appender->Intern({{"__name__", "m"}, {"group", std::to_string(group)}, {"i", std::to_string(name)}});
      ASSERT_TRUE(ref);
      appender->Add(*ref, n);
    }
    const auto report = appender->Commit(1'000'000 + n * 100);
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->any_sample_refused());
    progress[static_cast<size_t>(group)].store(n);
  }
}

// The newest value of each stable series of a group, which is `since` at least; all must be equal. Returns that value.
double NewestOf(const View& view, int group, double since) {
  Budget budget("test");
  SelectHints hints;
  hints.range.min = 1'000'000 + static_cast<TimestampMs>(since) * 100;
  const auto selection = view.Select(std::vector{Matcher::Equal("group", std::to_string(group)),
                                                 *Matcher::Make(MatchType::kRegexp, "i", "[0-9]|[1-5][0-9]")},
                                     hints, budget);
  EXPECT_TRUE(selection);
  EXPECT_EQ((*selection)->size(), 60u);
  SeriesBatch batch;
  double newest = -1;
  size_t samples = 0;
  for (size_t first = 0; first < (*selection)->size(); first += 7) {  // several reads, so that writers come in between
    const size_t count = std::min<size_t>(7, (*selection)->size() - first);
    EXPECT_TRUE((*selection)->Read(first, count, batch));
    for (const auto& series : batch.series) {
      EXPECT_FALSE(series.v.empty());
      if (series.v.empty()) return -1;
      if (newest < 0) {
        newest = series.v.back();
        samples = series.v.size();
      }
      EXPECT_EQ(series.v.back(), newest) << "part of a batch";
      EXPECT_EQ(series.v.size(), samples);
    }
  }
  return newest;
}

void Hunt(const Db& db, std::atomic<bool>& stop, int rounds) {
  std::vector<double> before(kGroups, 0);
  for (int round = 0; round < rounds; ++round) {
    const auto view = *db.OpenView({});
    for (int group = 0; group < kGroups; ++group) {
      const double since = before[static_cast<size_t>(group)];
      const double first = NewestOf(*view, group, since);
      EXPECT_EQ(NewestOf(*view, group, since), first) << "a view stands still";
      EXPECT_GE(first, since);
      before[static_cast<size_t>(group)] = first;
    }
    Budget budget("test");
    EXPECT_GE(view->LabelValues("i", {}, 0, budget)->size(), 60u);
  }
  stop.store(true);
}

TEST(DbThreadsTest, NoReaderSeesAPartOfABatch) {
  testing::MemoryFileSystem fs;
  testing::SimulatedClock clock;
  DbOptions options;
  options.directory = "/data";
  options.head.group.phase_entries = 20;
  options.head.group.block_range_ms = 20'000;
  options.wal_segment_bytes = 100'000;
  auto db = std::move(*Db::Open(options, {fs, clock, SystemRandom(), {}}));
  db->Start();
  ASSERT_TRUE(db->AwaitReady());
  std::atomic<bool> stop{false};
  Progress progress{};
  std::vector<std::thread> threads;
  for (int group = 0; group < kGroups; ++group)
    threads.emplace_back([&, group] { WriteGroup(*db, group, stop, progress); });
  while (Slowest(progress) == 0) std::this_thread::yield();
  std::thread second([&] {
    std::atomic<bool> ignored{false};
    Hunt(*db, ignored, 300);
  });
  std::thread timer([&] {
    while (!stop.load()) {
      clock.AdvanceMs(1000);
      EXPECT_GE(db->Status(3).series, 1u);
      const auto done = db->Maintain();
      EXPECT_TRUE(done) << done.error().message();
      std::this_thread::yield();
    }
  });
  Hunt(*db, stop, 400);
  second.join();
  timer.join();
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(db->Close());
}

}  // namespace
}  // namespace epi::tsdb
