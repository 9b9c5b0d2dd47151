// What the two text formats share: a cursor over the body that knows the current token, error texts in Prometheus's
// words, and the way from raw label text to a label set.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scrape/parse/exposition.h"

namespace epi::scrape {

// Tokens as Prometheus's error texts name them.
enum class Token : unsigned char {
  kInvalid,
  kEof,
  kLinebreak,
  kHelp,
  kType,
  kUnit,
  kEofWord,
  kText,
  kComment,
  kMetricName,
  kQuoted,
  kBraceOpen,
  kBraceClose,
  kLabelName,
  kLabelValue,
  kComma,
  kEqual,
  kTimestamp,
  kValue,
};
std::string_view TokenName(Token token);

// A position in the body and the token that was read last: bytes [token_begin, at).
class TextCursor {
 public:
  explicit TextCursor(std::string_view body) : body_(body) {}

  std::string_view token_text() const { return body_.substr(token_begin_, at_ - token_begin_); }
  std::string_view entry_text() const { return body_.substr(entry_begin_, at_ - entry_begin_); }
  size_t at() const { return at_; }
  size_t token_begin() const { return token_begin_; }
  size_t entry_begin() const { return entry_begin_; }
  std::string_view body() const { return body_; }

  // Whether error texts show one newline behind the body's end.
  void ShowNewlineAtEnd(bool show) { newline_at_end_ = show; }
  void BeginEntry() { entry_begin_ = at_; }
  void MoveTo(size_t at) { at_ = token_begin_ = entry_begin_ = at; }

  bool done() const { return at_ >= body_.size(); }
  // The byte at the cursor; 0 at the end (a NUL byte in the body is nowhere a character of its own).
  char peek() const { return at_ < body_.size() ? body_[at_] : '\0'; }
  void BeginToken() { token_begin_ = at_; }
  void Advance() { ++at_; }
  void SkipBlanks() {
    while (at_ < body_.size() && (body_[at_] == ' ' || body_[at_] == '\t')) ++at_;
  }
  // Takes the longest run of metric-name (with ':') or label-name characters; the first must not be a digit. False, and
  // nothing taken, when there is none.
  bool TakeName(bool colon);
  // Takes a quoted string with backslash escapes. `newlines`: it may span lines. `nuls`: it may hold NUL bytes. False,
  // with the cursor at the byte that does not fit, when it is not closed.
  bool TakeQuoted(bool newlines, bool nuls);
  // Takes bytes up to a blank (tab too when `tabs`), newline, NUL, or one of `more`. False when there is none.
  bool TakeWord(bool tabs, char more = '\0');

  // "<what>, got "<token>" ("<NAME>") while parsing: "<entry so far>"".
  Error Unexpected(std::string_view what, Token got) const;
  // "<what> while parsing: "<entry so far>"".
  Error WhileParsing(std::string_view what) const;

 private:
  std::string_view body_;
  size_t at_ = 0;
  size_t token_begin_ = 0;
  size_t entry_begin_ = 0;
  bool newline_at_end_ = false;
};

// Raw name and label texts of one sample; escapes are undone when a label set is built.
struct RawLabels {
  struct Pair {
    std::string_view name;
    std::string_view value;
  };
  std::string_view metric;
  bool has_metric = false;
  std::vector<Pair> pairs;
  void Clear() {
    metric = {};
    has_metric = false;
    pairs.clear();
  }
};

struct TypeContext {
  MetricType type = MetricType::kUnknown;
  std::string_view unit;
};

// The labels of a sample under the TYPE (and UNIT) in force, escapes undone, `le` and `quantile` spelled as OpenMetrics
// spells floats where the type says so. The raw labels and the context outlive it.
class RawLabelViews {
 public:
  RawLabelViews(const RawLabels& raw, const TypeContext& context, bool type_and_unit_labels);
  RawLabelViews(const RawLabelViews&) = delete;
  RawLabelViews& operator=(const RawLabelViews&) = delete;
  const std::vector<LabelView>& views() const { return views_; }

 private:
  std::vector<LabelView> views_;
  std::vector<std::string> owned_;
};
// Label set of an exemplar: as written, escapes undone.
Labels BuildExemplarLabels(const std::vector<RawLabels::Pair>& pairs);

// Undoes \\, \n and, in label values and names, \" ; other escapes stay as they are.
std::string Unescape(std::string_view text, bool quotes);
// What Prometheus makes of a float: Go's syntax without hexadecimal and underscores. Error texts are Go's.
Result<double> ParseSampleValue(std::string_view text);
// The value of le or quantile as an OpenMetrics float; text that is no number stays as it is.
std::string NormalizeFloatLabel(std::string_view value);

}  // namespace epi::scrape
