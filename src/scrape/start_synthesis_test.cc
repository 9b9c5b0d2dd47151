#include "scrape/start_synthesis.h"

#include <gtest/gtest.h>

#include "model/histogram_validate.h"
#include "scrape/ingest.h"
#include "testing/memory_storage.h"

namespace epi::scrape {
namespace {

constexpr SeriesRef kSynthesized{7};

TEST(IsCumulativePart, FollowsTheFamily) {
  EXPECT_TRUE(IsCumulativePart("a", "a", MetricType::kCounter));
  EXPECT_TRUE(IsCumulativePart("a_total", "a", MetricType::kCounter));
  EXPECT_TRUE(IsCumulativePart("a_total", "a_total", MetricType::kCounter));
  EXPECT_FALSE(IsCumulativePart("b_total", "a", MetricType::kCounter));
  EXPECT_FALSE(IsCumulativePart("a", "a_total", MetricType::kCounter));
  EXPECT_FALSE(IsCumulativePart("a_created", "a", MetricType::kCounter));
  EXPECT_FALSE(IsCumulativePart("h_created", "h", MetricType::kHistogram));
  EXPECT_TRUE(IsCumulativePart("s_sum", "s", MetricType::kSummary));
  EXPECT_TRUE(IsCumulativePart("s_count", "s", MetricType::kSummary));
  EXPECT_FALSE(IsCumulativePart("s_count", "s_count", MetricType::kSummary));
  EXPECT_TRUE(IsCumulativePart("h_bucket", "h", MetricType::kHistogram));
  EXPECT_TRUE(IsCumulativePart("h", "h", MetricType::kHistogram));
  EXPECT_FALSE(IsCumulativePart("h_total", "h", MetricType::kHistogram));
  for (const auto type :
       {MetricType::kGauge, MetricType::kSummary, MetricType::kUnknown, MetricType::kGaugeHistogram}) {
    EXPECT_FALSE(IsCumulativePart("a", "a", type));
  }
}

TEST(StartSynthesis, CounterWithARestart) {
  struct Step {
    double value;
    TimestampMs time;
    double stored;
    TimestampMs start;
  };
  const Step steps[] = {{100, 1000, 100, 1000}, {110, 2000, 10, 1000}, {110, 3000, 10, 1000},
                        {5, 4000, 5, 3999},     {9, 5000, 9, 3999},    {8, 6000, 8, 5999}};
  StartSynthesis starts;
  for (const Step& step : steps) {
    double value = step.value;
    const auto outcome = starts.Float(kSynthesized, value, step.time);
    EXPECT_EQ(outcome.first, step.time == 1000);
    EXPECT_EQ(value, step.stored) << step.time;
    EXPECT_EQ(outcome.start, step.start) << step.time;
  }
  starts.Forget(kSynthesized);
  double value = 3;
  EXPECT_TRUE(starts.Float(kSynthesized, value, 7000).first);
}

std::shared_ptr<const Histogram> Counts(std::vector<int64_t> deltas, uint64_t count, double sum) {
  auto h = std::make_shared<Histogram>();
  h->schema = 0;
  h->count = count;
  h->sum = sum;
  h->positive_spans = {{0, static_cast<uint32_t>(deltas.size())}};
  h->positive_buckets = std::move(deltas);
  return h;
}

TEST(StartSynthesis, HistogramWithARestart) {
  StartSynthesis starts;
  auto h = Counts({2, 1}, 5, 10);  // 2, 3
  EXPECT_TRUE(starts.OfHistogram(kSynthesized, h, 1000).first);
  h = Counts({4, 0}, 8, 17);  // 4, 4
  auto outcome = starts.OfHistogram(kSynthesized, h, 2000);
  EXPECT_FALSE(outcome.first);
  EXPECT_EQ(outcome.start, 1000);
  EXPECT_EQ(h->count, 3u);
  EXPECT_EQ(h->sum, 7);
  EXPECT_EQ(h->positive_buckets, (std::vector<int64_t>{2, -1}));
  EXPECT_TRUE(Validate(*h));
  h = Counts({1}, 1, 1);
  outcome = starts.OfHistogram(kSynthesized, h, 3000);
  EXPECT_EQ(outcome.start, 2999);
  EXPECT_EQ(h->count, 1u);
  h = Counts({3}, 3, 4);
  EXPECT_EQ(starts.OfHistogram(kSynthesized, h, 4000).start, 2999);
  EXPECT_EQ(h->count, 3u) << "a restart begins with nothing";
}

TEST(StartSynthesis, FromBodiesToStorage) {
  epi::testing::MemoryStorage storage;
  const auto appender = std::move(*storage.OpenGroup({}));
  SampleIngest ingest(TextHashKey{1, 2}, std::make_shared<MetadataInterner>());
  SampleRules rules;
  rules.synthesize_starts = true;
  TimestampMs time = 1'700'000'000'000;
  const auto scrape = [&](int value) {
    time += 1000;
    const std::string text = std::to_string(value);
    const std::string body = "# TYPE c counter\nc_total " + text + "\n# TYPE g gauge\ng " + text + "\n";
    ingest.Ingest(body, ExpositionFormat::kText, time, {}, rules, {}, *appender);
    ASSERT_TRUE(appender->Commit(time));
  };
  for (const int value : {10, 12, 3}) scrape(value);
  std::vector<double> counter, gauge;
  for (const auto& sample : storage.Samples(Labels{{"__name__", "c_total"}})) counter.push_back(sample.value);
  for (const auto& sample : storage.Samples(Labels{{"__name__", "g"}})) gauge.push_back(sample.value);
  EXPECT_EQ(counter, (std::vector<double>{2, 3}));
  EXPECT_EQ(gauge, (std::vector<double>{10, 12, 3}));
}

}  // namespace
}  // namespace epi::scrape
