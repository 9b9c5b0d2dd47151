// PromQL text to syntax tree, with Prometheus's error texts.
//
// Recursion is bounded by ParseOptions::max_depth and input by max_bytes: no text makes these functions use unbounded
// stack or memory. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "promql/parser/ast.h"

namespace epi::promql {

// Feature switches of the query language (--enable-feature values), and limits of our own.
struct ParseOptions {
  bool experimental_functions = false;    // promql-experimental-functions
  bool extended_range_selectors = false;  // promql-extended-range-selectors: anchored, smoothed
  bool binop_fill_modifiers = false;      // promql-binop-fill-modifiers
  // Height of the tree and nesting of the text. Prometheus has no limit here; 2000 levels use about 1 MiB of stack in
  // the deepest walk, an eighth of a thread's.
  uint32_t max_depth = 2000;
  // Prometheus has no limit here; a tree can take about 80 times its text.
  size_t max_bytes = size_t{4} << 20;
  static ParseOptions AllEnabled();
};

struct ParseError {
  PositionRange pos;
  std::string message;
};
// "<line>:<column>: parse error: <message>"; the column counts bytes from 1, in `query`.
std::string FormatParseError(const ParseError& error, std::string_view query, int line_offset = 0);
// "<line>:<column>" of a byte offset, as annotations end.
std::string FormatPosition(std::string_view query, int32_t offset, int line_offset = 0);

// All errors found, in order; the first is the one to show. `expr` is set exactly when there are none.
struct ParseOutcome {
  ExprPtr expr;
  std::vector<ParseError> errors;
};
ParseOutcome ParseExprCollectingErrors(std::string_view text, const ParseOptions& options = {});

// kInvalid with the formatted first error. The tree is type-checked.
Result<ExprPtr> ParseExpr(std::string_view text, const ParseOptions& options = {});

// A vector selector without modifiers ("up{job=\"x\"}"), as match[] parameters have it. At least one matcher that does
// not match the empty string is not required here.
Result<std::vector<Matcher>> ParseMetricSelector(std::string_view text, const ParseOptions& options = {});
// Each of `selectors`, each of which must have a matcher that does not match the empty string.
Result<std::vector<std::vector<Matcher>>> ParseMetricSelectors(const std::vector<std::string>& selectors,
                                                               const ParseOptions& options = {});

// A metric with labels ("up{job=\"x\"}", "{a=\"b\"}"), as tests write series.
Result<Labels> ParseMetric(std::string_view text, const ParseOptions& options = {});

// One position of a series in a test script.
struct SequenceValue {
  bool omitted = false;
  double value = 0;
  std::shared_ptr<const FloatHistogram> histogram;  // instead of value
  bool counter_reset_hint_set = false;              // the histogram's text names its hint
};
struct SeriesDescription {
  Labels labels;
  std::vector<SequenceValue> values;
};
inline constexpr size_t kMaxSeriesValues = 10'000'000;
// "metric{a=\"b\"} 1 2+3x4 _x2 stale {{schema:1 buckets:[1 2]}}x3". At most `max_values` values come out. Errors name
// lines as if `line_offset` lines went before.
Result<SeriesDescription> ParseSeriesDescription(std::string_view text, size_t max_values = kMaxSeriesValues,
                                                 int line_offset = 0);

// Matchers of every vector selector in the tree, in the order of a walk.
std::vector<std::vector<Matcher>> ExtractSelectors(const Expr& expr);

}  // namespace epi::promql
