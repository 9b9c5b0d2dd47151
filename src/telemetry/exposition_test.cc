#include "telemetry/exposition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi {
namespace {

using nlohmann::json;

double NumberOf(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const auto text = value.get<std::string>();
  if (text == "NaN") return std::nan("");
  if (text == "-0") return -0.0;
  return text == "-Inf" ? -INFINITY : INFINITY;
}

MetricLabels LabelsOf(const json& list) {
  MetricLabels labels;
  for (const auto& pair : list) labels.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
  return labels;
}

std::optional<ProtoTime> TimeOf(const json& object, const char* key) {
  if (!object.contains(key)) return std::nullopt;
  return ProtoTime{object[key].value("seconds", int64_t{0}), object[key].value("nanos", 0)};
}

std::optional<MetricExemplar> ExemplarOf(const json& object) {
  if (!object.contains("exemplar")) return std::nullopt;
  const auto& e = object["exemplar"];
  return MetricExemplar{LabelsOf(e["label"]), NumberOf(e["value"]), TimeOf(e, "timestamp")};
}

void ReadHistogram(const json& h, MetricHistogram& out) {
  out.sample_count = h.value("sample_count", uint64_t{0});
  out.sample_count_float = h.value("sample_count_float", 0.0);
  out.sample_sum = NumberOf(h["sample_sum"]);
  for (const auto& bucket : h.value("bucket", json::array())) {
    MetricBucket b;
    b.upper_bound = NumberOf(bucket["upper_bound"]);
    b.cumulative_count = bucket.value("cumulative_count", uint64_t{0});
    b.cumulative_count_float = bucket.value("cumulative_count_float", 0.0);
    b.exemplar = ExemplarOf(bucket);
    out.buckets.push_back(b);
  }
}

constexpr std::pair<const char*, ExposedType> kTypes[] = {
    {"COUNTER", ExposedType::kCounter},     {"GAUGE", ExposedType::kGauge},
    {"SUMMARY", ExposedType::kSummary},     {"UNTYPED", ExposedType::kUntyped},
    {"HISTOGRAM", ExposedType::kHistogram}, {"GAUGE_HISTOGRAM", ExposedType::kGaugeHistogram}};
constexpr const char* kValueKeys[] = {"counter", "gauge", "summary", "untyped", "histogram", "histogram"};

// False when the metrics do not fit the family's type: our types cannot hold that.
bool ReadFamily(const json& in, MetricFamily& out) {
  out.name = in.value("name", "");
  out.has_help = in.contains("help");
  out.help = in.value("help", "");
  out.unit = in.value("unit", "");
  for (const auto& [name, type] : kTypes)
    if (in.value("type", "COUNTER") == name) out.type = type;
  for (const auto& metric : in["metric"]) {
    const char* key = kValueKeys[static_cast<unsigned>(out.type)];
    if (!metric.contains(key)) return false;
    const auto& value = metric[key];
    MetricPoint& point = out.points.emplace_back();
    point.labels = LabelsOf(metric.value("label", json::array()));
    if (metric.contains("timestamp_ms")) point.timestamp_ms = metric["timestamp_ms"].get<int64_t>();
    point.created = TimeOf(value, "created_timestamp");
    point.exemplar = ExemplarOf(value);
    if (value.contains("value")) point.value = NumberOf(value["value"]);
    if (out.type == ExposedType::kSummary) {
      point.sample_count = value.value("sample_count", uint64_t{0});
      point.sample_sum = NumberOf(value["sample_sum"]);
      for (const auto& q : value.value("quantile", json::array()))
        point.quantiles.emplace_back(NumberOf(q["quantile"]), NumberOf(q["value"]));
    }
    if (std::string_view(key) == "histogram") ReadHistogram(value, point.histogram);
  }
  return true;
}

json LoadCases(const char* name) {
  const auto dir = testing::ConformanceDir();
  if (dir.empty()) return json::array();
  const auto text = PosixFileSystem().ReadFile(dir + "/exposition/" + name);
  return text ? json::parse(*text)["cases"] : json::array();
}

TEST(Exposition, ConformanceWrite) {
  const json cases = LoadCases("expfmt_write.json");
  if (cases.empty()) GTEST_SKIP() << "no conformance data";
  int ran = 0;
  for (const auto& c : cases) {
    const auto format = c["format"].get<std::string>();
    if (format == "openmetrics-text-2.0") continue;  // not offered
    MetricFamily family;
    if (!ReadFamily(c["family"], family)) {
      EXPECT_EQ(c["result"], "fail");
      continue;
    }
    ExpositionOptions options;
    for (const auto& option : c.value("options", json::array()))
      if (option == "created_lines") options.created_lines = true;
    const Exposition exposition{
        format == "prometheus-text" ? ExpositionFormat::kText004 : ExpositionFormat::kOpenMetrics100,
        NameEscaping::kNone};
    std::string out;
    const auto result = AppendFamily(out, family, exposition, options);
    ++ran;
    EXPECT_EQ(result.has_value(), c["result"] == "ok") << c["id"];
    if (result) {
      EXPECT_EQ(out, c["output"].get<std::string>()) << c["id"];
    } else {
      EXPECT_NE(result.error().message().find(c["error_contains"].get<std::string>()), std::string::npos) << c["id"];
    }
  }
  EXPECT_GE(ran, 25);
}

TEST(Exposition, ConformanceNegotiate) {
  const json cases = LoadCases("negotiate.json");
  if (cases.empty()) GTEST_SKIP() << "no conformance data";
  for (const auto& c : cases) {
    const bool open_metrics = c["kind"] == "TestNegotiateIncludingOpenMetrics";
    const auto chosen = NegotiateFormat(c["accept"].get<std::string>(), open_metrics,
                                        open_metrics ? NameEscaping::kValues : NameEscaping::kUnderscores);
    EXPECT_EQ(ContentType(chosen), c["expected"].get<std::string>()) << c["id"];
  }
}

TEST(Exposition, QualityDecides) {
  const auto chosen = NegotiateFormat(
      "text/plain;version=0.0.4;q=0.3,*/*;q=0.1,application/vnd.google.protobuf;"
      "proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6",
      false, NameEscaping::kUnderscores);
  EXPECT_EQ(chosen.format, ExpositionFormat::kProtobuf);
  EXPECT_EQ(NegotiateFormat("", true, NameEscaping::kUnderscores).format, ExpositionFormat::kText004);
  EXPECT_EQ(NegotiateFormat(",;;=,q=;/", true, NameEscaping::kUnderscores).format, ExpositionFormat::kText004);
  const auto escaping = [](std::string_view accept) {
    return NegotiateFormat(accept, false, NameEscaping::kUnderscores).escaping;
  };
  EXPECT_EQ(escaping("text/plain;escaping=dots;escaping=values"), NameEscaping::kValues);
  EXPECT_EQ(escaping(";escaping=dots"), NameEscaping::kUnderscores);  // no type, no item
  EXPECT_EQ(escaping("text;escaping=dots"), NameEscaping::kUnderscores);
  EXPECT_EQ(escaping("text/plain/x;escaping=dots"), NameEscaping::kUnderscores);
  EXPECT_EQ(escaping("text/plain;escaping=dots=x"), NameEscaping::kUnderscores);
  // A quality that is no number is none at all.
  EXPECT_EQ(escaping("text/plain;q=x;escaping=dots,text/plain;q=0.1;escaping=values"), NameEscaping::kValues);
  // What is named goes before what is not, whatever its quality.
  EXPECT_EQ(escaping("*/*;escaping=dots,text/plain;q=0.1;escaping=values"), NameEscaping::kValues);
}

TEST(Exposition, Escaping) {
  MetricFamily family;
  family.name = "a.b";
  family.points.emplace_back().labels = {{"l.m", "v.w"}};
  std::string out;
  ASSERT_TRUE(AppendFamily(out, family, Exposition()).has_value());
  EXPECT_EQ(out, "# HELP a_b \n# TYPE a_b untyped\na_b{l_m=\"v.w\"} 0\n");
  // A name that is a legacy one stays, also where the scheme would double its underscores.
  family.name = "a_b";
  out.clear();
  ASSERT_TRUE(AppendFamily(out, family, {ExpositionFormat::kText004, NameEscaping::kDots}).has_value());
  EXPECT_EQ(out, "# HELP a_b \n# TYPE a_b untyped\na_b{l_dot_m=\"v.w\"} 0\n");
}

TEST(Exposition, ZeroHasNoSignInText) {
  MetricFamily family;
  family.name = "x";
  family.has_help = false;
  family.points.emplace_back().value = -0.0;
  std::string out;
  ASSERT_TRUE(AppendFamily(out, family, Exposition()).has_value());
  EXPECT_EQ(out, "# TYPE x untyped\nx 0\n");
}

// Go's library writes fields by number, and as they are declared in text.
TEST(Exposition, OrderOfHistogramFields) {
  MetricFamily family;
  family.name = "x";
  family.has_help = false;
  family.type = ExposedType::kHistogram;
  MetricPoint& point = family.points.emplace_back();
  point.timestamp_ms = 5;
  point.created = ProtoTime{7, 0};
  point.histogram.has_float_counts = true;
  point.histogram.sample_count_float = 2;
  point.histogram.sample_sum = 3;
  auto& bucket = point.histogram.buckets.emplace_back();
  bucket.cumulative_count_float = 1;
  bucket.upper_bound = 4;
  std::string out;
  ASSERT_TRUE(AppendFamily(out, family, {ExpositionFormat::kProtobufCompact, NameEscaping::kNone}).has_value());
  EXPECT_EQ(out,
            "name:\"x\" type:HISTOGRAM metric:{histogram:{sample_count_float:2 sample_sum:3 "
            "bucket:{cumulative_count_float:1 upper_bound:4} created_timestamp:{seconds:7}} timestamp_ms:5}\n");
  out.clear();
  ASSERT_TRUE(AppendFamily(out, family, {ExpositionFormat::kProtobuf, NameEscaping::kNone}).has_value());
  const auto number = [](double value) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &value, 8);
    return bytes;
  };
  const std::string in_bucket = "\x11" + number(4) + "\x21" + number(1);
  const std::string in_histogram =
      "\x11" + number(3) + "\x1a\x12" + in_bucket + "\x21" + number(2) + "\x7a\x02\x08\x07";
  const std::string in_metric = "\x30\x05\x3a" + std::string(1, static_cast<char>(in_histogram.size())) + in_histogram;
  EXPECT_EQ(out.substr(out.size() - in_metric.size()), in_metric);
}

TEST(Exposition, ProtobufBytes) {
  MetricFamily family;
  family.name = "x";
  family.has_help = false;
  family.type = ExposedType::kGauge;
  MetricPoint& point = family.points.emplace_back();
  point.labels = {{"a", "b"}};
  point.value = 1;
  point.timestamp_ms = 5;
  std::string out;
  ASSERT_TRUE(AppendFamily(out, family, {ExpositionFormat::kProtobuf, NameEscaping::kUnderscores}).has_value());
  const std::string expected = std::string("\x1c\x0a\x01x\x18\x01\x22\x15\x0a\x06\x0a\x01", 12) + "a\x12\x01" + "b" +
                               std::string("\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x30\x05", 13);
  EXPECT_EQ(out, expected);
  out.clear();
  ASSERT_TRUE(AppendFamily(out, family, {ExpositionFormat::kProtobufCompact, NameEscaping::kUnderscores}).has_value());
  EXPECT_EQ(out, "name:\"x\" type:GAUGE metric:{label:{name:\"a\" value:\"b\"} gauge:{value:1} timestamp_ms:5}\n");
}

}  // namespace
}  // namespace epi
