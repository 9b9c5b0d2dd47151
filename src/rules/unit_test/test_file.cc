#include "rules/unit_test/test_file.h"
#include "base/escaping.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "config/schema.h"
#include "config/yaml.h"
#include "config/yaml_reader.h"
#include "model/labels.h"
#include "model/number_format.h"
#include "model/rfc3339.h"

namespace epi::rules {
namespace {

using config::YamlNode;
using config::YamlReader;

constexpr int64_t kDefaultEvaluationIntervalMs = 60'000;

void ReadStringMap(YamlReader& reader, const YamlNode& node, RuleLabels& out) {
  config::StringMap map;
  config::Codec<config::StringMap>::Read(reader, node, map);
  out.assign(map.begin(), map.end());
  std::sort(out.begin(), out.end());
}

// One key of a mapping and how it is read into a T.
template <typename T>
struct TestKey {
  std::string_view key;
  void (*read)(YamlReader& reader, const YamlNode& node, T& out);
};

template <typename T>
void ReadMapping(YamlReader& reader, const YamlNode& node, std::string_view go_type, std::span<const TestKey<T>> keys,
                 T& out) {
  if (node.IsNull()) return;
  if (!node.IsMapping()) {
    reader.WrongType(node, go_type);
    return;
  }
  for (const config::YamlEntry& entry : node.entries()) {
    const auto known =
        std::find_if(keys.begin(), keys.end(), [&](const TestKey<T>& key) { return key.key == entry.key.text(); });
    if (known == keys.end()) {
      reader.UnknownField(entry.key, go_type);
    } else {
      known->read(reader, entry.value, out);
    }
  }
}

template <typename T>
void ReadSequence(YamlReader& reader, const YamlNode& node, std::string_view go_list_type,
                  void (*read)(YamlReader& reader, const YamlNode& node, T& out), std::vector<T>& out) {
  if (node.IsNull()) return;
  if (!node.IsSequence()) {
    reader.WrongType(node, go_list_type);
    return;
  }
  for (const YamlNode& item : node.items()) read(reader, item, out.emplace_back());
}

constexpr TestKey<TestSeries> kSeriesKeys[] = {
    {"series", [](YamlReader& reader, const YamlNode& node, TestSeries& out) { reader.ReadString(node, out.series); }},
    {"values", [](YamlReader& reader, const YamlNode& node, TestSeries& out) { reader.ReadString(node, out.values); }},
};

constexpr TestKey<ExpectedAlert> kExpectedAlertKeys[] = {
    {"exp_labels",
     [](YamlReader& reader, const YamlNode& node, ExpectedAlert& out) { ReadStringMap(reader, node, out.labels); }},
    {"exp_annotations", [](YamlReader& reader, const YamlNode& node,
                           ExpectedAlert& out) { ReadStringMap(reader, node, out.annotations); }},
};

void ReadExpectedAlert(YamlReader& reader, const YamlNode& node, ExpectedAlert& out) {
  ReadMapping<ExpectedAlert>(reader, node, "main.alert", kExpectedAlertKeys, out);
}

constexpr TestKey<AlertTest> kAlertTestKeys[] = {
    {"eval_time", [](YamlReader& reader, const YamlNode& node,
                     AlertTest& out) { config::DurationCodec::Read(reader, node, out.eval_time_ms); }},
    {"alertname",
     [](YamlReader& reader, const YamlNode& node, AlertTest& out) { reader.ReadString(node, out.alertname); }},
    {"exp_alerts", [](YamlReader& reader, const YamlNode& node,
                      AlertTest& out) { ReadSequence(reader, node, "[]main.alert", &ReadExpectedAlert, out.alerts); }},
};

constexpr TestKey<ExpectedSample> kExpectedSampleKeys[] = {
    {"labels",
     [](YamlReader& reader, const YamlNode& node, ExpectedSample& out) { reader.ReadString(node, out.labels); }},
    {"value", [](YamlReader& reader, const YamlNode& node, ExpectedSample& out) { reader.ReadFloat(node, out.value); }},
    {"histogram",
     [](YamlReader& reader, const YamlNode& node, ExpectedSample& out) { reader.ReadString(node, out.histogram); }},
};

void ReadExpectedSample(YamlReader& reader, const YamlNode& node, ExpectedSample& out) {
  ReadMapping<ExpectedSample>(reader, node, "main.sample", kExpectedSampleKeys, out);
}

constexpr TestKey<ExpressionTest> kExpressionTestKeys[] = {
    {"expr", [](YamlReader& reader, const YamlNode& node, ExpressionTest& out) { reader.ReadString(node, out.expr); }},
    {"eval_time", [](YamlReader& reader, const YamlNode& node,
                     ExpressionTest& out) { config::DurationCodec::Read(reader, node, out.eval_time_ms); }},
    {"exp_samples",
     [](YamlReader& reader, const YamlNode& node, ExpressionTest& out) {
       ReadSequence(reader, node, "[]main.sample", &ReadExpectedSample, out.samples);
     }},
};

// Seconds since the epoch, or RFC 3339.
void ReadStart(YamlReader& reader, const YamlNode& node, RuleTestGroup& out) {
  std::string text;
  if (!reader.ReadString(node, text) || text.empty()) return;
  if (const auto seconds = ParseGoFloat(text); seconds && std::isfinite(*seconds) && std::abs(*seconds) < 1e15) {
    out.start = static_cast<TimestampMs>(std::llround(*seconds * 1000));
    return;
  }
  if (const auto time = ParseRfc3339(text)) {
    out.start = *time;
    return;
  }
  std::string quoted;
  AppendQuoted(quoted, text);
  reader.Refuse(Error(ErrorCode::kInvalid, "cannot parse " + quoted + " to a valid timestamp"));
}

constexpr TestKey<RuleTestGroup> kTestGroupKeys[] = {
    {"name", [](YamlReader& reader, const YamlNode& node, RuleTestGroup& out) { reader.ReadString(node, out.name); }},
    {"interval", [](YamlReader& reader, const YamlNode& node,
                    RuleTestGroup& out) { config::DurationCodec::Read(reader, node, out.interval_ms); }},
    {"input_series",
     [](YamlReader& reader, const YamlNode& node, RuleTestGroup& out) {
       ReadSequence<TestSeries>(
           reader, node, "[]main.series",
           [](YamlReader& inner, const YamlNode& item, TestSeries& series) {
             ReadMapping<TestSeries>(inner, item, "main.series", kSeriesKeys, series);
           },
           out.input_series);
     }},
    {"alert_rule_test",
     [](YamlReader& reader, const YamlNode& node, RuleTestGroup& out) {
       ReadSequence<AlertTest>(
           reader, node, "[]main.alertTestCase",
           [](YamlReader& inner, const YamlNode& item, AlertTest& test) {
             ReadMapping<AlertTest>(inner, item, "main.alertTestCase", kAlertTestKeys, test);
           },
           out.alert_tests);
     }},
    {"promql_expr_test",
     [](YamlReader& reader, const YamlNode& node, RuleTestGroup& out) {
       ReadSequence<ExpressionTest>(
           reader, node, "[]main.promqlTestCase",
           [](YamlReader& inner, const YamlNode& item, ExpressionTest& test) {
             ReadMapping<ExpressionTest>(inner, item, "main.promqlTestCase", kExpressionTestKeys, test);
           },
           out.expression_tests);
     }},
    {"external_labels", [](YamlReader& reader, const YamlNode& node,
                           RuleTestGroup& out) { ReadStringMap(reader, node, out.external_labels); }},
    {"external_url",
     [](YamlReader& reader, const YamlNode& node, RuleTestGroup& out) { reader.ReadString(node, out.external_url); }},
    {"start_timestamp", &ReadStart},
};

constexpr TestKey<RuleTestFile> kTestFileKeys[] = {
    {"rule_files",
     [](YamlReader& reader, const YamlNode& node, RuleTestFile& out) { reader.ReadStrings(node, out.rule_files); }},
    {"evaluation_interval",
     [](YamlReader& reader, const YamlNode& node, RuleTestFile& out) {
       config::DurationCodec::Read(reader, node, out.evaluation_interval_ms);
     }},
    {"group_eval_order",
     [](YamlReader& reader, const YamlNode& node, RuleTestFile& out) { reader.ReadStrings(node, out.group_order); }},
    {"fuzzy_compare",
     [](YamlReader& reader, const YamlNode& node, RuleTestFile& out) { reader.ReadBool(node, out.fuzzy_compare); }},
    {"tests",
     [](YamlReader& reader, const YamlNode& node, RuleTestFile& out) {
       ReadSequence<RuleTestGroup>(
           reader, node, "[]main.testGroup",
           [](YamlReader& inner, const YamlNode& item, RuleTestGroup& group) {
             ReadMapping<RuleTestGroup>(inner, item, "main.testGroup", kTestGroupKeys, group);
           },
           out.groups);
     }},
};

}  // namespace

int64_t RuleTestGroup::LastEvalTimeMs() const {
  int64_t last = 0;
  for (const AlertTest& test : alert_tests) last = std::max(last, test.eval_time_ms);
  for (const ExpressionTest& test : expression_tests) last = std::max(last, test.eval_time_ms);
  return last;
}

Result<RuleTestFile> ParseRuleTestFile(std::string_view text) {
  EPI_ASSIGN(const auto document, config::YamlDocument::Parse(text, config::DuplicateKeys::kReject));
  YamlReader reader;
  RuleTestFile out;
  ReadMapping<RuleTestFile>(reader, document.root(), "main.unitTestFile", kTestFileKeys, out);
  EPI_TRY(reader.Finish());
  if (out.evaluation_interval_ms <= 0) out.evaluation_interval_ms = kDefaultEvaluationIntervalMs;
  for (RuleTestGroup& group : out.groups) {
    if (group.interval_ms <= 0) group.interval_ms = out.evaluation_interval_ms;
  }
  return out;
}

Result<std::map<std::string, size_t>> EvaluationOrder(const std::vector<std::string>& order) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < order.size(); ++i) {
    if (!places.emplace(order[i], i).second) {
      return Fail(ErrorCode::kInvalid, "group name repeated in evaluation order: " + order[i]);
    }
  }
  return places;
}

}  // namespace epi::rules
