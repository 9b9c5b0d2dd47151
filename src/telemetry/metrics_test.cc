#include "telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace epi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Format = MetricRegistry::Format;

TEST(Metrics, ExposesWhatWasCounted) {
  MetricRegistry registry;
  registry.AddCounter("b_total", "Counts b.", {{"z", "1"}, {"a", "2"}}).Increment(3);
  registry.AddGauge("a", "A\ngauge.").Set(-0.5);
  registry.AddHistogram("h_seconds", "H.", {0.1, 1}).Observe(0.5);
  registry.AddSummary("s_seconds", "S.", {0.5}).Observe(2);
  registry.AddCallback("cb", "Callback.", FamilyType::kGauge, [] {
    return std::vector<CollectedSample>{{{{"k", "v"}}, 7}};
  });
  const auto text = registry.Expose(Format::kText004);
  EXPECT_THAT(
      text, HasSubstr("# HELP a A\\ngauge.\n# TYPE a gauge\na -0.5\n# HELP b_total Counts b.\n"
                      "# TYPE b_total counter\nb_total{a=\"2\",z=\"1\"} 3\n# HELP cb Callback.\n# TYPE cb gauge\n"
                      "cb{k=\"v\"} 7\n# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.1\"} 0\n"
                      "h_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"+Inf\"} 1\nh_seconds_sum 0.5\n"
                      "h_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("s_seconds{quantile=\"0.5\"} 2\ns_seconds_sum 2\ns_seconds_count 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
  const auto open = registry.Expose(Format::kOpenMetrics100);
  EXPECT_THAT(open, HasSubstr("# TYPE b counter\nb_total{a=\"2\",z=\"1\"} 3.0\n"));
  EXPECT_TRUE(open.ends_with("# EOF\n"));
}

TEST(Metrics, NativeHistogramsAreShownWhereTheFormatHasThem) {
  MetricRegistry registry;
  registry.AddNativeHistogram("both_seconds", "B.", {0.1, 1}).Observe(0.5);
  registry.AddNativeHistogram("only_seconds", "O.", {}).Observe(0.5);
  EXPECT_EQ(registry.Expose({ExpositionFormat::kText004, NameEscaping::kUnderscores}, {"both_seconds", "only_seconds"}),
            "# HELP both_seconds B.\n# TYPE both_seconds histogram\nboth_seconds_bucket{le=\"0.1\"} 0\n"
            "both_seconds_bucket{le=\"1\"} 1\nboth_seconds_bucket{le=\"+Inf\"} 1\nboth_seconds_sum 0.5\n"
            "both_seconds_count 1\n# HELP only_seconds O.\n# TYPE only_seconds histogram\n"
            "only_seconds_bucket{le=\"+Inf\"} 1\nonly_seconds_sum 0.5\nonly_seconds_count 1\n");
  const auto proto = registry.Expose({ExpositionFormat::kProtobufText, NameEscaping::kUnderscores}, {"only_seconds"});
  for (const auto* part :
       {"schema: 3", "zero_threshold: 2.938735877055719e-39", "positive_span", "offset: -8", "positive_delta: 1"})
    EXPECT_THAT(proto, HasSubstr(part));
  registry.AddHistogram("classic_seconds", "C.", {1}).Observe(2);
  EXPECT_THAT(registry.Expose({ExpositionFormat::kProtobufText, NameEscaping::kUnderscores}, {"classic_seconds"}),
              Not(HasSubstr("schema")));
}

TEST(Metrics, SameHandleForSameLabels) {
  MetricRegistry registry;
  Counter& first = registry.AddCounter("x_total", "X.", {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(&first, &registry.AddCounter("x_total", "X.", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(&first, &registry.AddCounter("x_total", "X.", {{"a", "1"}}));
}

TEST(Metrics, RemovedMembersAreHiddenAndStartAnew) {
  MetricRegistry registry;
  Counter& counter = registry.AddCounter("x_total", "X.", {{"pool", "a"}});
  counter.Increment(5);
  registry.Remove("x_total", {{"pool", "a"}});
  registry.Remove("x_total", {{"pool", "unknown"}});
  EXPECT_THAT(registry.Expose(Format::kText004), Not(HasSubstr("x_total")));
  counter.Increment();  // the handle stays usable
  Counter& again = registry.AddCounter("x_total", "X.", {{"pool", "a"}});
  again.Increment(2);
  EXPECT_EQ(again.Value(), 2);
  EXPECT_THAT(registry.Expose(Format::kText004), HasSubstr("x_total{pool=\"a\"} 2\n"));
}

TEST(Metrics, NamesFilter) {
  MetricRegistry registry;
  registry.AddGauge("a", "A.").Set(1);
  registry.AddGauge("b", "B.").Set(1);
  EXPECT_EQ(registry.Expose(Exposition(), {"b"}), "# HELP b B.\n# TYPE b gauge\nb 1\n");
}

TEST(Metrics, ProcessMetricsAreThere) {
  MetricRegistry registry;
  const auto families = registry.Collect();
  const auto value = [&](std::string_view name) {
    for (const auto& family : families)
      if (family.name == name) return family.points.at(0).value;
    return std::nan("");
  };
  EXPECT_GE(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_resident_memory_bytes"), 1e5);
  EXPECT_GT(value("process_virtual_memory_bytes"), 1e6);
  EXPECT_GT(value("process_start_time_seconds"), 1.6e9);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), 3);
}

}  // namespace
}  // namespace epi
