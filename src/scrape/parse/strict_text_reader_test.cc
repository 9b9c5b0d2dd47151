#include "scrape/parse/strict_text_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/number_format.h"
#include "testing/conformance.h"

namespace epi::scrape {
namespace {

using nlohmann::json;

double StrictNumber(const json& value) {
  return value.is_number() ? value.get<double>() : ParseGoFloat(value.get<std::string>()).value();
}

void ExpectSameNumber(double got, const json& want, const std::string& where) {
  const double number = StrictNumber(want);
  EXPECT_TRUE(got == number || (std::isnan(got) && std::isnan(number))) << where << ": " << got << " not " << want;
}

const json* Member(const json& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (object.contains(name)) return &object.at(name);
  }
  return nullptr;
}

void CheckParts(const StrictMetric& got, const json& want, const std::string& where) {
  const json* const count = Member(want, {"sample_count", "sample_count_float"});
  ASSERT_EQ(got.count.has_value(), count != nullptr) << where;
  if (count != nullptr) ExpectSameNumber(*got.count, *count, where);
  ASSERT_EQ(got.sum.has_value(), want.contains("sample_sum")) << where;
  if (got.sum) ExpectSameNumber(*got.sum, want["sample_sum"], where);
  EXPECT_EQ(got.float_counts, want.contains("sample_count_float")) << where;
  const json* const parts = Member(want, {"bucket", "quantile"});
  ASSERT_EQ(got.parts.size(), parts == nullptr ? 0 : parts->size()) << where;
  for (size_t i = 0; i < got.parts.size(); ++i) {
    const json& part = parts->at(i);
    ExpectSameNumber(got.parts[i].bound, *Member(part, {"upper_bound", "quantile"}), where);
    ExpectSameNumber(got.parts[i].value, *Member(part, {"cumulative_count", "cumulative_count_float", "value"}), where);
  }
}

void CheckFamily(const StrictFamily& got, const json& want, const std::string& where) {
  EXPECT_EQ(got.help.has_value(), want.contains("help")) << where;
  EXPECT_EQ(got.help.value_or(""), want.value("help", "")) << where;
  const std::pair<MetricType, const char*> types[] = {
      {MetricType::kUnknown, "UNTYPED"},     {MetricType::kCounter, "COUNTER"},
      {MetricType::kGauge, "GAUGE"},         {MetricType::kSummary, "SUMMARY"},
      {MetricType::kHistogram, "HISTOGRAM"}, {MetricType::kGaugeHistogram, "GAUGE_HISTOGRAM"}};
  for (const auto& [type, name] : types) EXPECT_EQ(got.type == type, want.at("type") == name) << where;
  const json& metrics = want.at("metric");
  ASSERT_EQ(got.metrics.size(), metrics.size()) << where;
  for (size_t i = 0; i < metrics.size(); ++i) {
    const StrictMetric& metric = got.metrics[i];
    std::vector<std::pair<std::string, std::string>> labels;
    for (const auto& pair : metrics[i].value("label", json::array())) labels.emplace_back(pair[0], pair[1]);
    EXPECT_EQ(metric.labels, labels) << where;
    EXPECT_EQ(metric.timestamp_ms.has_value(), metrics[i].contains("timestamp_ms")) << where;
    EXPECT_EQ(metric.timestamp_ms.value_or(0), metrics[i].value("timestamp_ms", int64_t{0})) << where;
    if (const json* value = Member(metrics[i], {"counter", "gauge", "untyped"})) {
      ExpectSameNumber(metric.value, value->at("value"), where);
    } else {
      CheckParts(metric, *Member(metrics[i], {"summary", "histogram"}), where);
    }
  }
}

TEST(StrictTextReader, EveryCase) {
  EPI_CONFORMANCE_OR_SKIP(data, "exposition/expfmt_text_parse.json");
  for (const auto& c : data.at("cases")) {
    const std::string id = c.at("id");
    const std::string body = epi::testing::ConformanceText(c.at("input"));
    const auto families = ReadStrictText(body);
    if (c.contains("legacy_scheme_error_contains")) {
      const auto legacy = ReadStrictText(body, NameScheme::kLegacy);
      ASSERT_FALSE(legacy) << id;
      EXPECT_EQ(legacy.error().message().rfind(c["legacy_scheme_error_contains"].get<std::string>(), 0), 0u)
          << id << ": " << legacy.error().message();
    }
    if (c.at("result") == "fail") {
      ASSERT_FALSE(families) << id;
      EXPECT_NE(families.error().message().find(c.at("error_contains").get<std::string>()), std::string::npos)
          << id << ": " << families.error().message();
      continue;
    }
    ASSERT_TRUE(families) << id << ": " << families.error().message();
    if (!c.contains("families")) continue;
    ASSERT_EQ(families->size(), c["families"].size()) << id;
    for (const auto& want : c["families"]) {
      const auto named = [&want](const StrictFamily& family) { return family.name == want.at("name"); };
      const auto got = std::find_if(families->begin(), families->end(), named);
      ASSERT_NE(got, families->end()) << id << " " << want.at("name");
      CheckFamily(*got, want, id);
    }
  }
}

TEST(StrictTextReader, EndsAnywhere) {
  const std::string body =
      "# HELP a \\\\ \\n\n# TYPE a histogram\na_bucket{le=\"1\",\"x.y\"=\"\\\"z\"} 3 4\n{\"b.c\",d=\"e\"} 1\n# TYPE s "
      "summary\n"
      "s{quantile=\"0.5\"} NaN\n";
  ASSERT_TRUE(ReadStrictText(body));
  for (size_t length = 0; length < body.size(); ++length) {
    for (const char c : {'\0', '"', '\n', '{', '}', '\\', '\xff'}) {
      std::string changed = body.substr(0, length);
      static_cast<void>(ReadStrictText(changed));
      changed = body;
      changed[length] = c;
      static_cast<void>(ReadStrictText(changed));
    }
  }
}

TEST(StrictTextReader, ABoundMakesABucketWhateverTheSuffixAndTheLastOneCounts) {
  const auto families = ReadStrictText("# TYPE h histogram\nh{le=\"1\"} 1\nh_bucket{le=\"2\",le=\"3\"} 2\nh 5\n");
  ASSERT_TRUE(families) << families.error().message();
  const auto& parts = families->front().metrics.front().parts;
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].bound, 1);
  EXPECT_EQ(parts[1].bound, 3);
}

}  // namespace
}  // namespace epi::scrape
