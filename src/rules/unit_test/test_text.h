// What unit tests of rules compare, and how differences are shown.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "model/labels.h"
#include "promql/engine/result.h"
#include "rules/rule_labels.h"

namespace epi::rules {

// A firing alert.
struct TestAlert {
  Labels labels;
  RuleLabels annotations;
  friend bool operator==(const TestAlert&, const TestAlert&) = default;
  friend bool operator<(const TestAlert& a, const TestAlert& b) {
    return a.labels != b.labels ? a.labels < b.labels : a.annotations < b.annotations;
  }
};

// An element of an expression's result.
struct TestSample {
  Labels labels;
  double value = 0;
  std::string histogram;  // in the notation of series; empty for a float
};

// `fuzzy`: neighbouring numbers count as equal. NaN equals nothing.
bool AreEqual(const std::vector<TestSample>& expected, const std::vector<TestSample>& got, bool fuzzy);

std::string TestAlertsText(const std::vector<TestAlert>& alerts);     // "[]", or an element with its labels a line each
std::string TestSamplesText(const std::vector<TestSample>& samples);  // "nil", `{a="b"} 1E+00, {a="c"} 2E+00`
// `{a="b"} =>` and a line "1 @[60000]" for each point, for each series.
std::string TestMatrixText(const promql::MatrixValue& matrix);
// What is missing in red behind '-', what is too much in green behind '+', the rest as it is.
std::string TestAlertsDiff(const std::vector<TestAlert>& expected, const std::vector<TestAlert>& got);

// Every line but the first gets `indent` in front.
std::string IndentLines(const std::string& text, const std::string& indent);

}  // namespace epi::rules
