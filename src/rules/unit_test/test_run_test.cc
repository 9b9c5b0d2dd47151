#include "rules/unit_test/test_run.h"

#include <gtest/gtest.h>

#include "testing/conformance.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

struct RuleTestFixture {
  RuleTestFixture() {
    options.files = &PosixFileSystem();
    options.clock = &clock;
    options.make_storage = [] { return std::make_unique<testing::MemoryStorage>(); };
  }
  // Writes the files into a directory and runs the first.
  RuleTestReport Run(const std::string& test, const std::string& rules) {
    EXPECT_TRUE(PosixFileSystem().WriteFileAtomically(directory.path() + "/test.yml", test));
    EXPECT_TRUE(PosixFileSystem().WriteFileAtomically(directory.path() + "/rules.yml", rules));
    return RunRuleTests(directory.path() + "/test.yml", options);
  }
  testing::SimulatedClock clock{1'700'000'000'000};
  testing::TempDir directory;
  RuleTestOptions options;
};

TEST(RuleTestConformance, AllVerdicts) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules/promtool_unit_tests.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>() + " " + test.at("name").get<std::string>());
    RuleTestFixture fixture;
    fixture.options.features.at_modifier = test.at("at_modifier").get<bool>();
    fixture.options.features.negative_offset = test.at("negative_offset").get<bool>();
    fixture.options.ignore_unknown_fields = test.at("ignore_unknown_fields").get<bool>();
    fixture.options.run = test.at("run").get<std::vector<std::string>>();
    bool ok = true;
    for (const auto& file : test.at("files")) {
      ok &=
          RunRuleTests(testing::ConformanceDir() + "/rules/promtool/" + file.get<std::string>(), fixture.options).ok();
    }
    EXPECT_EQ(ok, test.at("exit_code") == 0);
  }
}

constexpr const char* kTwoGroups = R"(
groups:
- name: later
  rules:
  - record: doubled
    expr: base * 2
- name: earlier
  rules:
  - record: base
    expr: source
)";

TEST(RuleTests, DebuggingTellsOfEveryGroupAndItsSamples) {
  RuleTestFixture fixture;
  std::string told;
  fixture.options.debug = [&told](const std::string& text) { told += text + "\n"; };
  fixture.Run(R"(
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: here
  interval: 1m
  input_series:
  - {series: source, values: 1 2.5}
  promql_expr_test:
  - {expr: source, eval_time: 1m, exp_samples: [{labels: source, value: 2.5}]}
)",
              kTwoGroups);
  const std::string name = R"({__name__="source"} =>)";
  EXPECT_NE(told.find("Starting test here\nDump of all data (input_series and rules) at 1m1s:\n"), std::string::npos);
  EXPECT_NE(told.find(name + "\n2.5 @[60000]\n"), std::string::npos) << told;
  EXPECT_NE(told.find("\nTest here finished, took 0s\n"), std::string::npos) << told;
}

TEST(RuleTests, OrderOfGroupsIsTheOneAskedFor) {
  RuleTestFixture fixture;
  const std::string tests = R"(
tests:
- input_series:
  - series: source
    values: 1 2 3
  promql_expr_test:
  - expr: doubled
    eval_time: 2m
    exp_samples:
    - labels: doubled
      value: )";
  const std::string order = "rule_files: [rules.yml]\ngroup_eval_order: [earlier, later]\n";
  EXPECT_TRUE(fixture.Run(order + tests + "6\n", kTwoGroups).ok());
  EXPECT_TRUE(fixture.Run("rule_files: [rules.yml]\n" + tests + "4\n", kTwoGroups).ok());
  const auto twice = fixture.Run("group_eval_order: [a, a]\n", kTwoGroups);
  ASSERT_EQ(twice.errors.size(), 1U);
  EXPECT_EQ(twice.errors[0], "group name repeated in evaluation order: a");
}

TEST(RuleTests, FailuresAreToldAsPromtoolTellsThem) {
  RuleTestFixture fixture;
  const auto report = fixture.Run(R"(
rule_files: [rules.yml]
tests:
- name: one
  input_series:
  - series: source{a="b"}
    values: 1
  alert_rule_test:
  - eval_time: 30s
    alertname: Loud
  - eval_time: 2m
    alertname: Loud
  promql_expr_test:
  - expr: source
    eval_time: 0
    exp_samples:
    - labels: source{a="b"}
      value: 2
  - expr: nothing
    eval_time: 0
    exp_samples:
    - labels: x
      value: 0
)",
                                  "groups: [{name: g, rules: [{alert: Loud, expr: source > 0}]}]");
  ASSERT_EQ(report.groups.size(), 1U);
  ASSERT_EQ(report.groups[0].failures.size(), 4U);
  EXPECT_EQ(report.groups[0].failures[0],
            "    name: one,\n    alertname: Loud, time: 30s, \n        exp:[], \n        got:[\n            0:\n"
            "              Labels:{a=\"b\", alertname=\"Loud\"}\n              Annotations:{}\n            ]");
  EXPECT_EQ(report.groups[0].failures[2],
            "    expr: \"source\", time: 0s,\n        exp: {__name__=\"source\", a=\"b\"} 2E+00\n        got: "
            "{__name__=\"source\", a=\"b\"} 1E+00");
  EXPECT_EQ(report.groups[0].failures[3],
            "    expr: \"nothing\", time: 0s,\n        exp: {__name__=\"x\"} 0E+00\n        got: nil");
}

TEST(RuleTests, AnAlertTestNeedsAName) {
  RuleTestFixture fixture;
  const auto report = fixture.Run("tests:\n- name: g\n  alert_rule_test:\n  - eval_time: 5m\n", "");
  ASSERT_EQ(report.groups.size(), 1U);
  EXPECT_EQ(
      report.groups[0].failures,
      std::vector<std::string>{"an item under alert_rule_test misses required attribute alertname at eval_time 5m "
                               "(in TestGroup g)"});
}

TEST(RuleTests, BrokenFilesAreErrors) {
  RuleTestFixture fixture;
  EXPECT_FALSE(fixture.Run("tests: 7\n", "").ok());
  EXPECT_FALSE(fixture.Run("test: []\n", "").ok());
  EXPECT_FALSE(fixture.Run("tests:\n- start_timestamp: tomorrow\n", "").ok());
  const auto missing = fixture.Run("rule_files: [no-such-file.yml]\n", "");
  EXPECT_TRUE(missing.ok());
  EXPECT_EQ(missing.warnings.size(), 1U);
}

}  // namespace
}  // namespace epi::rules
