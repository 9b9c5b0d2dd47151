#include "model/labels.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "model/label_names.h"
#include "testing/conformance.h"

namespace epi {
namespace {

using ::epi::testing::ConformanceText;
using nlohmann::json;

// Owns the text that LabelView points at.
struct Pairs {
  explicit Pairs(const json& from) {
    for (const auto& pair : from) text.emplace_back(ConformanceText(pair.at(0)), ConformanceText(pair.at(1)));
  }
  std::vector<LabelView> Views() const {
    std::vector<LabelView> out;
    for (const auto& [name, value] : text) out.push_back({name, value});
    return out;
  }
  std::vector<std::pair<std::string, std::string>> text;
};

Labels LabelsOf(const json& pairs) { return Labels::FromPairs(Pairs(pairs).Views()); }

Labels Built(const json& test) {
  LabelsBuilder builder(LabelsOf(test.at("base")));
  for (const auto& pair : test.at("set")) builder.Set(ConformanceText(pair.at(0)), ConformanceText(pair.at(1)));
  const auto keep = test.at("keep").get<std::vector<std::string>>();
  if (!keep.empty()) builder.Keep(std::vector<std::string_view>(keep.begin(), keep.end()));
  for (const auto& name : test.at("del")) builder.Del(name.get<std::string>());
  return builder.Build();
}

Labels Matched(const json& test) {
  LabelsBuilder builder(LabelsOf(test.at("labels")));
  const auto names = test.at("names").get<std::vector<std::string>>();
  if (test.at("on").get<bool>()) {
    builder.Keep(std::vector<std::string_view>(names.begin(), names.end()));
  } else {
    for (const auto& name : names) builder.Del(name);
    builder.Del(kMetricName);  // as without(…) does
  }
  return builder.Build();
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// Computed from the layout that the header names.
TEST(Labels, HashThatOthersSee) {
  EXPECT_EQ(Hex(Labels().PrometheusHash()), "ef46db3751d8e999");
  const Labels up{{"__name__", "up"}, {"instance", "localhost:9090"}, {"job", "prometheus"}};
  EXPECT_EQ(Hex(up.PrometheusHash()), "70e9258041254325");
  // Lengths change their form at 255.
  const auto of_length = [](size_t length) { return Hex(Labels{{"a", std::string(length, 'x')}}.PrometheusHash()); };
  EXPECT_EQ(of_length(254), "d595c5082328667a");
  EXPECT_EQ(of_length(255), "6cdb059dacbe544e");
  EXPECT_EQ(of_length(256), "a153adcf545e38dd");
  EXPECT_EQ(of_length(70'000), "d5a15f086eb259ea");
}

TEST(LabelsConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "labels/labels.json");
  int checked = 0;
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    ++checked;
    if (kind == "string") {
      EXPECT_EQ(LabelsOf(test.at("labels")).ToString(), test.at("expected").get<std::string>());
    } else if (kind == "match_labels") {
      EXPECT_EQ(Matched(test), LabelsOf(test.at("expected")));
    } else if (kind == "without_empty") {
      EXPECT_EQ(LabelsOf(test.at("labels")), LabelsOf(test.at("expected")));
    } else if (kind == "is_valid") {
      const auto scheme = test.at("scheme") == "legacy" ? NameScheme::kLegacy : NameScheme::kUtf8;
      EXPECT_EQ(AreValidLabels(LabelsOf(test.at("labels")), scheme), test.at("expected").get<bool>());
    } else if (kind == "equal") {
      EXPECT_EQ(LabelsOf(test.at("a")) == LabelsOf(test.at("b")), test.at("expected").get<bool>());
    } else if (kind == "compare_sign") {
      EXPECT_EQ(Labels::Compare(LabelsOf(test.at("a")), LabelsOf(test.at("b"))), test.at("expected").get<int>());
    } else if (kind == "has") {
      EXPECT_EQ(LabelsOf(test.at("labels")).Has(test.at("name").get<std::string>()), test.at("expected").get<bool>());
    } else if (kind == "builder") {
      EXPECT_EQ(Built(test), LabelsOf(test.at("expected")));
    } else if (kind == "sort") {
      EXPECT_EQ(LabelsOf(test.at("add")), LabelsOf(test.at("expected")));
    } else {
      // Duplicate names cannot exist in Labels, JSON is the web module's, and the stable hash serves sharded storages.
      --checked;
    }
  }
  EXPECT_GE(checked, 60);
}

TEST(LabelNamesConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "labels/names.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    const std::string name = ConformanceText(test.at("name"));
    if (kind == "metric_name") {
      EXPECT_EQ(IsValidMetricName(name, NameScheme::kLegacy), test.at("legacy").get<bool>());
      EXPECT_EQ(IsValidMetricName(name, NameScheme::kUtf8), test.at("utf8").get<bool>());
    } else if (kind == "label_name") {
      EXPECT_EQ(IsValidLabelName(name, NameScheme::kLegacy), test.at("legacy").get<bool>());
      EXPECT_EQ(IsValidLabelName(name, NameScheme::kUtf8), test.at("utf8").get<bool>());
    } else if (kind == "escape") {
      EXPECT_EQ(EscapeName(name, NameEscaping::kUnderscores), test.at("underscores").get<std::string>());
      const std::string dots = EscapeName(name, NameEscaping::kDots);
      EXPECT_EQ(dots, test.at("dots").get<std::string>());
      EXPECT_EQ(UnescapeName(dots, NameEscaping::kDots), test.at("dots_unescaped").get<std::string>());
      const std::string values = EscapeName(name, NameEscaping::kValues);
      EXPECT_EQ(values, test.at("values").get<std::string>());
      EXPECT_EQ(UnescapeName(values, NameEscaping::kValues), name);
      EXPECT_EQ(EscapeName(name, NameEscaping::kNone), name);
    } else {
      ASSERT_EQ(kind, "unescape_values");
      EXPECT_EQ(UnescapeName(name, NameEscaping::kValues), test.at("expected").get<std::string>());
    }
  }
}

TEST(SanitizeConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "labels/sanitize.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string input = test.at("input");
    const bool full = test.at("kind") == "sanitize_full_label_name";
    EXPECT_EQ(full ? SanitizeFullLabelName(input) : SanitizeLabelName(input), test.at("expected").get<std::string>());
  }
}

TEST(Labels, TextEscapesWhatGoEscapes) {
  EXPECT_EQ((Labels{{"a", "\x01\n\"\\"}, {"b", "\xff\u00a0\u2028é"}}).ToString(),
            "{a=\"\\x01\\n\\\"\\\\\", b=\"\\xff\\u00a0\\u2028é\"}");
  EXPECT_EQ((Labels{{"__name__", "up"}}).ToMetricString(), "up");
  EXPECT_EQ((Labels{{"__name__", "up.x"}, {"a", "1"}}).ToMetricString(), "{\"up.x\", a=\"1\"}");
  EXPECT_EQ((Labels{{"__name__", "up"}, {"a", "1"}, {"b", "2"}}).ToMetricString(), "up{a=\"1\", b=\"2\"}");
}

TEST(Labels, BuilderReplacesDeletesAndKeepsOrder) {
  LabelsBuilder builder(Labels{{"b", "2"}});
  builder.Set("c", "3").Set("a", "1").Set("b", "").Set("c", "4");
  EXPECT_EQ(builder.Build(), (Labels{{"a", "1"}, {"c", "4"}}));
  EXPECT_EQ(builder.Get("a"), "1");
  EXPECT_EQ(builder.Get("b"), "");
}

TEST(LabelNames, BrokenBytesAreEscapedAsTheReplacementCharacter) {
  EXPECT_EQ(EscapeName("a\xff", NameEscaping::kValues), "U__a_fffd_");
  EXPECT_EQ(EscapeName("1a", NameEscaping::kUnderscores), "_a");
  EXPECT_EQ(UnescapeName("U___110000_", NameEscaping::kValues), "U___110000_");
}

}  // namespace
}  // namespace epi
