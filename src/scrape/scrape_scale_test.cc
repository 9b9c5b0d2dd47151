// Ten thousand targets: every one is scraped in every interval, by the same few threads.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <thread>
#include <unordered_map>

#include "scrape/scrape_manager.h"
#include "testing/fake_http_client.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::scrape {
namespace {

constexpr int kTargets = 10'000;
constexpr int64_t kScaleInterval = 15'000;
constexpr int kRounds = 3;

// Threads of this process, or 0 where that cannot be told.
int ThreadCount() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  }
  return 0;
}

TEST(ScrapeScaleTest, TenThousandTargets) {
  epi::testing::MemoryStorage storage;
  epi::testing::FakeHttpClient http;
  epi::testing::SimulatedClock clock(1'700'000'000'000);
  SeededRandom seeded(1);
  MetricRegistry registry;
  ScrapeManager manager({storage, http, PosixFileSystem(), clock, seeded, Logger(), registry}, {});
  const int threads = ThreadCount();

  ScrapeJob job;
  job.job_name = "j";
  job.scrape_interval = kScaleInterval;
  ASSERT_TRUE(manager.ApplyConfig({job}, 0));
  auto group = std::make_shared<TargetGroup>();
  for (int i = 0; i < kTargets; ++i) {
    const std::string address = "host:" + std::to_string(i);
    group->targets.push_back(Labels{{"__address__", address}});
    http.Script("http://" + address + "/metrics", "a 1\n");
  }
  manager.UpdateTargets({{"j", {group}}});
  while (manager.SyncsPending()) std::this_thread::yield();
  manager.AwaitIdle();
  for (int64_t at = 0; at < kRounds * kScaleInterval; at += 100) {
    clock.AdvanceMs(100);
    manager.AwaitIdle();
  }
  EXPECT_EQ(ThreadCount(), threads);
  std::unordered_map<std::string, int> scrapes;
  for (const auto& request : http.requests()) ++scrapes[request.url];
  ASSERT_EQ(scrapes.size(), static_cast<size_t>(kTargets));
  for (const auto& [url, count] : scrapes) EXPECT_EQ(count, kRounds) << url;
  manager.Stop();
}

}  // namespace
}  // namespace epi::scrape
