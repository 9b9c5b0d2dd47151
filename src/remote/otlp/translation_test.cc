#include "remote/otlp/translation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "remote/otlp/any_value.h"
#include "remote/otlp/names.h"
#include "remote/otlp/series_labels.h"
#include "testing/conformance.h"
#include "testing/otlp_messages.h"

namespace epi::remote::otlp {
namespace {

using nlohmann::json;
using testing::ToWire;
using testing::WireBytes;

json LabelsJson(const Labels& labels) {
  json out = json::object();
  for (const auto& [name, value] : labels) out[std::string(name)] = value;
  return out;
}

config::OtlpConfig ConfigOf(const json& from) {
  config::OtlpConfig out;
  out.translation_strategy = from.value("translation_strategy", std::string("UnderscoreEscapingWithSuffixes"));
  out.promote_all_resource_attributes = from.value("promote_all_resource_attributes", false);
  out.promote_resource_attributes = from.value("promote_resource_attributes", std::vector<std::string>());
  out.ignore_resource_attributes = from.value("ignore_resource_attributes", std::vector<std::string>());
  out.promote_scope_metadata = from.value("promote_scope", from.value("promote_scope_metadata", false));
  out.label_name_underscore_sanitization = from.value("label_name_underscore_sanitization", false);
  out.label_name_preserve_multiple_underscores = from.value("label_name_preserve_multiple_underscores", false);
  out.keep_identifying_resource_attributes = from.value("keep_identifying_resource_attributes", false);
  out.convert_histograms_to_nhcb = from.value("convert_histograms_to_nhcb", false);
  return out;
}

// Attributes over texts that stay in `from`.
Attributes AttributesOf(const json& from) {
  Attributes out;
  for (const auto& [key, value] : from.items()) out.push_back({key, value.get<std::string>()});
  return out;
}

TEST(OtlpLabels, FollowTheTableOfCases) {
  EPI_CONFORMANCE_OR_SKIP(file, "remote/otlp.json");
  for (const auto& row : file["cases"]) {
    if (row["kind"] != "attributes") continue;
    SCOPED_TRACE(row["name"].get<std::string>());
    const config::OtlpConfig config = ConfigOf(row);
    const Namer namer(config);
    SeriesLabels labels(config, namer);
    const Attributes resource = AttributesOf(row["resource_attributes"]);
    ASSERT_TRUE(labels.SetResource(resource));
    Attributes scope_attributes;
    std::string name, version, url;
    if (!row["scope"].is_null()) {
      scope_attributes = AttributesOf(row["scope"]["attributes"]);
      name = row["scope"]["name"];
      version = row["scope"]["version"];
      url = row["scope"]["schema_url"];
    }
    ASSERT_TRUE(labels.SetScope({name, version, url, &scope_attributes}));
    const auto ignored = row["ignore_attributes"].get<std::vector<std::string>>();
    const std::vector<std::string_view> ignored_views(ignored.begin(), ignored.end());
    LabelsBuilder builder;
    Warnings warnings;
    const Attributes attributes = AttributesOf(row["attributes"]);
    ASSERT_TRUE(labels.ForPoint(attributes, ignored_views, builder, warnings));
    builder.Set(kMetricName, row["metric_name"].get<std::string>());
    EXPECT_EQ(LabelsJson(builder.Build()), row["labels"]);
    json texts = json::array();
    for (const auto& warning : warnings) texts.push_back(warning.text);
    EXPECT_EQ(texts, row["collision_warnings"]);
  }
}

// What came out, in the form of the table of cases.
class Recorder final : public TranslationSink {
 public:
  Result<void> Add(TranslatedSample sample) override {
    json row;
    row["labels"] = LabelsJson(Labels::FromPairs({sample.labels.begin(), sample.labels.end()}));
    row["metric_family"] = sample.family;
    row["metadata"] = {{"type", MetricTypeName(sample.metadata->type)},
                       {"unit", sample.metadata->unit},
                       {"help", sample.metadata->help}};
    row["timestamp_ms"] = sample.time;
    if (sample.start_time != 0) row["start_timestamp_ms"] = sample.start_time;
    if (sample.histogram) {
      row["int_histogram"] = HistogramJson(*sample.histogram);
    } else {
      row["value"] = sample.value;
    }
    for (const auto& exemplar : sample.exemplars) {
      row["exemplars"].push_back(
          {{"labels", LabelsJson(exemplar.labels)}, {"value", exemplar.value}, {"timestamp_ms", exemplar.time}});
    }
    rows.push_back(std::move(row));
    return {};
  }
  std::vector<json> rows;

 private:
  static json HistogramJson(const Histogram& h) {
    json spans = json::array();
    for (const auto& span : h.positive_spans) spans.push_back({span.offset, span.length});
    return {{"count", h.count},
            {"sum", h.sum},
            {"schema", h.schema},
            {"zero_threshold", h.zero_threshold},
            {"zero_count", h.zero_count},
            {"positive_spans", spans},
            {"positive_buckets", h.positive_buckets}};
  }
};

TEST(OtlpTranslation, FollowsTheTableOfCases) {
  EPI_CONFORMANCE_OR_SKIP(file, "remote/otlp.json");
  Budget budget("test");
  const std::string text = file["request"].dump();
  const std::string wire = ToWire("request", file["request"]);
  for (const auto& row : file["cases"]) {
    if (row["kind"] != "export_request") continue;
    SCOPED_TRACE(row["name"].get<std::string>());
    TranslationSettings settings;
    settings.config = ConfigOf(row["otlp_config"]);
    settings.type_and_unit_labels = row["type_and_unit_labels"];
    for (const bool protobuf : {false, true}) {
      auto request = protobuf ? DecodeProtobuf(wire, budget) : DecodeJson(text, budget);
      ASSERT_TRUE(request) << request.error().message();
      Recorder recorder;
      const auto outcome = Translate(*request, settings, recorder);
      ASSERT_TRUE(outcome);
      EXPECT_TRUE(outcome->errors.empty());
      ASSERT_EQ(recorder.rows.size(), row["samples"].size());
      for (size_t i = 0; i < recorder.rows.size(); ++i) EXPECT_EQ(recorder.rows[i], row["samples"][i]) << i;
    }
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(OtlpNames, MetricNamesByStrategy) {
  struct Row {
    const char* name;
    const char* unit;
    Kind kind;
    bool monotonic;
    const char* escaped_with;
    const char* escaped_without;
    const char* free_with;
  };
  const Row kRows[] = {
      {"http.server.duration", "s", Kind::kHistogram, false, "http_server_duration_seconds", "http_server_duration",
       "http.server.duration_seconds"},
      {"requests", "1", Kind::kSum, true, "requests_total", "requests", "requests_total"},
      {"requests.total", "", Kind::kSum, true, "requests_total", "requests_total", "requests_total"},
      {"total.requests", "", Kind::kSum, true, "requests_total", "total_requests", "total.requests_total"},
      {"usage", "1", Kind::kGauge, false, "usage_ratio", "usage", "usage_ratio"},
      {"io", "By/s", Kind::kGauge, false, "io_bytes_per_second", "io", "io_bytes_per_second"},
      {"io.bytes", "By", Kind::kSum, true, "io_bytes_total", "io_bytes", "io.bytes_total"},
      {"a__b", "", Kind::kGauge, false, "a_b", "a__b", "a__b"},
      {"1st", "", Kind::kGauge, false, "_1st", "_1st", "1st"},
      {"queue", "{items}", Kind::kGauge, false, "queue", "queue", "queue"},
      {"odd", "foo.bar", Kind::kGauge, false, "odd_foo_bar", "odd", "odd_foo.bar"},
      {"per", "/min", Kind::kGauge, false, "per_per_min", "per", "per_per_min"},
      {"temp", "Cel", Kind::kGauge, false, "temp_celsius", "temp", "temp_celsius"},
  };
  config::OtlpConfig config;
  for (const auto& row : kRows) {
    Metric metric;
    metric.name = row.name;
    metric.unit = row.unit;
    metric.kind = row.kind;
    metric.monotonic = row.monotonic;
    for (const auto& [strategy, expected] :
         {std::pair("UnderscoreEscapingWithSuffixes", row.escaped_with),
          std::pair("UnderscoreEscapingWithoutSuffixes", row.escaped_without),
          std::pair("NoUTF8EscapingWithSuffixes", row.free_with), std::pair("NoTranslation", row.name)}) {
      config.translation_strategy = strategy;
      const auto name = Namer(config).MetricName(metric);
      ASSERT_TRUE(name) << row.name;
      EXPECT_EQ(*name, expected) << strategy << " of " << row.name << " in " << row.unit;
    }
  }
  Metric nothing;
  nothing.name = "...";
  config.translation_strategy = "UnderscoreEscapingWithSuffixes";
  EXPECT_EQ(Namer(config).MetricName(nothing).error().message(),
            "normalization for metric \"...\" resulted in empty name");
}

TEST(OtlpNames, LabelNames) {
  config::OtlpConfig config;
  const Namer namer(config);
  EXPECT_EQ(*namer.LabelName("a.b-c"), "a_b_c");
  EXPECT_EQ(*namer.LabelName("a..b"), "a__b");
  EXPECT_EQ(*namer.LabelName("0abc"), "key_0abc");
  EXPECT_EQ(*namer.LabelName("_x"), "key_x");
  EXPECT_EQ(*namer.LabelName("__x__"), "__x__");
  EXPECT_EQ(*namer.LabelName("h\xc3\xb6he"), "h_he");
  EXPECT_EQ(*namer.LabelName("h\xb6\xb6he"), "h__he");  // bytes that are no characters are one each
  EXPECT_FALSE(namer.LabelName("..."));
  EXPECT_FALSE(namer.LabelName(""));
}

TEST(OtlpDecoders, ValuesBecomeText) {
  const json request = json::parse(R"({"resourceMetrics":[{"resource":{"attributes":[
    {"key":"s","value":{"stringValue":"<x>"}},{"key":"t","value":{"boolValue":true}},
    {"key":"i","value":{"intValue":42}},{"key":"d","value":{"doubleValue":0.0000001}},
    {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"<a>"},{"intValue":1},{"boolValue":false}]}}},
    {"key":"m","value":{"kvlistValue":{"values":[{"key":"z","value":{"doubleValue":1.5}},{"key":"a","value":{}}]}}}
  ]}}]})");
  const char* const kTexts[] = {"<x>", "true", "42", "1e-7", R"(["<a>",1,false])", R"({"a":null,"z":1.5})"};
  Budget budget("test");
  for (const bool protobuf : {false, true}) {
    const std::string bytes = protobuf ? ToWire("request", request) : request.dump();
    const auto decoded = protobuf ? DecodeProtobuf(bytes, budget) : DecodeJson(bytes, budget);
    ASSERT_TRUE(decoded) << decoded.error().message();
    const auto& attributes = decoded->resources.at(0).attributes;
    ASSERT_EQ(attributes.size(), std::size(kTexts));
    for (size_t i = 0; i < attributes.size(); ++i) EXPECT_EQ(attributes[i].value, kTexts[i]);
  }
}

TEST(OtlpDecoders, NumbersThatAreNoneHaveNames) {
  EXPECT_EQ(DoubleValue(std::nan("")).text, "NaN");
  EXPECT_EQ(DoubleValue(HUGE_VAL).text, "Infinity");
  EXPECT_EQ(DoubleValue(-HUGE_VAL).text, "-Infinity");
}

TEST(OtlpDecoders, DamageIsAnErrorOrAnotherRequest) {
  EPI_CONFORMANCE_OR_SKIP(file, "remote/otlp.json");
  Budget budget("test");
  const std::string text = file["request"].dump();
  const std::string wire = ToWire("request", file["request"]);
  for (size_t size = 0; size < wire.size(); ++size)
    (void)DecodeProtobuf(std::string_view(wire).substr(0, size), budget);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(DecodeJson(std::string_view(text).substr(0, size), budget)) << size;
  }
  for (size_t bit = 0; bit < wire.size() * 8; ++bit) {
    std::string damaged = wire;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    auto request = DecodeProtobuf(damaged, budget);
    if (!request) continue;
    class Nowhere final : public TranslationSink {
      Result<void> Add(TranslatedSample) override { return {}; }
    } nowhere;
    (void)Translate(*request, {}, nowhere);
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(OtlpDecoders, SmallMessagesThatNameManyObjectsAreRefused) {
  // Each attribute takes two bytes on the wire.
  std::string resource;
  for (int i = 0; i < 100'000; ++i) resource += std::string_view("\x0a\x00", 2);
  const std::string bytes = WireBytes(1, WireBytes(1, resource));
  Budget budget("test", 1 << 20);
  const auto request = DecodeProtobuf(bytes, budget);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code(), ErrorCode::kLimit);
  EXPECT_LE(budget.peak(), 1 << 20);
  EXPECT_EQ(budget.used(), 0);
}

TEST(OtlpDecoders, DeepNestingIsRefused) {
  std::string value;
  for (int i = 0; i < 10'000; ++i) value = WireBytes(5, WireBytes(1, value));
  const std::string bytes = WireBytes(1, WireBytes(1, WireBytes(1, WireBytes(2, value))));
  Budget budget("test");
  EXPECT_FALSE(DecodeProtobuf(bytes, budget));
  std::string text = R"({"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":)";
  for (int i = 0; i < 10'000; ++i) text += R"({"arrayValue":{"values":[)";
  EXPECT_FALSE(DecodeJson(text, budget));
}

}  // namespace
}  // namespace epi::remote::otlp
