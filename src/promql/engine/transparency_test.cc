// Running queries can be seen and stopped, what operators did is told, and queries are written to a log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/number_format.h"
#include "promql/engine/engine.h"
#include "testing/memory_file_system.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::promql {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTestMinute = 60'000;

testing::MemoryStorage TestStore() {
  testing::MemoryStorage store;
  for (int s = 0; s < 20; ++s) {
    for (int i = 0; i < 40; ++i) {
      store.Append({{kMetricName, "a"}, {"job", "j" + std::to_string(s % 4)}, {"instance", std::to_string(s)}},
                   i * 15'000, i * s);
    }
  }
  return store;
}

// Calls back when the query selects its series.
class WatchedView final : public View {
 public:
  WatchedView(std::shared_ptr<const View> view, std::function<void()> on_select)
      : view_(std::move(view)), on_select_(std::move(on_select)) {}
  Result<std::unique_ptr<SeriesSelection>> Select(std::span<const Matcher> matchers, const SelectHints& hints,
                                                  Budget& budget) const override {
    on_select_();
    return view_->Select(matchers, hints, budget);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, std::span<const Matcher> matchers, size_t limit,
                                               Budget& budget) const override {
    return view_->LabelValues(name, matchers, limit, budget);
  }
  Result<std::vector<std::string>> LabelNames(std::span<const Matcher> matchers, size_t limit,
                                              Budget& budget) const override {
    return view_->LabelNames(matchers, limit, budget);
  }
  Result<std::vector<SeriesExemplars>> Exemplars(std::span<const std::vector<Matcher>> sets,
                                                 TimeRange range) const override {
    return view_->Exemplars(sets, range);
  }
  const SymbolSpace& symbols() const override { return view_->symbols(); }

 private:
  std::shared_ptr<const View> view_;
  std::function<void()> on_select_;
};

TEST(ActiveQueries, ARunningQueryIsListedAndStopped) {
  const auto store = TestStore();
  const Engine engine{EngineOptions{}};
  QueryOrigin origin;
  origin.client = "10.0.0.1";
  origin.path = "/api/v1/query_range";
  std::vector<ActiveQuery> seen;
  const WatchedView view(store.OpenView({}).value(), [&] {
    seen = engine.active().List();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_FALSE(engine.active().Stop(seen[0].id + 1));
    EXPECT_TRUE(engine.active().Stop(seen[0].id));
  });
  QueryContext context;
  context.origin = &origin;
  const auto result =
      engine.Run(QuerySpec::Range("sum(rate(a[2m]))", 2 * kTestMinute, 9 * kTestMinute, kTestMinute), view, context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCanceled);
  EXPECT_EQ(result.error().message(), "query was canceled in expression evaluation");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].text, "sum(rate(a[2m]))");
  EXPECT_TRUE(seen[0].running);
  EXPECT_FALSE(seen[0].of_rule);
  EXPECT_EQ(seen[0].origin.client, "10.0.0.1");
  EXPECT_GT(seen[0].bytes, 0);
  EXPECT_TRUE(engine.active().List().empty());
}

TEST(QueryShares, RulesDoNotWaitForRequests) {
  const auto store = TestStore();
  EngineOptions options;
  options.max_concurrency = 1;
  const Engine engine(options);
  QueryContext rule;
  rule.share = QueryShare::kRules;
  bool answered = false;
  // The only place for requests is taken while the rule runs.
  const WatchedView view(store.OpenView({}).value(), [&] {
    answered = engine.Run(QuerySpec::Instant("sum(a)", kTestMinute), store, rule).has_value();
  });
  EXPECT_TRUE(engine.Run(QuerySpec::Instant("a", kTestMinute), view));
  EXPECT_TRUE(answered);
}

TEST(QueryShares, RequestsLeaveMemoryForRules) {
  const auto store = TestStore();
  const QuerySpec spec = QuerySpec::Range("a + a", 2 * kTestMinute, 9 * kTestMinute, 1000);
  EngineOptions unlimited;
  const auto needed = Engine(unlimited).Run(spec, store);
  ASSERT_TRUE(needed);
  EngineOptions options;
  options.max_memory = needed->stats.peak_bytes + needed->stats.peak_bytes / 8;
  const Engine engine(options);
  const auto request = engine.Run(spec, store);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code(), ErrorCode::kLimit);
  EXPECT_THAT(request.error().message(), HasSubstr("--query.max-memory"));
  EXPECT_THAT(request.error().message(), HasSubstr("{__name__=\"a\"} with 20"));
  QueryContext rule;
  rule.share = QueryShare::kRules;
  EXPECT_TRUE(engine.Run(spec, store, rule));
}

TEST(QueryShares, AnswersCountWhileTheyLive) {
  const auto store = TestStore();
  const QuerySpec spec = QuerySpec::Range("a", 2 * kTestMinute, 9 * kTestMinute, 1000);
  const auto needed = Engine(EngineOptions{}).Run(spec, store);
  ASSERT_TRUE(needed);
  EngineOptions options;
  options.max_memory = 2 * needed->stats.peak_bytes;  // requests have three quarters of it
  const Engine engine(options);
  {
    const auto first = engine.Run(spec, store);
    ASSERT_TRUE(first);
    const auto second = engine.Run(spec, store);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::kLimit);
  }
  EXPECT_TRUE(engine.Run(spec, store));
}

TEST(QueryShares, AnErrorNamesTheSelectorThatCostMost) {
  testing::MemoryStorage store;
  for (int s = 0; s < 30; ++s) {
    const Labels labels = {{kMetricName, s < 20 ? "many" : "long"}, {"n", std::to_string(s)}};
    for (int i = 0; i < (s < 20 ? 1 : 1000); ++i) store.Append(labels, i * 1000, i);
  }
  const QuerySpec spec = QuerySpec::Range("many + on () group_left sum(long)", 0, 1'000'000, 1000);
  const auto needed = Engine(EngineOptions{}).Run(spec, store);
  ASSERT_TRUE(needed);
  EngineOptions options;
  options.max_memory_per_query = needed->stats.peak_bytes - 1;
  const auto result = Engine(options).Run(spec, store);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("a query's memory (--query.max-memory-per-query) would need "));
  EXPECT_THAT(result.error().message(),
              HasSubstr("more than its limit of " + std::to_string(needed->stats.peak_bytes - 1)));
  EXPECT_THAT(result.error().message(), HasSubstr("; the selector that cost most is {__name__=\"long\"} with 10 series"
                                                  " and 10000 samples read"));
}

TEST(QueryProfile, TellsWhatOperatorsDid) {
  const auto store = TestStore();
  const Engine engine{EngineOptions{}};
  QueryProfile profile;
  QueryContext context;
  context.profile = &profile;
  const auto result =
      engine.Run(QuerySpec::Range("sum by (job) (rate(a[2m])) > 0", 2 * kTestMinute, 9 * kTestMinute, kTestMinute),
                 store, context);
  ASSERT_TRUE(result);
  ASSERT_EQ(profile.operators.size(), 4u);
  EXPECT_EQ(profile.operators[0].description, "binary >");
  EXPECT_EQ(profile.operators[1].description, "aggregate sum");
  EXPECT_EQ(profile.operators[1].depth, 1u);
  EXPECT_EQ(profile.operators[2].description, "call rate of range selector __name__=\"a\" for job");
  EXPECT_EQ(profile.operators[2].depth, 2u);
  EXPECT_EQ(profile.operators[3].description, "number 0");
  const OperatorProfile& rate = profile.operators[2];
  EXPECT_EQ(rate.estimated_series, 20);
  EXPECT_EQ(rate.estimated_samples, 20 * 8);
  EXPECT_EQ(rate.actual.series, 20);
  EXPECT_EQ(rate.actual.samples, 20 * 8);
  EXPECT_EQ(rate.actual.decoded, 20 * 36);  // (0, 9m]
  EXPECT_EQ(profile.operators[1].actual.series, 4);
  EXPECT_GE(profile.operators[0].actual.spent, rate.actual.spent);
  EXPECT_THAT(profile.plan, HasSubstr("aggregate sum"));
}

TEST(QueryProfile, TellsWhatPassesDid) {
  const auto store = TestStore();
  const Engine engine{EngineOptions{}};
  QueryProfile profile;
  QueryContext context;
  context.profile = &profile;
  const auto result = engine.Run(
      QuerySpec::Instant("sum by (job) (a{job=\"j1\"}) / on (job) (sum by (job) (a) * (1 + 2)) + a @ 1", kTestMinute),
      store, context);
  ASSERT_TRUE(result);
  const auto changes = [&](std::string_view name) {
    for (const auto& pass : profile.passes) {
      if (pass.name == name) return static_cast<int>(pass.changes);
    }
    return -1;
  };
  EXPECT_EQ(changes("step invariants"), 2);
  EXPECT_EQ(changes("constant folding"), 1);
  EXPECT_EQ(changes("matcher push-down"), 2);  // to the other sum and to the last a
  EXPECT_EQ(changes("label projection"), 2);
  EXPECT_EQ(changes("histogram statistics"), 0);
  EXPECT_EQ(changes("common subexpressions"), 1);  // the sums have become the same
}

std::string Print(const Value& value) {
  std::string out;
  if (const auto* scalar = std::get_if<ScalarValue>(&value)) return FormatFloatExponent(scalar->v);
  if (const auto* vector = std::get_if<VectorValue>(&value)) {
    for (const auto& sample : *vector) out += sample.labels.ToString() + " " + FormatFloatExponent(sample.v) + "\n";
    return out;
  }
  for (const auto& series : std::get<MatrixValue>(value)) {
    out += series.labels.ToString();
    for (const auto& point : series.floats) out += " " + std::to_string(point.t) + ":" + FormatFloatExponent(point.v);
    out += "\n";
  }
  return out;
}

// What optimizing changes is cost, not answers, and statistics only where less is read.
TEST(PlanPasses, AnswersAndStatisticsStay) {
  const auto store = TestStore();
  EngineOptions options;
  options.features.experimental_functions = true;
  const Engine optimizing(options);
  options.optimize = false;
  const Engine plain(options);
  for (const std::string_view text :
       {"1 + 2", "a * (1 + 2 * 3)", "a > bool -(2 ^ 3)", "max_of(1, 2) + a", "sum by (job) (rate(a[2m]) * (2 - 1))",
        "quantile_over_time(1 / 4, a[2m])", "sum by (job) (-a)", "sum by (job) (abs(a) + 1)", "topk(1 + 1, a)",
        "vector((1 + 2) == bool 3)", "max_over_time((a + (1 + 2))[2m:30s])", "count by (job) (sum_over_time(a[1m]))"}) {
    for (const int64_t step : {int64_t{0}, kTestMinute}) {
      QuerySpec spec = QuerySpec::Range(std::string(text), 2 * kTestMinute, 9 * kTestMinute, step);
      if (step == 0) spec.end = spec.start;
      const auto with = optimizing.Run(spec, store);
      const auto without = plain.Run(spec, store);
      ASSERT_TRUE(with && without) << text;
      EXPECT_EQ(Print(with->value), Print(without->value)) << text;
      EXPECT_EQ(with->warnings, without->warnings) << text;
      EXPECT_EQ(with->infos, without->infos) << text;
      EXPECT_EQ(with->stats.samples.total_queryable, without->stats.samples.total_queryable) << text;
      EXPECT_EQ(with->stats.samples.samples_read, without->stats.samples.samples_read) << text;
      EXPECT_EQ(with->stats.samples.peak, without->stats.samples.peak) << text;
    }
  }
}

// Names that nothing looks at stay, unless __type__ tells series apart: then two may still become one.
TEST(PlanPasses, TypesAreNotForgotten) {
  testing::MemoryStorage store;
  store.Append({{kMetricName, "a"}, {"__type__", "counter"}, {"job", "x"}}, 1000, 1);
  store.Append({{kMetricName, "a"}, {"__type__", "gauge"}, {"job", "x"}}, 1000, 2);
  const Engine engine{EngineOptions{}};
  const auto sum = engine.Run(QuerySpec::Instant("sum by (job) (last_over_time(a[1m]) + 1)", 2000), store);
  ASSERT_FALSE(sum);
  EXPECT_EQ(sum.error().message(), "vector cannot contain metrics with the same labelset");
  EXPECT_TRUE(engine.Run(QuerySpec::Instant("sum by (job) (a)", 2000), store));
}

TEST(QueryProfile, EstimatesWithoutRunning) {
  const auto store = TestStore();
  const Engine engine{EngineOptions{}};
  QueryProfile profile;
  profile.run = false;
  QueryContext context;
  context.profile = &profile;
  const auto result = engine.Run(QuerySpec::Instant("sum(a)", kTestMinute), store, context);
  ASSERT_TRUE(result);
  EXPECT_TRUE(std::get<VectorValue>(result->value).empty());
  ASSERT_EQ(profile.operators.size(), 2u);
  EXPECT_EQ(profile.operators[1].estimated_series, 20);
  EXPECT_EQ(profile.operators[1].actual.series, 0);
}

TEST(QueryProfile, WhatIsComputedOnceIsMarked) {
  const auto store = TestStore();
  const Engine engine{EngineOptions{}};
  QueryProfile profile;
  QueryContext context;
  context.profile = &profile;
  ASSERT_TRUE(engine.Run(QuerySpec::Instant("a / a", kTestMinute), store, context));
  ASSERT_EQ(profile.operators.size(), 3u);
  EXPECT_FALSE(profile.operators[1].shared);
  EXPECT_TRUE(profile.operators[2].shared);
}

TEST(QueryLog, HasPrometheusShape) {
  QueryOrigin origin;
  origin.client = "127.0.0.1";
  origin.method = "GET";
  origin.path = "/api/v1/query";
  QueryLogEntry entry;
  entry.text = "up{a=\"b\"}";
  entry.start = 1'700'000'000'123;
  entry.end = 1'700'000'060'123;
  entry.step_ms = 15'000;
  entry.stats.samples.total_queryable = 3;
  entry.stats.samples.samples_read = 2;
  entry.stats.samples.peak = 1;
  entry.stats.timings.exec_total = 0.5;
  entry.origin = &origin;
  EXPECT_EQ(FormatQueryLogEntry(entry, 1'700'000'061'000),
            R"({"time":"2023-11-14T22:14:21.000Z","level":"INFO","msg":"promql query logged",)"
            R"("params":{"end":"2023-11-14T22:14:20.123Z","query":"up{a=\"b\"}","start":"2023-11-14T22:13:20.123Z",)"
            R"("step":15},"stats":{"timings":{"evalTotalTime":0,"resultSortTime":0,"queryPreparationTime":0,)"
            R"("innerEvalTime":0,"execQueueTime":0,"execTotalTime":0.5},"samples":{"totalQueryableSamples":3,)"
            R"("samplesRead":2,"peakSamples":1}},"spanID":"0000000000000000",)"
            R"("traceID":"00000000000000000000000000000000",)"
            R"("httpRequest":{"clientIP":"127.0.0.1","method":"GET","path":"/api/v1/query"}})");
}

TEST(QueryLog, EveryQueryIsALine) {
  const auto store = TestStore();
  testing::MemoryFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/log"));
  QueryLog log(files, SystemClock(), nullptr);
  EngineOptions options;
  options.log = &log;
  options.max_samples = 10;
  const Engine engine(options);
  ASSERT_TRUE(engine.Run(QuerySpec::Instant("sum(a{instance=\"1\"})", kTestMinute), store));
  ASSERT_TRUE(log.SetFile("/log/q"));
  ASSERT_TRUE(engine.Run(QuerySpec::Instant("sum(a{instance=\"2\"})", kTestMinute), store));
  ASSERT_FALSE(engine.Run(QuerySpec::Instant("a", kTestMinute), store));
  ASSERT_TRUE(log.SetFile(""));
  ASSERT_TRUE(engine.Run(QuerySpec::Instant("sum(a{instance=\"3\"})", kTestMinute), store));
  const std::string text = files.ReadFile("/log/q").value();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr("instance=\\\"2\\\""));
  EXPECT_THAT(text, HasSubstr("\"error\":\"query processing would load too many samples"));
  EXPECT_FALSE(log.SetFile("/no/such/directory/q"));
}

}  // namespace
}  // namespace epi::promql
