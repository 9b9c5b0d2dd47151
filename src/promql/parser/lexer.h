// Splits PromQL, or a series description of a test script, into tokens.
//
// The rules are Prometheus's, positions and error texts included, with its oddities: a range like [5m] is read in a
// mode of its own up to the first number, and an unknown character ends the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/character_cursor.h"
#include "promql/parser/token.h"

namespace epi::promql {

class Lexer {
 public:
  // `input` outlives the lexer and its tokens. A series description is a metric, then values.
  explicit Lexer(std::string_view input, bool series_description = false)
      : cursor_(input), series_description_(series_description) {}

  // The next token; comments are tokens too. After kError most texts are over and kEnd follows; only errors inside
  // strings are reported and read past. The text of an error token is valid until the next call.
  Token Next();

  // Where the token being read began: where errors are reported.
  int32_t start() const { return static_cast<int32_t>(start_); }

 private:
  // Where the next token stands, which says what it may be.
  enum class Place : unsigned char {
    kExpression,
    kBraces,     // matchers
    kRange,      // behind "[", until a number or duration has come
    kValues,     // of a series description
    kHistogram,  // a value in {{ }}; in its buckets while a bracket is open
  };

  Token InExpression();
  Token InBraces();
  Token InRange();
  Token InValues();     // lexer_series.cc
  Token InHistogram();  // lexer_series.cc
  Token InBuckets();    // lexer_series.cc

  // Tokens of which the first character has been taken.
  Token Comment();
  Token String(int32_t quote);
  Token RestOfString();
  Token Equal();
  Token NotEqual();
  Token OpenParen();
  Token CloseParen(int32_t c);
  Token OpenBracket(int32_t c);
  Token CloseBracket(int32_t c);
  Token AfterRange(int32_t c);
  Token WordOrMetric();
  Token HistogramWord();  // lexer_series.cc
  // From its first character on.
  Token NumberOrDuration();
  Token Number();
  Token AtEndOfInput();

  // What has been taken since the last token, as a token.
  Token Make(TokenType type);
  Token Space();
  // Ends the text.
  Token Fail(std::string message);
  Token FailAt(std::string message, int32_t c, std::string_view after = {});

  void SkipBlanks();
  // Whether `c`, which was taken, begins a number.
  bool BeginsNumber(int32_t c) const { return IsDigit(c) || (c == '.' && IsDigit(cursor_.Peek())); }
  // A word of duration expressions that begins with `c`, which was taken; kIdentifier when it is none.
  TokenType DurationWord(int32_t c);
  bool FollowedByOpenParen() const;
  std::string_view Taken() const { return cursor_.text().substr(start_, cursor_.position() - start_); }

  CharacterCursor cursor_;
  size_t start_ = 0;
  std::string message_;  // behind the text of an error token
  const bool series_description_;
  Place place_ = Place::kExpression;
  bool ended_ = false;
  int32_t quote_ = 0;        // of the string that an error was found in; 0 = none
  bool number_due_ = false;  // behind a sign among the buckets
  int32_t paren_depth_ = 0;
  bool bracket_open_ = false;
  bool colon_seen_ = false;     // in the bracket
  bool duration_seen_ = false;  // in any bracket so far
};

}  // namespace epi::promql
