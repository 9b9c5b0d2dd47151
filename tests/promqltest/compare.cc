#include "promqltest/compare.h"

#include <algorithm>
#include <set>

#include "model/almost_equal.h"
#include "model/histogram_bounds.h"
#include "model/histogram_format.h"
#include "model/histogram_layout.h"
#include "model/histogram_math.h"
#include "model/number_format.h"

namespace epi::promqltest {
namespace {

using promql::MatrixSeries;
using promql::MatrixValue;
using promql::SequenceValue;
using promql::VectorValue;

constexpr double kEpsilon = 0.000001;  // of the test language
bool Near(double a, double b) { return AlmostEqual(a, b, kEpsilon); }

std::string Text(double v) { return FormatFloatGeneral(v); }
std::string Text(const FloatHistogram& h) { return HistogramToTestExpression(h); }
std::string Text(const SequenceValue& v) {
  if (v.omitted) return "nothing";
  return v.histogram != nullptr ? "histogram " + Text(*v.histogram) : "float value " + Text(v.value);
}

bool SameCounts(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](double x, double y) { return Near(x, y); });
}

std::string Points(const MatrixSeries& series) {
  std::string out = std::to_string(series.floats.size()) + " float points [";
  for (const auto& p : series.floats) out += " " + Text(p.v) + " @[" + std::to_string(p.t) + "]";
  out += " ] and " + std::to_string(series.histograms.size()) + " histogram points [";
  for (const auto& p : series.histograms) out += " " + Text(*p.h) + " @[" + std::to_string(p.t) + "]";
  return out + " ]";
}

struct ExpectedPoint {
  TimestampMs t;
  const SequenceValue* value;
};

std::string CompareSeries(const EvalCommand& expected, const std::vector<SequenceValue>& values,
                          const MatrixSeries& actual) {
  std::vector<ExpectedPoint> floats;
  std::vector<ExpectedPoint> histograms;
  for (size_t i = 0; i < values.size(); ++i) {
    const TimestampMs t = expected.start + static_cast<int64_t>(i) * expected.step;
    if (t > expected.end) {
      return "expected " + std::to_string(values.size()) + " points, but query time range cannot return this many";
    }
    if (values[i].histogram != nullptr) {
      histograms.push_back({t, &values[i]});
    } else if (!values[i].omitted) {
      floats.push_back({t, &values[i]});
    }
  }
  if (floats.size() != actual.floats.size() || histograms.size() != actual.histograms.size()) {
    return "expected " + std::to_string(floats.size()) + " float points and " + std::to_string(histograms.size()) +
           " histogram points, got " + Points(actual);
  }
  const auto differ = [&](const ExpectedPoint& want) {
    return "expected " + Text(*want.value) + " at t=" + std::to_string(want.t) + ", got " + Points(actual);
  };
  for (size_t i = 0; i < floats.size(); ++i) {
    if (floats[i].t != actual.floats[i].t || !Near(floats[i].value->value, actual.floats[i].v)) {
      return differ(floats[i]);
    }
  }
  for (size_t i = 0; i < histograms.size(); ++i) {
    const SequenceValue& want = *histograms[i].value;
    if (histograms[i].t != actual.histograms[i].t ||
        !SameHistogram(*want.histogram, *actual.histograms[i].h, want.counter_reset_hint_set)) {
      return differ(histograms[i]);
    }
  }
  return {};
}

std::string FindMissing(const EvalCommand& expected, const std::set<Labels>& seen) {
  for (const auto& [labels, series] : expected.series) {
    if (seen.count(labels) == 0) return "expected series " + labels.ToString() + ", but it is not in the result";
  }
  return {};
}

std::string CompareMatrix(const EvalCommand& expected, const MatrixValue& matrix) {
  if (expected.ordered) return "expected ordered result, but query returned a matrix";
  if (expected.scalar) return "expected scalar result, but got a matrix";
  std::set<Labels> seen;
  const Labels* before = nullptr;
  for (const MatrixSeries& series : matrix) {
    if (before != nullptr && series.labels < *before) return "matrix is not sorted: " + series.labels.ToString();
    before = &series.labels;
    const auto want = expected.series.find(series.labels);
    if (want == expected.series.end())
      return "unexpected series " + series.labels.ToString() + " with " + Points(series);
    seen.insert(series.labels);
    const std::string difference = CompareSeries(expected, want->second.values, series);
    if (!difference.empty()) return series.labels.ToString() + ": " + difference;
  }
  return FindMissing(expected, seen);
}

std::string CompareVector(const EvalCommand& expected, const VectorValue& vector) {
  if (expected.scalar) return "expected scalar result, but got a vector of " + std::to_string(vector.size());
  std::set<Labels> seen;
  for (size_t i = 0; i < vector.size(); ++i) {
    const auto& sample = vector[i];
    const std::string got = sample.h != nullptr ? "histogram " + Text(*sample.h) : "float value " + Text(sample.v);
    const auto want = expected.series.find(sample.labels);
    if (want == expected.series.end()) return "unexpected series " + sample.labels.ToString() + " with " + got;
    seen.insert(sample.labels);
    if (expected.ordered && want->second.position != i + 1) {
      return "expected " + sample.labels.ToString() + " at position " + std::to_string(want->second.position) +
             ", but it is at " + std::to_string(i + 1);
    }
    const SequenceValue value = want->second.values.empty() ? SequenceValue() : want->second.values.front();
    const bool same = (value.histogram != nullptr) == (sample.h != nullptr) &&
                      (sample.h != nullptr ? SameHistogram(*value.histogram, *sample.h, value.counter_reset_hint_set)
                                           : Near(value.value, sample.v));
    if (!same) return sample.labels.ToString() + ": expected " + Text(value) + ", got " + got;
  }
  return FindMissing(expected, seen);
}

std::string CompareTexts(const char* kind, bool wanted, bool unwanted, const std::vector<TextMatch>& matches,
                         const std::vector<std::string>& texts) {
  std::string found;
  for (const std::string& text : texts) found += (found.empty() ? "" : "; ") + text;
  if (texts.empty() && (wanted || !matches.empty())) return std::string("expected ") + kind + " annotations, got none";
  if (unwanted && !texts.empty()) return std::string("unexpected ") + kind + " annotations: " + found;
  for (const TextMatch& match : matches) {
    if (std::none_of(texts.begin(), texts.end(), [&](const std::string& t) { return match.Matches(t); })) {
      return std::string("expected ") + kind + " annotation with " + match.ToString() + ", got: " + found;
    }
  }
  for (const std::string& text : texts) {
    if (!matches.empty() &&
        std::none_of(matches.begin(), matches.end(), [&](const TextMatch& match) { return match.Matches(text); })) {
      return std::string("unexpected ") + kind + " annotation: " + text;
    }
  }
  return {};
}

}  // namespace

bool SameHistogram(const FloatHistogram& expected, const FloatHistogram& actual, bool compare_hint) {
  FloatHistogram a = expected;
  FloatHistogram b = actual;
  Compact(a);
  Compact(b);
  return a.schema == b.schema && Near(a.count, b.count) && Near(a.sum, b.sum) &&
         (!IsCustomBucketsSchema(a.schema) || SameCustomBounds(a.custom_values, b.custom_values)) &&
         a.zero_threshold == b.zero_threshold && Near(a.zero_count, b.zero_count) &&
         SameSpans(a.negative_spans, b.negative_spans) && SameSpans(a.positive_spans, b.positive_spans) &&
         SameCounts(a.negative_buckets, b.negative_buckets) && SameCounts(a.positive_buckets, b.positive_buckets) &&
         (!compare_hint || a.counter_reset_hint == b.counter_reset_hint);
}

std::string CompareValue(const EvalCommand& expected, const promql::Value& value) {
  if (const auto* matrix = std::get_if<MatrixValue>(&value)) return CompareMatrix(expected, *matrix);
  if (const auto* vector = std::get_if<VectorValue>(&value)) return CompareVector(expected, *vector);
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
    if (!expected.scalar) return "expected vector or matrix result, but got scalar " + Text(scalar->v);
    if (Near(*expected.scalar, scalar->v)) return {};
    return "expected scalar " + Text(*expected.scalar) + ", got " + Text(scalar->v);
  }
  const std::string& text = std::get<promql::StringValue>(value).text;
  const std::string want = expected.text.value_or("");
  return text == want ? "" : "expected string \"" + want + "\", got \"" + text + "\"";
}

std::string CompareAnnotations(const EvalCommand& expected, const std::vector<std::string>& warnings,
                               const std::vector<std::string>& infos) {
  std::string out = CompareTexts("warn", expected.must_warn, expected.no_warn, expected.warn_texts, warnings);
  return out.empty() ? CompareTexts("info", expected.must_inform, expected.no_info, expected.info_texts, infos) : out;
}

std::string CompareError(const EvalCommand& expected, const std::string& error) {
  for (const TextMatch& match : expected.fail_texts) {
    if (!match.Matches(error)) return "expected error with " + match.ToString() + ", got: " + error;
  }
  return {};
}

}  // namespace epi::promqltest
