#include "promqltest/script.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "model/duration.h"
#include "model/number_format.h"
#include "promqltest/start_times.h"

namespace epi::promqltest {
namespace {

using promql::SequenceValue;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\v\f";
  const size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// Comments are empty lines: both end a block.
std::vector<std::string> SplitLines(std::string_view script) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= script.size();) {
    const size_t end = std::min(script.find('\n', at), script.size());
    const std::string_view line = Trim(script.substr(at, end - at));
    out.emplace_back(StartsWith(line, "#") ? std::string_view() : line);
    at = end + 1;
  }
  return out;
}

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return text;
}

// A Go integer literal with its prefix, or a float.
std::optional<double> ParseNumber(std::string_view text) {
  const bool negative = StartsWith(text, "-");
  std::string_view digits = text.substr(negative || StartsWith(text, "+") ? 1 : 0);
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char kind = digits[1] | 0x20;
    base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
    digits.remove_prefix(kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1);
  }
  int64_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (!digits.empty() && end.ec == std::errc() && end.ptr == digits.data() + digits.size()) {
    return static_cast<double>(negative ? -value : value);
  }
  return ParseGoFloat(text);
}

// A quoted Go string: double quotes with escapes, or back quotes. The PromQL parser reads the same ones.
std::optional<std::string> Unquote(const std::string& text) {
  if (text.size() < 2 || text.front() != text.back() || (text.front() != '"' && text.front() != '`'))
    return std::nullopt;
  const auto parsed = promql::ParseExpr(text);
  if (!parsed) return std::nullopt;
  const auto* literal = (*parsed)->As<promql::StringLiteral>();
  return literal == nullptr ? std::nullopt : std::optional(literal->value);
}

class Parser {
 public:
  explicit Parser(std::string_view script) : lines_(SplitLines(script)) {}

  tl::expected<std::vector<Command>, ScriptError> Parse() {
    std::vector<Command> out;
    for (; at_ < lines_.size(); ++at_) {
      if (lines_[at_].empty()) continue;
      Command command;
      command.line = static_cast<int>(at_) + 1;
      const Result<void> parsed = ParseCommand(command);
      if (!parsed) return tl::unexpected(ScriptError{static_cast<int>(at_) + 1, parsed.error().message()});
      out.push_back(std::move(command));
    }
    return out;
  }

 private:
  // The next line of the block, or nothing at its end.
  const std::string* NextLine() {
    if (at_ + 1 >= lines_.size() || lines_[at_ + 1].empty()) return nullptr;
    return &lines_[++at_];
  }

  Result<void> ParseCommand(Command& command) {
    const std::string& line = lines_[at_];
    const std::string word = Lower(line.substr(0, line.find_first_of(" \t")));
    if (word == "clear") {
      command.what = ClearCommand{};
      return {};
    }
    if (StartsWith(word, "load")) {
      EPI_ASSIGN(command.what, ParseLoad(line));
      return {};
    }
    if (StartsWith(word, "eval")) {
      EPI_ASSIGN(command.what, ParseEval(line));
      return {};
    }
    return Fail(ErrorCode::kInvalid, "invalid command \"" + line + "\"");
  }

  Result<LoadCommand> ParseLoad(const std::string& line) {
    static const RE2 pattern(R"(load(?:_(with_nhcb))?\s+(.+?))");
    LoadCommand out;
    std::string nhcb;
    std::string step;
    if (!RE2::FullMatch(line, pattern, &nhcb, &step)) {
      return Fail(ErrorCode::kInvalid, "invalid load command. (load[_with_nhcb] <step:duration>)");
    }
    out.with_nhcb = !nhcb.empty();
    const auto gap = ParseDuration(step);
    if (!gap) return Fail(gap.error().WithContext("invalid step definition \"" + step + "\""));
    std::optional<Labels> start_metric;
    std::vector<std::optional<int64_t>> starts;
    while (const std::string* text = NextLine()) {
      const std::string_view first = std::string_view(*text).substr(0, text->find_first_of(" \t"));
      if (first.size() > 3 && first.substr(first.size() - 3) == "@st") {
        if (start_metric) return Fail(ErrorCode::kInvalid, "@st line has no following sample line");
        const std::string metric(first.substr(0, first.size() - 3));
        EPI_ASSIGN(auto description, promql::ParseSeriesDescription(metric + " _"));
        EPI_ASSIGN(starts, ParseStartTimes(std::string_view(*text).substr(first.size())));
        start_metric = std::move(description.labels);
        continue;
      }
      EPI_ASSIGN(const auto description, promql::ParseSeriesDescription(*text));
      if (start_metric && *start_metric != description.labels) {
        return Fail(ErrorCode::kInvalid, "@st metric does not match the following sample line metric");
      }
      if (start_metric && starts.size() != description.values.size()) {
        return Fail(ErrorCode::kInvalid, "@st line has another number of values than the sample line");
      }
      out.series[description.labels] = Samples(description, *gap, start_metric ? &starts : nullptr);
      start_metric.reset();
    }
    if (start_metric) return Fail(ErrorCode::kInvalid, "@st line has no following sample line");
    return out;
  }

  static std::vector<LoadedSample> Samples(const promql::SeriesDescription& description, int64_t gap,
                                           const std::vector<std::optional<int64_t>>* starts) {
    std::vector<LoadedSample> out;
    for (size_t i = 0; i < description.values.size(); ++i) {
      const SequenceValue& value = description.values[i];
      if (value.omitted) continue;
      LoadedSample sample{static_cast<int64_t>(i) * gap, 0, value.value, value.histogram};
      if (starts != nullptr && (*starts)[i]) sample.start_time = sample.t + *(*starts)[i];
      out.push_back(std::move(sample));
    }
    return out;
  }

  struct Times {
    int64_t from = 0;
    int64_t to = 0;
    int64_t step = 0;
  };
  static Result<Times> ParseTimes(const std::string& from, const std::string& to, const std::string& step) {
    Times out;
    const auto parse = [](const std::string& text, const char* what, int64_t& target) -> Result<void> {
      const auto parsed = ParseDuration(text);
      if (!parsed)
        return Fail(parsed.error().WithContext(std::string("invalid ") + what + " definition \"" + text + "\""));
      target = *parsed;
      return {};
    };
    EPI_TRY(parse(from, "start timestamp", out.from));
    EPI_TRY(parse(to, "end timestamp", out.to));
    if (out.to < out.from) {
      return Fail(ErrorCode::kInvalid,
                  "invalid test definition, end timestamp (" + to + ") is before start timestamp (" + from + ")");
    }
    EPI_TRY(parse(step, "step", out.step));
    return out;
  }

  Result<EvalCommand> ParseEval(const std::string& line) {
    static const RE2 instant(R"(eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+))");
    static const RE2 range(R"(eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+))");
    EvalCommand out;
    std::string mode;
    std::string at;
    std::string from;
    std::string to;
    std::string step;
    if (RE2::FullMatch(line, instant, &mode, &at, &out.expr)) {
      const auto parsed = ParseDuration(at);
      if (!parsed) return Fail(parsed.error().WithContext("invalid timestamp definition \"" + at + "\""));
      out.eval = *parsed;
    } else if (RE2::FullMatch(line, range, &mode, &from, &to, &step, &out.expr)) {
      out.is_range = true;
      EPI_ASSIGN(const Times times, ParseTimes(from, to, step));
      out.start = times.from;
      out.end = times.to;
      out.step = times.step;
    } else {
      return Fail(ErrorCode::kInvalid, "invalid evaluation command");
    }
    if (auto parsed = promql::ParseExpr(out.expr, ScriptParseOptions()); !parsed) return Fail(parsed.error());
    out.ordered = mode == "ordered";
    out.must_fail = mode == "fail";
    out.must_warn = mode == "warn";
    out.must_inform = mode == "info";
    size_t position = 0;
    bool open = true;
    while (const std::string* text = open ? NextLine() : nullptr) {
      EPI_ASSIGN(open, ParseExpectation(*text, out, position));
    }
    return out;
  }

  // Whether the block may go on.
  static Result<bool> ParseExpectation(const std::string& line, EvalCommand& out, size_t& position) {
    static constexpr std::string_view kOldMessage = "expected_fail_message";
    static constexpr std::string_view kOldPattern = "expected_fail_regexp";
    if (out.must_fail && StartsWith(line, kOldMessage)) {
      out.fail_texts.push_back(TextMatch::Exactly(std::string(Trim(line.substr(kOldMessage.size())))));
      return false;
    }
    if (out.must_fail && StartsWith(line, kOldPattern)) {
      EPI_ASSIGN(TextMatch match, TextMatch::Pattern(std::string(Trim(line.substr(kOldPattern.size())))));
      out.fail_texts.push_back(std::move(match));
      return false;
    }
    if (StartsWith(line, "expect range vector")) {
      EPI_TRY(ParseRangeVector(line, out));
      return true;
    }
    if (StartsWith(line, "expect string")) {
      EPI_TRY(ParseString(line, out));
      return true;
    }
    if (line.substr(0, line.find(' ')) == "expect") {
      EPI_TRY(ParseExpect(line, out));
      return true;
    }
    if (const auto number = ParseNumber(line)) {
      out.scalar = *number;
      return false;
    }
    EPI_ASSIGN(auto description, promql::ParseSeriesDescription(line));
    if (description.values.size() > 1 && !out.is_range && out.step == 0) {
      return Fail(ErrorCode::kInvalid, "expecting multiple values in instant evaluation not allowed");
    }
    out.series[description.labels] = {std::move(description.values), ++position};
    return true;
  }

  static Result<void> ParseRangeVector(const std::string& line, EvalCommand& out) {
    static const RE2 pattern(R"(expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+))");
    std::string from;
    std::string to;
    std::string step;
    if (!RE2::FullMatch(line, pattern, &from, &to, &step)) {
      return Fail(ErrorCode::kInvalid, "invalid range vector definition \"" + line + "\"");
    }
    EPI_ASSIGN(const Times times, ParseTimes(from, to, step));
    out.start = times.from;
    out.end = out.eval = times.to;
    out.step = times.step;
    out.instant_only = true;
    return {};
  }

  static Result<void> ParseString(const std::string& line, EvalCommand& out) {
    const std::string text(Trim(line.substr(std::string_view("expect string").size())));
    if (text.empty()) {
      return Fail(ErrorCode::kInvalid, "expected string literal not valid - a quoted string literal is required");
    }
    auto unquoted = Unquote(text);
    if (!unquoted) {
      return Fail(ErrorCode::kInvalid, "expected string literal not valid - check that the string is correctly quoted");
    }
    out.text = std::move(*unquoted);
    out.instant_only = true;
    return {};
  }

  static Result<void> ParseExpect(const std::string& line, EvalCommand& out) {
    static const RE2 pattern(R"(expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?)");
    std::string what;
    std::string how;
    std::string text;
    if (!RE2::FullMatch(line, pattern, &what, &how, &text)) {
      return Fail(ErrorCode::kInvalid,
                  "invalid expect statement, must match `expect <type> <match_type>: <string>` format");
    }
    TextMatch match = TextMatch::Any();
    if (how == "msg") match = TextMatch::Exactly(std::string(Trim(text)));
    if (how == "regex") {
      EPI_ASSIGN(match, TextMatch::Pattern(std::string(Trim(text))));
    }
    if (what == "fail") {
      if (out.expect_fail_lines++ > 0) {
        return Fail(ErrorCode::kInvalid, "invalid expect lines, multiple expect fail lines are not allowed");
      }
      out.must_fail = true;
      out.fail_texts.push_back(std::move(match));
    }
    if (what == "warn") out.warn_texts.push_back(std::move(match));
    if (what == "info") out.info_texts.push_back(std::move(match));
    out.ordered = out.ordered || what == "ordered";
    out.no_warn = out.no_warn || what == "no_warn";
    out.no_info = out.no_info || what == "no_info";
    if (out.no_info && !out.info_texts.empty()) {
      return Fail(ErrorCode::kInvalid, "invalid expect lines, info and no_info cannot be used together");
    }
    if (out.no_warn && !out.warn_texts.empty()) {
      return Fail(ErrorCode::kInvalid, "invalid expect lines, warn and no_warn cannot be used together");
    }
    return {};
  }

  std::vector<std::string> lines_;
  size_t at_ = 0;
};

}  // namespace

Result<TextMatch> TextMatch::Pattern(std::string pattern) {
  const RE2 compiled(pattern, RE2::Quiet);
  if (!compiled.ok()) return Fail(ErrorCode::kInvalid, "invalid regexp '" + pattern + "': " + compiled.error());
  return TextMatch(true, std::move(pattern));
}

bool TextMatch::Matches(std::string_view text) const {
  if (!text_) return true;
  if (!is_pattern_) return text == *text_;
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), RE2(*text_, RE2::Quiet));
}

std::string TextMatch::ToString() const {
  if (!text_) return "anything";
  return (is_pattern_ ? "pattern \"" : "message \"") + *text_ + "\"";
}

promql::ParseOptions ScriptParseOptions() { return promql::ParseOptions::AllEnabled(); }

tl::expected<std::vector<Command>, ScriptError> ParseScript(std::string_view script) { return Parser(script).Parse(); }

}  // namespace epi::promqltest
