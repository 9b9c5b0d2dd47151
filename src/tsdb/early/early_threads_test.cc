// Writers that began before the head was there go on beside its loading and the hand-over, and lose nothing.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "testing/gated_file_system.h"
#include "testing/memory_file_system.h"
#include "testing/simulated_clock.h"
#include "tsdb/db.h"

namespace epi::tsdb {
namespace {

constexpr int kEarlyWriters = 3;
constexpr int kBatchesBeforeReplay = 20;
constexpr int kBatchesAfterwards = 20;

TEST(EarlyThreadsTest, WritersGoOnThroughTheHandOver) {
  testing::MemoryFileSystem fs;
  testing::GatedFileSystem gate(fs);
  testing::SimulatedClock clock;
  SeededRandom random{1};
  auto db = *Db::Open({.directory = "/data"}, {gate, clock, random, Logger()});
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0;  // writers that have written enough for the replay to go on; guarded by mutex
  gate.SetHook([&](const std::string& path) {
    if (!path.ends_with("/snapshot") || !db->early_log().open()) return;
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun == kEarlyWriters; });
  });
  db->Start();
  ASSERT_TRUE(db->AwaitAppendable());
  EXPECT_FALSE(db->ready());
  std::vector<std::thread> writers;
  std::array<std::atomic<int>, kEarlyWriters> written{};
  for (int w = 0; w < kEarlyWriters; ++w) {
    writers.emplace_back([&, w] {
      const auto appender = *db->OpenGroup({GroupIdentity::Kind::kScrape, std::to_string(w)});
      const SeriesRef steady = *appender->Intern({{"__name__", "steady"}, {"w", std::to_string(w)}});
      int after = 0;
      for (int n = 1; after < kBatchesAfterwards; ++n) {
        appender->Add(steady, n);
        appender->Add(*appender->Intern({{"__name__", "new"}, {"w", std::to_string(w)}, {"n", std::to_string(n % 7)}}),
                      n);
        const auto report = appender->Commit(1'000'000 + n);
        ASSERT_TRUE(report) << report.error().message();
        ASSERT_EQ(report->accepted, 2u);
        ASSERT_TRUE(report->dead.empty());
        written[static_cast<size_t>(w)] = n;
        if (n == kBatchesBeforeReplay) {
          const std::lock_guard lock(mutex);
          ++begun;
          changed.notify_all();
        }
        if (db->ready()) ++after;
      }
    });
  }
  EXPECT_TRUE(db->AwaitReady());
  for (auto& writer : writers) writer.join();
  gate.SetHook({});
  const auto view = *db->OpenView({});
  Budget budget("test");
  for (int w = 0; w < kEarlyWriters; ++w) {
    const auto selection =
        view->Select(std::vector{Matcher::Equal("__name__", "steady"), Matcher::Equal("w", std::to_string(w))},
                     SelectHints{}, budget);
    SeriesBatch batch;
    ASSERT_TRUE((*selection)->Read(0, 1, batch));
    const SeriesSamples& series = batch.series[0];
    ASSERT_EQ(series.t.size(), static_cast<size_t>(written[static_cast<size_t>(w)].load()));
    for (size_t i = 0; i < series.t.size(); ++i) ASSERT_EQ(series.v[i], static_cast<double>(i + 1));
  }
  EXPECT_TRUE(db->Close());
}

}  // namespace
}  // namespace epi::tsdb
