// Queries look often enough whether they are still wanted, and end where they see that they are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"
#include "promql/engine/engine.h"
#include "promql/engine/query_state.h"
#include "promql/engine/sort_while_wanted.h"
#include "testing/memory_storage.h"

namespace epi::promql {
namespace {

constexpr size_t kDeepSeries = 20;
constexpr size_t kWideSeries = 5000;
constexpr TimestampMs kEnd = 600'000;
constexpr size_t kSteps = 5001;

// Few series for queries of many steps, and many series for instant ones.
const testing::MemoryStorage& Store() {
  static const testing::MemoryStorage* store = [] {
    auto* made = new testing::MemoryStorage();
    const auto labels = [](const char* name, size_t i) {
      return Labels{{kMetricName, name}, {"instance", "i" + std::to_string(i)}, {"job", "j" + std::to_string(i % 7)}};
    };
    for (size_t s = 0; s < kDeepSeries; ++s) {
      FloatHistogram h;
      h.positive_spans = {{0, 2}};
      h.positive_buckets = {1, static_cast<double>(s)};
      h.count = 1 + static_cast<double>(s);
      for (TimestampMs t = 0; t <= kEnd; t += 15'000) {
        made->Append(labels("deep_total", s), t, std::sin(static_cast<double>(s)) * 1e6 + static_cast<double>(t));
        made->Append(labels("native", s), t, h);
      }
    }
    for (size_t s = 0; s < kWideSeries; ++s) {
      made->Append(labels("wide", s), kEnd, static_cast<double>(s * 7919 % kWideSeries));
      made->Append(labels("other", s), kEnd, 1);
      made->Append({{kMetricName, "classic"}, {"n", std::to_string(s / 5)}, {"le", std::to_string(s % 5)}}, kEnd, 1);
      made->Append({{kMetricName, "target_info"}, {"instance", "i" + std::to_string(s)}, {"v", "1"}}, kEnd, 1);
    }
    return made;
  }();
  return *store;
}

// Every look asks for the time. Stops the query at a look, when told which.
class LookClock final : public Clock {
 public:
  TimestampMs NowMs() const override { return 0; }
  int64_t NowNs() const override { return 0; }
  MonotonicNs Monotonic() const override {
    if (++looks == stop_at) source.request_stop();
    return looks;
  }
  bool WaitUntil(std::unique_lock<std::mutex>&, std::condition_variable&, MonotonicNs,
                 const std::function<bool()>& done) override {
    return done();
  }
  mutable int64_t looks = 0;
  int64_t stop_at = 0;
  mutable std::stop_source source;
};

struct Case {
  const char* query;
  bool instant;
  size_t units;  // of work that its operator does beside reading its input, in Checkpoints' measure; 0: not told
};
constexpr size_t kPoints = kSteps * kDeepSeries;
// Where a row alone is more than the work between two looks, there is one after each row.
constexpr size_t kRows = kDeepSeries * Checkpoints::kUnitsPerLook;
constexpr size_t kLabelSets = kWideSeries * Checkpoints::kPerLabelSet;
constexpr Case kCases[] = {
    {"deep_total", false, 0},
    {"quantile(0.5, deep_total)", false, kPoints},
    {"stddev(deep_total)", false, kPoints},
    {"sum(native)", false, kRows},
    {"topk(3, deep_total)", false, kPoints},
    {"topk by (instance) (3, deep_total)", false, kPoints},
    {"limitk(3, deep_total)", false, kPoints},
    {"count_values(\"v\", deep_total)", false, kPoints * 4 * Checkpoints::kPerLabelSet},
    {"exp(deep_total)", false, kPoints},
    {"-native", false, kRows},
    {"deep_total > 5", false, kPoints},
    {"histogram_stddev(native)", false, kRows},
    {"histogram_quantile(0.5, native)", false, kRows},
    {"deep_total / deep_total", false, kPoints},
    {"mad_over_time(deep_total[10m])", false, kRows},
    {"rate(native[10m])", false, kRows},
    // 6000 samples in each of 5001 windows, 2^21 of them between looks.
    {"quantile_over_time(0.5, (sum(deep_total))[10m:100ms])", false,
     (kSteps * 6000 >> 21) * Checkpoints::kUnitsPerLook},
    {"wide", true, 0},
    {"wide[5m]", true, 0},
    {"sort(wide)", true, 10 * 4 * kWideSeries},
    {"sort_by_label(wide, \"instance\")", true, 10 * 4 * kWideSeries},
    {"topk(5000, wide)", true, 10 * 4 * kWideSeries},
    {"limit_ratio(0.5, wide)", true, 4 * kLabelSets},
    {"sum by (instance) (wide)", true, kLabelSets},
    {"wide + other", true, 5 * kLabelSets},
    {"wide + on (instance) group_left target_info", true, 5 * kLabelSets},
    {"wide and other", true, 2 * kLabelSets},
    {"abs(wide)", true, kLabelSets},
    {"label_replace(wide, \"x\", \"$1\", \"instance\", \"i(.*)\")", true, 4 * kLabelSets},
    {"label_join(wide, \"x\", \"-\", \"instance\", \"job\")", true, 4 * kLabelSets},
    {"info(wide)", true, 4 * kLabelSets},
    {"histogram_quantile(0.5, classic)", true, 2 * kLabelSets},
};

QuerySpec SpecOf(const Case& c) {
  if (c.instant) return QuerySpec::Instant(c.query, kEnd);
  return QuerySpec::Range(c.query, kEnd - 500'000, kEnd, 100);
}

Result<QueryResult> RunCase(const Case& c, LookClock& clock) {
  EngineOptions options;
  options.clock = &clock;
  options.features.experimental_functions = true;
  options.timeout_ms = 1'000'000;
  QueryContext context;
  context.stop = clock.source.get_token();
  return Engine(options).Run(SpecOf(c), Store(), context);
}

int64_t LooksOf(const Case& c) {
  LookClock clock;
  const auto result = RunCase(c, clock);
  EXPECT_TRUE(result) << c.query << ": " << result.error().message();
  return clock.looks;
}

// A query that reads the same, but does nothing worth looking for with it.
Case InputOf(const Case& c) {
  const std::string_view text = c.query;
  if (!c.instant)
    return {text.find("native") == std::string_view::npos ? "absent(deep_total)" : "absent(native)", false, 0};
  return {text.find("classic") == std::string_view::npos ? "absent(wide)" : "absent(classic)", true, 0};
}

TEST(Cancellation, LooksFollowWork) {
  for (const Case& c : kCases) {
    if (c.units == 0) continue;
    // What is left over when a batch or a row ends may go uncounted.
    const auto least = static_cast<int64_t>(c.units / Checkpoints::kUnitsPerLook * 9 / 10);
    EXPECT_GE(LooksOf(c) - LooksOf(InputOf(c)), least) << c.query;
  }
}

TEST(Cancellation, EveryLookCanBeTheLast) {
  for (const Case& c : kCases) {
    const int64_t looks = LooksOf(c);
    // All of them would take long where there are many.
    const int64_t stride = std::max<int64_t>(1, looks / 8);
    for (int64_t at = 2; at < looks; at += stride) {
      LookClock clock;
      clock.stop_at = at;
      const auto result = RunCase(c, clock);
      // The looks at the end only tell how long the query took.
      if (result) {
        EXPECT_GE(at, looks - 5) << c.query;
        continue;
      }
      EXPECT_EQ(result.error().code(), ErrorCode::kCanceled) << c.query;
      // Whoever measures how long a part took asks for the time as well.
      EXPECT_LE(clock.looks, at + 2) << c.query << " stopped at " << at << " of " << looks;
    }
  }
}

TEST(Cancellation, AmbiguousMatchesAreFoundBeforePairsAreMade) {
  for (const char* query : {"wide * on () other", "wide * on () group_left other", "wide * on () group_right other"}) {
    LookClock clock;
    const auto result = RunCase({query, true, 0}, clock);
    ASSERT_FALSE(result) << query;
    EXPECT_THAT(result.error().message(), ::testing::HasSubstr("found duplicate series for the match group {}"));
    // 25 million pairs would be six thousand looks.
    EXPECT_LT(clock.looks, 1000) << query;
  }
}

TEST(SortWhileWanted, IsStableAndEnds) {
  const auto view = Store().OpenView({}).value();
  Budget budget("test");
  SeededRandom random{3};
  std::vector<std::pair<uint64_t, size_t>> items(10'000);
  for (size_t i = 0; i < items.size(); ++i) items[i] = {random.Below(500), i};
  const auto by_first = [](const auto& a, const auto& b) { return a.first < b.first; };
  for (const size_t count : {0, 1, 1023, 1024, 1025, 5000, 10'000}) {
    LookClock clock;
    QueryState query(*view, budget, clock);
    query.deadline = 1'000'000;
    std::vector<std::pair<uint64_t, size_t>> sorted(items.begin(), items.begin() + static_cast<ptrdiff_t>(count));
    auto expected = sorted;
    std::sort(expected.begin(), expected.end());  // by what stood first, among equals
    ASSERT_TRUE(SortWhileWanted(sorted, by_first, query));
    EXPECT_EQ(sorted, expected);
    EXPECT_GE(clock.looks, static_cast<int64_t>(count / 1024 * 1024 * 10 * 4 / Checkpoints::kUnitsPerLook));
  }
  LookClock clock;
  QueryState query(*view, budget, clock);
  query.deadline = 1'000'000;
  clock.stop_at = 2;
  query.stop = clock.source.get_token();
  const auto stopped = SortWhileWanted(items, by_first, query);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::kCanceled);
  EXPECT_EQ(clock.looks, 2);
}

}  // namespace
}  // namespace epi::promql
