// Results do not depend on the number of threads, queries run beside each other, and what should stop a query does.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "model/number_format.h"
#include "promql/engine/engine.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::promql {
namespace {

using testing::MemoryStorage;

constexpr int64_t kMinute = 60'000;

// Enough series that a range query is cut into many pieces.
const MemoryStorage& Store() {
  static const MemoryStorage* store = [] {
    auto* made = new MemoryStorage();
    for (int s = 0; s < 300; ++s) {
      const Labels labels = {
          {kMetricName, "requests_total"}, {"job", "j" + std::to_string(s % 7)}, {"instance", "i" + std::to_string(s)}};
      for (int i = 0; i < 40; ++i) {
        if ((s * 13 + i) % 17 == 0) continue;
        made->Append(labels, i * 15'000 + (s % 3) * 100, std::sin(s) * 1e6 + i * (s % 5 + 0.1));
      }
    }
    return made;
  }();
  return *store;
}

std::string Print(const QueryResult& result) {
  std::string out;
  for (const auto& series : std::get<MatrixValue>(result.value)) {
    out += series.labels.ToString();
    for (const auto& point : series.floats) out += " " + std::to_string(point.t) + ":" + FormatFloatExponent(point.v);
    out += "\n";
  }
  for (const auto& text : result.warnings) out += text + "\n";
  for (const auto& text : result.infos) out += text + "\n";
  return out + std::to_string(result.stats.samples.peak) + " " + std::to_string(result.stats.samples.samples_read);
}

const char* const kQueries[] = {
    "rate(requests_total[2m])",
    "sum by (job) (rate(requests_total[2m]))",
    "avg(requests_total) / on () group_left () count(requests_total)",
    "topk by (job) (2, avg_over_time(requests_total[3m]))",
    "max_over_time(sum by (job) (rate(requests_total[1m]))[5m:30s])",
    "stddev by (job) (requests_total offset 1m) > 10",
};

TEST(EngineThreads, ResultsAreTheSameForAnyNumber) {
  ThreadPool pool(6);
  for (const char* text : kQueries) {
    const QuerySpec spec = QuerySpec::Range(text, 2 * kMinute, 10 * kMinute, 1000);  // many steps make small pieces
    std::string expected;
    for (const size_t threads : {1, 2, 7}) {
      EngineOptions options;
      options.pool = &pool;
      options.threads = threads;
      const auto result = Engine(options).Run(spec, Store());
      ASSERT_TRUE(result) << result.error().message();
      const std::string printed = Print(*result);
      if (expected.empty()) expected = printed;
      EXPECT_EQ(printed, expected) << text << " with " << threads << " threads";
    }
  }
}

TEST(EngineThreads, QueriesRunBesideEachOther) {
  ThreadPool pool(2);
  EngineOptions options;
  options.pool = &pool;
  options.threads = 2;
  options.max_concurrency = 2;
  const Engine engine(options);
  const auto parsed = engine.Parse("sum by (job) (rate(requests_total[2m]))").value();
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 5; ++n) {
        const auto result = engine.Run(*parsed, QuerySpec::Range("", 2 * kMinute, 10 * kMinute, kMinute), Store());
        if (!result || std::get<MatrixValue>(result->value).size() != 7) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
}

TEST(EngineThreads, AStopEndsAQuery) {
  const Engine engine{EngineOptions{}};
  std::stop_source source;
  source.request_stop();
  QueryContext context;
  context.stop = source.get_token();
  const auto result = engine.Run(QuerySpec::Instant("requests_total", kMinute), Store(), context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCanceled);
  EXPECT_EQ(result.error().message(), "query was canceled in query queue");
}

TEST(EngineThreads, AQueryThatWaitsTooLongGivesUp) {
  testing::SimulatedClock clock;
  EngineOptions options;
  options.clock = &clock;
  options.max_concurrency = 1;
  options.timeout_ms = 1000;
  const Engine engine(options);
  // A view that keeps the only slot until it is told to go on.
  class SlowView final : public View {
   public:
    Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher>, const SelectHints&,
                                                    Budget&) const override {
      entered.store(true);
      entered.notify_all();
      release.wait(false);
      return Fail(ErrorCode::kIo, "disk on fire");
    }
    Result<std::vector<std::string>> LabelValues(std::string_view, std::span<const Matcher>, size_t,
                                                 Budget&) const override {
      return std::vector<std::string>();
    }
    Result<std::vector<std::string>> LabelNames(std::span<const Matcher>, size_t, Budget&) const override {
      return std::vector<std::string>();
    }
    Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>>, TimeRange) const override {
      return std::vector<SeriesExemplars>();
    }
    const SymbolSpace& symbols() const override { return view_->symbols(); }
    mutable std::atomic<bool> entered{false};
    mutable std::atomic<bool> release{false};

   private:
    std::shared_ptr<const View> view_ = Store().OpenView({}).value();
  };
  const SlowView view;
  std::thread first([&] {
    const auto result = engine.Run(QuerySpec::Instant("requests_total", kMinute), view);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "expanding series: disk on fire");
  });
  view.entered.wait(false);
  std::thread second([&] {
    const auto result = engine.Run(QuerySpec::Instant("1", kMinute), Store());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(result.error().message(), "query timed out in query queue");
  });
  clock.AwaitWaiters(1);
  clock.AdvanceMs(1001);
  second.join();
  view.release.store(true);
  view.release.notify_all();
  first.join();
}

TEST(EngineThreads, MemoryIsLimited) {
  EngineOptions options;
  options.max_memory_per_query = 1'500'000;
  const Engine engine(options);
  const auto result =
      engine.Run(QuerySpec::Range("requests_total + requests_total", 2 * kMinute, 10 * kMinute, 250), Store());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kLimit);
  EXPECT_NE(result.error().message().find("1500000"), std::string::npos) << result.error().message();
  EXPECT_NE(result.error().message().find("{__name__=\"requests_total\"} with 300"), std::string::npos)
      << result.error().message();
  // What was charged is given back: a small query runs afterwards.
  EXPECT_TRUE(engine.Run(QuerySpec::Instant("sum(requests_total)", kMinute), Store()));
}

}  // namespace
}  // namespace epi::promql
