#include <gtest/gtest.h>

#include "promql/engine/engine.h"
#include "promql/parser/parser.h"
#include "promql/plan/plan.h"
#include "testing/memory_storage.h"

namespace epi::promql {
namespace {

// The matchers that came across a join, in the order of a walk.
void CollectPushed(const PlanNode& node, std::string& out) {
  for (size_t i = node.matchers.size() - node.pushed; i < node.matchers.size(); ++i) {
    out += (out.empty() ? "" : " ") + node.matchers[i].ToString();
  }
  for (const auto& child : node.children) CollectPushed(*child, out);
}

PlanContext FloatsOnly() {
  PlanContext context{600'000, 1'200'000, 60'000, 300'000, 60'000};
  context.native_histograms = false;
  return context;
}

std::string PushedMatchers(std::string_view text, const PlanContext& context = FloatsOnly()) {
  const auto expr = ParseExpr(text, ParseOptions::AllEnabled());
  EXPECT_TRUE(expr) << text;
  auto plan = MakePlan(**expr, context);
  EXPECT_TRUE(plan) << text;
  std::string out;
  CollectPushed(**plan, out);
  return out;
}

TEST(PushMatchers, OneMetricByAllItsLabelsIsUnique) {
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + b"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + b{y=~\"2|3\"}"), "y=~\"2|3\" x=\"1\"");
  EXPECT_EQ(PushedMatchers("rate(a_total{x=\"1\"}[5m]) / rate(b_total[5m])"), "x=\"1\"");
}

TEST(PushMatchers, SoIsAGroupOfMatchedLabels) {
  EXPECT_EQ(PushedMatchers("a{x=\"1\",y=\"2\"} * on (x) sum by (x) (b)"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * on (x) (2 * -sum by (x) (b))"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) -sum by (x, __name__) (b)"), "");
  EXPECT_EQ(PushedMatchers("a * on (x, z) group_left (v) max by (x, z) (b{x=\"1\",v=\"3\"})"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("sum without (y) (a) - ignoring (y) sum without (y) (b{x=\"1\",y=\"2\"})"), "x=\"1\"");
}

TEST(PushMatchers, SeriesThatCouldCollideAreRead) {
  // Two series of b with the same x make an error, whatever a holds.
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * on (x) b"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * on (x) group_left sum by (x, y) (b)"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * ignoring (y) b"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + {__name__=~\"b|c\"}"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + -{__name__=~\"b|c\"}"), "");
}

TEST(PushMatchers, SetOperators) {
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) b{y=\"2\"}"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a and on (x) b{x=\"1\"}"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a unless on (x) b{x=\"1\"}"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} unless on (x) b"), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} or b"), "");
  EXPECT_EQ(PushedMatchers("(a unless on (x) b) and on (x) c{x=\"1\"}"), "x=\"1\" x=\"1\"");
}

TEST(PushMatchers, NotWhereLabelsOrSeriesMix) {
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) sum(b)"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) topk(1, b)"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) label_replace(b, \"x\", \"$1\", \"y\", \"(.*)\")"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) absent_over_time(b[5m])"), "");
  EXPECT_EQ(PushedMatchers("count_values(\"x\", a{x=\"1\"}) and on (x) b"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + fill (0) b"), "");
}

TEST(PushMatchers, NotWhereSomethingWouldNoLongerBeSaid) {
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + rate(b[5m])"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + quantile_over_time(2, b[5m])"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + (b </ 2)"), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + double_exponential_smoothing(b[5m], 2, 2)"), "");
}

TEST(PushMatchers, WhereThereAreHistogramsLittleIsSilent) {
  PlanContext histograms = FloatsOnly();
  histograms.native_histograms = true;
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + b", histograms), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + abs(last_over_time(b[5m]))", histograms), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * on (x) count by (x) (changes(b[5m]))", histograms), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + 2 * b", histograms), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + rate(b_total[5m])", histograms), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and idelta(b[5m])", histograms), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} * on (x) sum by (x) (b)", histograms), "");
}

TEST(PushMatchers, StartTimesMayOverlap) {
  PlanContext start_times = FloatsOnly();
  start_times.use_start_timestamps = true;
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + rate(b_total[5m])", start_times), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + b", start_times), "x=\"1\"");
}

TEST(PushMatchers, TypesMayTellSeriesOfANameApart) {
  PlanContext types = FloatsOnly();
  types.type_and_unit_labels = true;
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) -b", types), "");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} and on (x) b", types), "x=\"1\"");
  EXPECT_EQ(PushedMatchers("a{x=\"1\"} + b", types), "");
}

TEST(PushMatchers, SeriesWithoutAMatchAreNotRead) {
  testing::MemoryStorage store;
  for (const char* x : {"1", "2", "3"}) {
    store.Append({{kMetricName, "a"}, {"x", x}}, 1000, 10);
    store.Append({{kMetricName, "b"}, {"x", x}}, 1000, 20);
  }
  const Engine engine{EngineOptions{}};
  const auto result = engine.Run(QuerySpec::Instant("a{x=\"2\"} + b", 2000), store);
  ASSERT_TRUE(result);
  ASSERT_EQ(std::get<VectorValue>(result->value).size(), 1u);
  EXPECT_EQ(std::get<VectorValue>(result->value)[0].v, 30);
  EXPECT_EQ(result->stats.samples.samples_read, 2);
}

}  // namespace
}  // namespace epi::promql
