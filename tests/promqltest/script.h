// A script of Prometheus's test language as data: commands in order, syntax checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/labels.h"
#include "promql/parser/parser.h"

namespace epi::promqltest {

// A text to be found in an error or annotation: equal to it, or matched by an unanchored regular expression.
class TextMatch {
 public:
  static TextMatch Any() { return TextMatch(false, {}); }
  static TextMatch Exactly(std::string text) { return TextMatch(false, std::move(text)); }
  static Result<TextMatch> Pattern(std::string pattern);
  bool Matches(std::string_view text) const;
  std::string ToString() const;

 private:
  TextMatch(bool is_pattern, std::optional<std::string> text) : is_pattern_(is_pattern), text_(std::move(text)) {}
  bool is_pattern_;
  std::optional<std::string> text_;  // nothing: matches everything
};

struct LoadedSample {
  TimestampMs t = 0;
  TimestampMs start_time = 0;
  double value = 0;
  std::shared_ptr<const FloatHistogram> histogram;
};
struct LoadCommand {
  std::map<Labels, std::vector<LoadedSample>> series;
  bool with_nhcb = false;
};
struct ClearCommand {};

struct ExpectedSeries {
  std::vector<promql::SequenceValue> values;
  size_t position = 0;  // among the lines of series, from 1
};
struct EvalCommand {
  std::string expr;
  bool is_range = false;
  TimestampMs eval = 0;   // instant
  TimestampMs start = 0;  // range, or the range vector expected of an instant query
  TimestampMs end = 0;
  int64_t step = 0;

  bool must_fail = false;
  std::vector<TextMatch> fail_texts;  // all must match
  int expect_fail_lines = 0;          // `expect fail` may be there once
  bool must_warn = false;
  bool must_inform = false;
  bool no_warn = false;
  bool no_info = false;
  std::vector<TextMatch> warn_texts;
  std::vector<TextMatch> info_texts;
  bool ordered = false;
  bool instant_only = false;  // expect string, expect range vector
  std::optional<std::string> text;
  std::optional<double> scalar;
  std::map<Labels, ExpectedSeries> series;
};

struct Command {
  int line = 0;  // from 1
  std::variant<LoadCommand, ClearCommand, EvalCommand> what;
};

struct ScriptError {
  int line = 0;
  std::string text;
};

// All commands, or the first thing that is wrong.
tl::expected<std::vector<Command>, ScriptError> ParseScript(std::string_view script);

// The syntax switches of the upstream run: everything on.
promql::ParseOptions ScriptParseOptions();

}  // namespace epi::promqltest
