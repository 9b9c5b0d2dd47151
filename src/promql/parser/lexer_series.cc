// The values of a series description: numbers, blanks, repetitions, and histograms in {{ }}.
#include "base/escaping.h"
#include "model/labels.h"
#include "promql/parser/lexer.h"

namespace epi::promql {

// The first blank of some; the others are no tokens.
Token Lexer::Space() {
  const Token space = Make(TokenType::kSpace);
  SkipBlanks();
  return space;
}

Token Lexer::InValues() {
  const int32_t c = cursor_.Take();
  if (IsBlank(c)) return Space();
  switch (c) {
    case kEndOfInput:
      return AtEndOfInput();
    case '{':
      if (!cursor_.TakeIf("{")) break;
      place_ = Place::kHistogram;
      return Make(TokenType::kOpenHistogram);
    case '+':
      return Make(TokenType::kAdd);
    case '-':
      return Make(TokenType::kSub);
    case 'x':
      return Make(TokenType::kTimes);
    case '_':
      return Make(TokenType::kBlank);
    default:
      break;
  }
  if (BeginsNumber(c)) {
    cursor_.MoveTo(start_);
    return Number();
  }
  // Words that are no number are the parser's to refuse.
  if (IsLetter(c)) return WordOrMetric();
  return FailAt("unexpected character in series sequence: ", c);
}

Token Lexer::InHistogram() {
  const int32_t c = cursor_.Take();
  if (IsBlank(c)) return Space();
  if (IsLetter(c)) return HistogramWord();
  if (IsDigit(c)) {
    cursor_.MoveTo(start_);
    return Number();
  }
  switch (c) {
    case ':':
      return Make(TokenType::kColon);
    case '-':
      return Make(TokenType::kSub);
    case '[':
      bracket_open_ = true;
      colon_seen_ = false;
      duration_seen_ = false;
      return Make(TokenType::kLeftBracket);
    case '}':
      if (!cursor_.TakeIf("}")) break;
      place_ = Place::kValues;
      return Make(TokenType::kCloseHistogram);
    default:
      break;
  }
  return FailAt("histogram description incomplete unexpected: ", c);
}

Token Lexer::HistogramWord() {
  cursor_.TakeWhile(IsLetter);
  const std::string_view word = Taken();
  if (const TokenType descriptor = HistogramDescriptorFromWord(word); descriptor != TokenType::kIdentifier) {
    return cursor_.Peek() == ':' ? Make(descriptor) : Fail("missing `:` for histogram descriptor");
  }
  if (KeywordFromWord(word) == TokenType::kNumber) return Make(TokenType::kNumber);
  if (const TokenType hint = CounterResetHintFromWord(word); hint != TokenType::kIdentifier) return Make(hint);
  std::string message = "bad histogram descriptor found: ";
  AppendQuoted(message, word);
  return Fail(std::move(message));
}

Token Lexer::InBuckets() {
  int32_t c = cursor_.Take();
  // Letters that are no number become part of whatever follows them.
  for (; IsLetter(c); c = cursor_.Take()) {
    if (KeywordFromWord(Taken()) == TokenType::kNumber) return Make(TokenType::kNumber);
  }
  if (IsBlank(c)) return Space();
  if (IsDigit(c)) {
    cursor_.MoveTo(start_);
    return Number();
  }
  switch (c) {
    case '-':
      number_due_ = true;
      return Make(TokenType::kSub);
    case ']':
      bracket_open_ = false;
      return Make(TokenType::kRightBracket);
    default:
      return FailAt("invalid character in buckets description: ", c);
  }
}

}  // namespace epi::promql
