// Splits PromQL, or a series description of a test script, into tokens.
//
// The rules are Prometheus's, positions and error texts included, with its oddities: a range like [5m] is read in a
// mode of its own up to the first number, and an unknown character ends the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "promql/parser/token.h"

namespace epi::promql {

class Lexer {
 public:
  // `input` outlives the lexer and its tokens. A series description is a metric, then values.
  explicit Lexer(std::string_view input, bool series_description = false)
      : input_(input), series_description_(series_description) {}

  // The next token; comments are tokens too. After kError most texts are over and kEnd follows; only errors inside
  // strings are reported and read past. The text of an error token is valid until the next call.
  Token Next();

  // Where the token being read began: where errors are reported.
  int32_t start() const { return start_; }

 private:
  enum class State : unsigned char {
    kStatements,
    kInsideBraces,
    kDurationExpr,
    kValueSequence,
    kHistogram,
    kBuckets,
    kNumber,
    kString,
    kRawString,
    kEnded,
  };
  // What must follow a histogram that was just closed.
  enum class HistogramState : unsigned char { kNone, kOpen, kMul, kAdd, kSub };

  // Reading characters. Negative: the end of the input. Invalid UTF-8 reads as U+FFFD, one byte wide.
  int32_t NextRune();
  void Backup() { pos_ -= width_; }
  int32_t PeekRune();
  bool Accept(std::string_view set);
  bool NextIsIn(std::string_view set);

  void Emit(TokenType type);
  template <typename... Parts>
  State FailWith(const Parts&... parts);
  State FailWithRune(std::string_view message, int32_t rune, std::string_view after = {});

  // Each reads at least one character or emits one token, and says how to go on.
  State Statements();
  State InsideBraces();
  State DurationExpr();
  State ValueSequence();
  State Histogram();
  State HistogramDescriptor();
  State Buckets();
  State QuotedString();
  State RawString();
  State Space();
  State LineComment();
  State Number();
  State NumberOrDuration();
  State KeywordOrIdentifier();
  State Identifier();
  State CharacterInBrackets(int32_t rune);

  bool ReadEscape();
  bool ScanNumber();
  bool ScanRestOfDuration();
  bool ScanDurationKeyword();
  bool FollowedByLeftParen() const;
  std::string_view Word() const { return input_.substr(start_, pos_ - start_); }

  std::string_view input_;
  bool series_description_;
  State state_ = State::kStatements;
  int32_t pos_ = 0;
  int32_t start_ = 0;
  int32_t width_ = 0;  // of the character read last
  Token token_;
  std::string message_;  // behind the text of an error token
  bool have_token_ = false;

  int32_t paren_depth_ = 0;
  bool brace_open_ = false;
  bool bracket_open_ = false;
  bool got_colon_ = false;
  bool got_duration_ = false;
  int32_t quote_ = 0;  // of the string being read
  HistogramState histogram_ = HistogramState::kNone;
};

}  // namespace epi::promql
