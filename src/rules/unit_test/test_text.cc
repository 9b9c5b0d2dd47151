#include "rules/unit_test/test_text.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram_format.h"
#include "model/number_format.h"

namespace epi::rules {
namespace {

bool AreNumbersEqual(double a, double b, bool fuzzy) {
  if (a == b) return true;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return fuzzy && (std::nextafter(a, -kInfinity) == b || std::nextafter(a, kInfinity) == b);
}

std::string AlertText(const TestAlert& alert) {
  return "Labels:" + alert.labels.ToString() + "\nAnnotations:" + RuleLabelsText(alert.annotations);
}

// strconv's 'E': as 'e', in upper case.
std::string NumberText(double value) {
  std::string out = FormatFloatExponent(value);
  if (std::isfinite(value)) std::replace(out.begin(), out.end(), 'e', 'E');
  return out;
}

void AppendDiffLines(std::string& out, char mark, const TestAlert& alert) {
  constexpr std::string_view kRed = "\x1b[31m", kGreen = "\x1b[32m", kPlain = "\x1b[0m";
  for (const std::string& line :
       {"Labels:" + alert.labels.ToString(), "Annotations:" + RuleLabelsText(alert.annotations)}) {
    out += "\n            ";
    if (mark == ' ') {
      out += "  " + line;
    } else {
      out += mark == '-' ? kRed : kGreen;
      out += mark;
      out += ' ' + line;
      out += kPlain;
    }
  }
}

}  // namespace

bool AreEqual(const std::vector<TestSample>& expected, const std::vector<TestSample>& got, bool fuzzy) {
  return std::equal(expected.begin(), expected.end(), got.begin(), got.end(),
                    [fuzzy](const TestSample& a, const TestSample& b) {
                      if (a.labels != b.labels || a.histogram != b.histogram) return false;
                      return !a.histogram.empty() || AreNumbersEqual(a.value, b.value, fuzzy);
                    });
}

std::string TestAlertsText(const std::vector<TestAlert>& alerts) {
  if (alerts.empty()) return "[]";
  std::string out = "[";
  for (size_t i = 0; i < alerts.size(); ++i) {
    out += i == 0 ? "\n" : ",\n";
    out += std::to_string(i) + ":" + IndentLines("\n" + AlertText(alerts[i]), "  ");
  }
  return out + "\n]";
}

std::string TestSamplesText(const std::vector<TestSample>& samples) {
  if (samples.empty()) return "nil";
  std::string out;
  for (const TestSample& sample : samples) {
    if (!out.empty()) out += ", ";
    out += sample.labels.ToString() + " ";
    out += sample.histogram.empty() ? NumberText(sample.value) : sample.histogram;
  }
  return out;
}

std::string TestMatrixText(const promql::MatrixValue& matrix) {
  std::string out;
  const auto point = [&out](std::string_view value, TimestampMs time) {
    out.append("\n").append(value).append(" @[").append(std::to_string(time)).append("]");
  };
  for (const promql::MatrixSeries& series : matrix) {
    if (!out.empty()) out += '\n';
    out += series.labels.ToString() + " =>";
    for (const promql::FloatPoint& sample : series.floats) point(FormatFloatPlain(sample.v), sample.t);
    for (const promql::HistogramValue& sample : series.histograms) point(HistogramToString(*sample.h), sample.t);
  }
  return out;
}

std::string TestAlertsDiff(const std::vector<TestAlert>& expected, const std::vector<TestAlert>& got) {
  std::string out;
  auto want = expected.begin();
  auto have = got.begin();
  while (want != expected.end() || have != got.end()) {
    if (have == got.end() || (want != expected.end() && *want < *have)) {
      AppendDiffLines(out, '-', *want++);
    } else if (want == expected.end() || *have < *want) {
      AppendDiffLines(out, '+', *have++);
    } else {
      AppendDiffLines(out, ' ', *want++);
      ++have;
    }
  }
  return out;
}

std::string IndentLines(const std::string& text, const std::string& indent) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

}  // namespace epi::rules
