#include "rules/rule_file.h"

#include <gtest/gtest.h>

#include "base/file_system.h"
#include "testing/conformance.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

using nlohmann::json;

std::string Text(const std::string& path) {
  return PosixFileSystem().ReadFile(testing::ConformanceDir() + "/rules/" + path).value();
}

TEST(RuleFileConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules/parse.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    RuleFileOptions options;
    options.scheme = test.at("name_scheme") == "legacy" ? NameScheme::kLegacy : NameScheme::kUtf8;
    const std::string text = test.contains("yaml") ? test.at("yaml").get<std::string>() : Text(test.at("file"));
    const auto outcome = ParseRuleFile(text, options);
    ASSERT_EQ(outcome.ok(), test.at("result") == "ok") << (outcome.errors.empty() ? "" : outcome.errors.front());
    if (test.contains("error_contains")) {
      EXPECT_NE(outcome.errors.front().find(test.at("error_contains").get<std::string>()), std::string::npos)
          << outcome.errors.front();
    }
    if (test.contains("error_count")) {
      EXPECT_EQ(outcome.errors.size(), test.at("error_count").get<size_t>());
    }
  }
}

TEST(RuleFileConformance, Duplicates) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules/promtool_checks.json");
  for (const json& test : data.at("cases")) {
    if (test.at("kind") != "check_duplicates") continue;
    SCOPED_TRACE(test.at("id").get<std::string>());
    const auto outcome = ParseRuleFile(Text("promtool/" + test.at("file").get<std::string>()), {});
    ASSERT_TRUE(outcome.ok());
    const auto duplicates = FindDuplicateRules(outcome.file);
    ASSERT_EQ(duplicates.size(), test.at("duplicates").size());
    for (size_t i = 0; i < duplicates.size(); ++i)
      EXPECT_EQ(duplicates[i].metric, test.at("duplicates")[i].at("metric"));
  }
}

TEST(RuleFileConformance, RealRuleFilesLoad) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules-corpus/files.json");
  const json& files = data.contains("files") ? data.at("files") : data.at("cases");
  size_t loaded = 0;
  for (const json& file : files) {
    const std::string path = file.value("file", "");
    if (!path.ends_with(".yml") && !path.ends_with(".yaml")) continue;
    const auto text = PosixFileSystem().ReadFile(testing::ConformanceDir() + "/rules-corpus/" + path);
    if (!text) continue;
    SCOPED_TRACE(path);
    // Some files are Kubernetes resources around the groups.
    if (text->find("kind: PrometheusRule") != std::string::npos) continue;
    const auto outcome = ParseRuleFile(*text, {});
    EXPECT_TRUE(outcome.ok()) << (outcome.errors.empty() ? "" : outcome.errors.front());
    loaded += outcome.file.groups.empty() ? 0 : 1;
  }
  EXPECT_GT(loaded, 20u);
}

TEST(RuleFile, ErrorsNamePlaceGroupAndRule) {
  const auto outcome = ParseRuleFile("groups:\n- name: g\n  rules:\n  - record: a\n    expr: up +\n  - alert: b\n", {});
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_EQ(outcome.errors[0],
            "5:11: group \"g\", rule 1, \"a\": could not parse expression: 1:5: parse error: unexpected end of input");
  EXPECT_EQ(outcome.errors[1], "0:0: group \"g\", rule 2, \"b\": field 'expr' must be set in rule");
}

TEST(RuleFile, EmptyFilesAndGroupKeys) {
  EXPECT_TRUE(ParseRuleFile("", {}).ok());
  const auto outcome = ParseRuleFile(
      "groups:\n- name: g\n  interval: 1m30s\n  query_offset: 10s\n  limit: 5\n  labels: {a: b, c: d}\n  rules:\n"
      "  - record: r\n    expr: up\n    labels: {c: e}\n",
      {});
  ASSERT_TRUE(outcome.ok()) << outcome.errors.front();
  const RuleGroupSpec& group = outcome.file.groups.at(0);
  EXPECT_EQ(group.interval_ms, 90'000);
  EXPECT_EQ(group.query_offset_ms, 10'000);
  EXPECT_EQ(group.limit, 5);
  EXPECT_EQ(MergedLabels(group, group.rules.at(0)), (RuleLabels{{"a", "b"}, {"c", "e"}}));
}

TEST(RuleFile, UnknownFieldsMayBeIgnored) {
  RuleFileOptions options;
  const std::string text = "groups:\n- name: g\n  extra: 1\n  rules: []\n";
  EXPECT_EQ(ParseRuleFile(text, options).errors.at(0),
            "yaml: unmarshal errors:\n  line 3: field extra not found in type rulefmt.RuleGroup");
  options.ignore_unknown_fields = true;
  EXPECT_TRUE(ParseRuleFile(text, options).ok());
}

// What Prometheus says of a file that it reads twice, once into rules and once into nodes.
TEST(RuleFile, BothReadingsTellWhatIsWrong) {
  const std::string yaml = "yaml: unmarshal errors:\n  ";
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"x",
       {yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.RuleGroups",
        yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.ruleGroups"}},
      {"groups: [x]",
       {yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.RuleGroup",
        yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.RuleGroupNode"}},
      {"groups: [{name: a, rules: [x]}]",
       {yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.Rule",
        yaml + "line 1: cannot unmarshal !!str `x` into rulefmt.RuleNode"}},
      // Nodes take anything for an expression, and fields that nobody knows.
      {"groups: [{name: a, rules: [{record: {}, expr: '1'}]}]", {yaml + "line 1: cannot unmarshal !!map into string"}},
      {"groups: [{name: a, limit: x, foo: 1}]",
       {yaml + "line 1: cannot unmarshal !!str `x` into int\n  line 1: field foo not found in type rulefmt.RuleGroup",
        yaml + "line 1: cannot unmarshal !!str `x` into int"}},
      {"groups: [{name: a, rules: [{record: b, expr: '1', for: x}]}]",
       {"not a valid duration string: \"x\"", "not a valid duration string: \"x\""}},
      {"groups: [{name: ''}, {name: a}, {name: a}]",
       {"0:0: Groupname must not be empty", "0:0: groupname: \"a\" is repeated in the same file"}},
      {"groups: [{name: a, rules: [{alert: b, record: c, expr: '1'}]}]",
       {"1:47: 1:36: group \"a\", rule 1, \"b\": only one of 'record' and 'alert' must be set"}},
      // Nulls in lists of structs are left out.
      {"groups: [null, {name: a, rules: [null]}]", {}},
  };
  for (const auto& [text, errors] : cases) EXPECT_EQ(ParseRuleFile(text, {}).errors, errors) << text;
}

TEST(RuleFile, LabelsOfTheGroupMakeARuleDifferent) {
  const auto outcome = ParseRuleFile(
      "groups: [{name: a, labels: {x: '1'}, rules: [{record: r, expr: '1'}]}, {name: b, rules: [{record: r, expr: "
      "'1'}, "
      "{record: r, expr: '2', labels: {x: '1'}}]}]",
      {});
  ASSERT_TRUE(outcome.ok());
  const auto duplicates = FindDuplicateRules(outcome.file);
  ASSERT_EQ(duplicates.size(), 1u);
  EXPECT_EQ(duplicates[0].metric, "r");
  EXPECT_EQ(duplicates[0].labels, (RuleLabels{{"x", "1"}}));
}

}  // namespace
}  // namespace epi::rules
