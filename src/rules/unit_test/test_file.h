// Unit test files of rules, in promtool's format, as plain structs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "rules/rule_file.h"

namespace epi::rules {

struct TestSeries {
  std::string series;
  std::string values;
};

struct ExpectedAlert {
  RuleLabels labels;
  RuleLabels annotations;
};

struct AlertTest {
  int64_t eval_time_ms = 0;
  std::string alertname;
  std::vector<ExpectedAlert> alerts;
};

struct ExpectedSample {
  std::string labels;  // a metric's text
  double value = 0;
  std::string histogram;  // in the notation of series; instead of the value
};

struct ExpressionTest {
  std::string expr;
  int64_t eval_time_ms = 0;
  std::vector<ExpectedSample> samples;
};

struct RuleTestGroup {
  std::string name;
  int64_t interval_ms = 0;  // between the values of input series
  std::vector<TestSeries> input_series;
  std::vector<AlertTest> alert_tests;
  std::vector<ExpressionTest> expression_tests;
  RuleLabels external_labels;
  std::string external_url;
  TimestampMs start = 0;
  // The latest time that any test of the group looks at, since the start.
  int64_t LastEvalTimeMs() const;
};

struct RuleTestFile {
  std::vector<std::string> rule_files;  // patterns
  int64_t evaluation_interval_ms = 60'000;
  std::vector<std::string> group_order;
  bool fuzzy_compare = false;
  std::vector<RuleTestGroup> groups;
};

// kInvalid with go-yaml's texts. Intervals are filled in where the file leaves them out.
Result<RuleTestFile> ParseRuleTestFile(std::string_view text);

// The place of each group of `order` in it. kInvalid "group name repeated in evaluation order: x".
Result<std::map<std::string, size_t>> EvaluationOrder(const std::vector<std::string>& order);

}  // namespace epi::rules
