// The shared expositions: every entry that a body must parse to, and the exact error where it must not parse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "model/number_format.h"
#include "scrape/parse/format.h"
#include "testing/temp_dir.h"

namespace epi::scrape {
namespace {

using nlohmann::json;

std::string Base64(const std::string& text) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    static const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string::npos) continue;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xff);
    }
  }
  return out;
}

std::string TextOf(const json& value) {
  return value.is_object() ? Base64(value.at("_base64").get<std::string>()) : value.get<std::string>();
}

double NumberOf(const json& value) {
  if (value.is_number()) return value.get<double>();
  const auto text = value.get<std::string>();
  if (text == "StaleNaN") return StaleNaN();
  return ParseGoFloat(text).value();
}

json Number(double value) {
  if (std::isnan(value)) return IsStaleNaN(value) ? "StaleNaN" : "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == 0 && std::signbit(value)) return "-0";
  return value;
}

std::string Canonical(const Labels& labels) { return labels.ToString(); }

Labels LabelsOf(const json& object) {
  LabelsBuilder builder;
  for (const auto& [name, value] : object.items()) builder.Set(name, TextOf(value));
  return builder.Build();
}

template <typename Buckets>
json Buckets_(const Buckets& buckets) {
  json out = json::array();
  for (const auto bucket : buckets) out.push_back(Number(static_cast<double>(bucket)));
  return out;
}

json Spans(const std::vector<HistogramSpan>& spans) {
  json out = json::array();
  for (const auto& span : spans) out.push_back({span.offset, span.length});
  return out;
}

constexpr const char* kHints[] = {"unknown", "reset", "not_reset", "gauge"};

// Fields that are zero or empty are left out, as in the data.
template <typename H>
json HistogramJson(const H& h) {
  json out = json::object();
  if (h.counter_reset_hint != CounterResetHint::kUnknown) {
    out["counter_reset_hint"] = kHints[static_cast<size_t>(h.counter_reset_hint)];
  }
  out["schema"] = h.schema;
  out["count"] = Number(static_cast<double>(h.count));
  out["sum"] = Number(h.sum);
  out["zero_threshold"] = Number(h.zero_threshold);
  out["zero_count"] = Number(static_cast<double>(h.zero_count));
  out["positive_spans"] = Spans(h.positive_spans);
  out["negative_spans"] = Spans(h.negative_spans);
  out["positive_buckets"] = Buckets_(h.positive_buckets);
  out["negative_buckets"] = Buckets_(h.negative_buckets);
  out["custom_values"] = Buckets_(h.custom_values);
  for (auto it = out.begin(); it != out.end();) {
    const bool empty = it->is_array() ? it->empty() : it->is_number() && it->get<double>() == 0;
    it = empty ? out.erase(it) : std::next(it);
  }
  return out;
}

json WithoutZeros(json object) {
  if (object.value("counter_reset_hint", "") == "unknown") object.erase("counter_reset_hint");
  for (auto it = object.begin(); it != object.end();) {
    const bool empty = it->is_array() ? it->empty() : it->is_number() && it->get<double>() == 0;
    it = empty ? object.erase(it) : std::next(it);
  }
  return object;
}

class ParseConformance : public ::testing::TestWithParam<const char*> {};

void CheckEntry(const json& want, ExpositionParser& parser, EntryKind kind, bool partial, const std::string& where) {
  const ExpositionEntry& entry = parser.entry();
  const std::string expected_kind = want.at("kind");
  static constexpr const char* kKinds[] = {"end", "help", "type", "unit", "comment", "series", "histogram"};
  ASSERT_EQ(kKinds[static_cast<size_t>(kind)], expected_kind) << where;
  if (kind == EntryKind::kSeries || kind == EntryKind::kHistogram) {
    EXPECT_EQ(entry.series, TextOf(want.at("text"))) << where;
    if (partial) return;
    EXPECT_EQ(Canonical(parser.SampleLabels()), Canonical(LabelsOf(want.at("labels")))) << where;
    if (kind == EntryKind::kSeries) {
      EXPECT_EQ(Number(entry.value), Number(NumberOf(want.at("value")))) << where;
    } else if (entry.histogram) {
      EXPECT_EQ(HistogramJson(*entry.histogram), WithoutZeros(want.at("int_histogram"))) << where;
    } else {
      EXPECT_EQ(HistogramJson(*entry.float_histogram), WithoutZeros(want.at("float_histogram"))) << where;
    }
    EXPECT_EQ(entry.has_time, want.contains("timestamp_ms")) << where;
    if (entry.has_time && want.contains("timestamp_ms")) {
      EXPECT_EQ(entry.time, want["timestamp_ms"].get<int64_t>()) << where;
    }
    EXPECT_EQ(parser.StartTime(), want.value("start_timestamp_ms", int64_t{0})) << where;
    json exemplars = json::array();
    for (Exemplar e; parser.NextExemplar(e); e = {}) {
      json one = {{"labels", json::object()}, {"value", Number(e.value)}};
      for (const LabelView label : e.labels) one["labels"][std::string(label.name)] = std::string(label.value);
      if (e.has_time) one["timestamp_ms"] = e.time;
      exemplars.push_back(std::move(one));
    }
    EXPECT_EQ(exemplars, want.value("exemplars", json::array())) << where;
    return;
  }
  if (kind == EntryKind::kComment) {
    EXPECT_EQ(entry.text, TextOf(want.contains("comment") ? want.at("comment") : want.at("text"))) << where;
    return;
  }
  EXPECT_EQ(entry.family, TextOf(want.at("metric"))) << where;
  if (kind == EntryKind::kType) {
    EXPECT_EQ(MetricTypeName(entry.type), want.at("type").get<std::string>()) << where;
  } else {
    EXPECT_EQ(entry.text, TextOf(want.at(kind == EntryKind::kHelp ? "help" : "unit"))) << where;
  }
}

void CheckCase(const json& c) {
  const std::string id = c.at("id");
  const std::string format_name = c.at("format");
  const ExpositionFormat format = format_name == "openmetrics-text" ? ExpositionFormat::kOpenMetrics
                                  : format_name == "protobuf"       ? ExpositionFormat::kProtobuf
                                                                    : ExpositionFormat::kText;
  const json options_json = c.value("options", json::object());
  ParserOptions options;
  options.type_and_unit_labels = options_json.value("type_and_unit_labels", false);
  options.skip_created_series = options_json.value("skip_created_series", false);
  options.ignore_native_histograms = options_json.value("ignore_native_histograms", false);
  options.keep_classic_histograms = options_json.value("keep_classic", false);
  options.convert_classic_to_nhcb = options_json.value("convert_classic_to_nhcb", false);
  const std::string body = c.contains("input_base64") ? Base64(c["input_base64"]) : TextOf(c.at("input"));
  const auto parser = MakeParser(format, body, options);
  const json entries = c.value("entries", json::array());
  const bool fails = c.at("result") == "fail";
  const bool unlisted = !c.contains("entries");
  size_t at = 0;
  while (true) {
    const auto kind = parser->Next();
    if (!kind) {
      ASSERT_TRUE(fails) << id << ": " << kind.error().message();
      EXPECT_EQ(kind.error().message(), c.at("error_text").get<std::string>()) << id;
      return;
    }
    if (*kind == EntryKind::kEnd) {
      ASSERT_TRUE(!fails || c.at("error_text") == "EOF") << id;
      break;
    }
    if (fails || unlisted) continue;
    ASSERT_LT(at, entries.size()) << id;
    CheckEntry(entries[at], *parser, *kind, c.contains("entries_partial"), id + " entry " + std::to_string(at));
    if (::testing::Test::HasFatalFailure()) return;
    ++at;
  }
  EXPECT_EQ(at, entries.size()) << id;
}

TEST_P(ParseConformance, EveryCase) {
  const std::string dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "the shared conformance data is not here";
  std::ifstream in(dir + "/exposition/" + GetParam());
  ASSERT_TRUE(in);
  const json data = json::parse(in);
  size_t cases = 0;
  for (const auto& c : data.at("cases")) {
    CheckCase(c);
    ++cases;
  }
  EXPECT_GT(cases, 0u);
}

INSTANTIATE_TEST_SUITE_P(Files, ParseConformance, ::testing::Values("text_parse.json", "protobuf.json", "nhcb.json"));

TEST(ContentTypeConformance, EveryCase) {
  const std::string dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "the shared conformance data is not here";
  std::ifstream in(dir + "/exposition/content_type.json");
  ASSERT_TRUE(in);
  const json table = json::parse(in);
  for (const auto& c : table.at("cases")) {
    const std::string id = c.at("id");
    const auto chosen = ChooseFormat(c.at("content_type").get<std::string>(),
                                     ScrapeProtocolFromName(c.at("fallback_scrape_protocol").get<std::string>()));
    const std::string message = chosen ? chosen->warning : chosen.error().message();
    EXPECT_EQ(!chosen, c.at("parser").is_null()) << id;
    if (chosen && !c.at("parser").is_null()) {
      static constexpr const char* kNames[] = {"prometheus-text", "openmetrics-text", "protobuf"};
      EXPECT_EQ(kNames[static_cast<size_t>(chosen->format)], c.at("parser").get<std::string>()) << id;
    }
    EXPECT_THAT(message, ::testing::HasSubstr(c.value("message_contains", std::string()))) << id;
    if (!c.contains("message_contains")) {
      EXPECT_EQ(message, "") << id;
    }
  }
}

}  // namespace
}  // namespace epi::scrape
