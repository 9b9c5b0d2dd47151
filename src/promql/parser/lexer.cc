#include "promql/parser/lexer.h"

#include <array>
#include <initializer_list>
#include <utility>

#include "base/escaping.h"
#include "model/labels.h"
#include "promql/parser/literal_scan.h"

namespace epi::promql {
namespace {

// Characters that are tokens by themselves; kError for the others.
class SingleCharacters {
 public:
  constexpr SingleCharacters(std::initializer_list<std::pair<char, TokenType>> characters) {
    types_.fill(TokenType::kError);
    for (const auto& [c, type] : characters) types_[static_cast<size_t>(c)] = type;
  }
  TokenType Of(int32_t c) const { return c >= 0 && c < 0x80 ? types_[static_cast<size_t>(c)] : TokenType::kError; }

 private:
  std::array<TokenType, 0x80> types_{};
};

constexpr SingleCharacters kInExpressions{{',', TokenType::kComma}, {'+', TokenType::kAdd}, {'-', TokenType::kSub},
                                          {'*', TokenType::kMul},   {'/', TokenType::kDiv}, {'%', TokenType::kMod},
                                          {'^', TokenType::kPow},   {'@', TokenType::kAt}};
constexpr SingleCharacters kInRanges{{',', TokenType::kComma}, {'+', TokenType::kAdd}, {'-', TokenType::kSub},
                                     {'*', TokenType::kMul},   {'/', TokenType::kDiv}, {'%', TokenType::kMod},
                                     {'^', TokenType::kPow}};

}  // namespace

Token Lexer::Make(TokenType type) {
  const Token token{type, start(), Taken()};
  start_ = cursor_.position();
  return token;
}

Token Lexer::Fail(std::string message) {
  ended_ = true;
  message_ = std::move(message);
  return {TokenType::kError, start(), message_};
}

Token Lexer::FailAt(std::string message, int32_t c, std::string_view after) {
  AppendQuotedRune(message, c);
  message += after;
  return Fail(std::move(message));
}

void Lexer::SkipBlanks() {
  cursor_.TakeWhile(IsBlank);
  start_ = cursor_.position();
}

Token Lexer::Next() {
  if (ended_) return Make(TokenType::kEnd);
  if (quote_ != 0) return RestOfString();
  if (std::exchange(number_due_, false)) return Number();
  switch (place_) {
    case Place::kBraces:
      return InBraces();
    case Place::kRange:
      return InRange();
    case Place::kValues:
      return InValues();
    case Place::kHistogram:
      return bracket_open_ ? InBuckets() : InHistogram();
    case Place::kExpression:
      break;
  }
  return InExpression();
}

Token Lexer::AtEndOfInput() {
  if (paren_depth_ != 0) return Fail("unclosed left parenthesis");
  if (bracket_open_) return Fail("unclosed left bracket");
  ended_ = true;
  return Make(TokenType::kEnd);
}

// --- the three places of an expression ---

Token Lexer::InExpression() {
  SkipBlanks();
  const int32_t c = cursor_.Take();
  if (const TokenType single = kInExpressions.Of(c); single != TokenType::kError) return Make(single);
  switch (c) {
    case kEndOfInput:
      return AtEndOfInput();
    case '#':
      return Comment();
    case '"':
    case '\'':
    case '`':
      return String(c);
    case '=':
      return Equal();
    case '!':
      return NotEqual();
    case '<':
      if (cursor_.TakeIf("=")) return Make(TokenType::kLessEqual);
      return Make(cursor_.TakeIf("/") ? TokenType::kTrimUpper : TokenType::kLess);
    case '>':
      if (cursor_.TakeIf("=")) return Make(TokenType::kGreaterEqual);
      return Make(cursor_.TakeIf("/") ? TokenType::kTrimLower : TokenType::kGreater);
    case '(':
      return OpenParen();
    case ')':
      return CloseParen(c);
    case '[':
      return OpenBracket(c);
    case ']':
      return CloseBracket(c);
    case '{':
      place_ = Place::kBraces;
      return Make(TokenType::kLeftBrace);
    default:
      break;
  }
  if (BeginsNumber(c)) return NumberOrDuration();
  if (bracket_open_ && (IsLetter(c) || c == ':')) return AfterRange(c);
  if (IsLetter(c) || c == ':') return WordOrMetric();
  return FailAt("unexpected character: ", c);
}

Token Lexer::InBraces() {
  SkipBlanks();
  const int32_t c = cursor_.Take();
  switch (c) {
    case kEndOfInput:
      return Fail("unexpected end of input inside braces");
    case '#':
      return Comment();
    case ',':
      return Make(TokenType::kComma);
    case '"':
    case '\'':
    case '`':
      return String(c);
    case '=':
      return Make(cursor_.TakeIf("~") ? TokenType::kEqualRegex : TokenType::kEqual);
    case '!':
      if (cursor_.TakeIf("~")) return Make(TokenType::kNotEqualRegex);
      if (cursor_.TakeIf("=")) return Make(TokenType::kNotEqual);
      return FailAt("unexpected character after '!' inside braces: ", cursor_.Take());
    case '{':
      return FailAt("unexpected left brace ", c);
    case '}':
      place_ = series_description_ ? Place::kValues : Place::kExpression;
      return Make(TokenType::kRightBrace);
    default:
      break;
  }
  if (!IsLetter(c)) return FailAt("unexpected character inside braces: ", c);
  cursor_.TakeWhile(IsLetterOrDigit);
  return Make(TokenType::kIdentifier);
}

Token Lexer::InRange() {
  SkipBlanks();
  const int32_t c = cursor_.Take();
  if (const TokenType single = kInRanges.Of(c); single != TokenType::kError) return Make(single);
  switch (c) {
    case kEndOfInput:
      return Fail("unexpected end of input in duration expression");
    case '(':
      return OpenParen();
    case ')':
      return CloseParen(c);
    case ']':
      colon_seen_ = false;
      return CloseBracket(c);
    case ':': {
      // What is wrong with a colon is reported behind it.
      const Token colon = Make(TokenType::kColon);
      if (!duration_seen_) return Fail("unexpected colon before duration in duration expression");
      if (std::exchange(colon_seen_, true)) return Fail("unexpected repeated colon in duration expression");
      return colon;
    }
    default:
      break;
  }
  if (const TokenType word = DurationWord(c); word != TokenType::kIdentifier) return Make(word);
  if (!BeginsNumber(c)) return FailAt("unexpected character in duration expression: ", c);
  duration_seen_ = true;
  place_ = Place::kExpression;
  return NumberOrDuration();
}

// --- brackets of all kinds ---

Token Lexer::OpenParen() {
  ++paren_depth_;
  return Make(TokenType::kLeftParen);
}

Token Lexer::CloseParen(int32_t c) {
  const Token token = Make(TokenType::kRightParen);
  if (--paren_depth_ < 0) return FailAt("unexpected right parenthesis ", c);
  return token;
}

Token Lexer::OpenBracket(int32_t c) {
  if (bracket_open_) return FailAt("unexpected left bracket ", c);
  bracket_open_ = true;
  colon_seen_ = false;
  place_ = Place::kRange;
  return Make(TokenType::kLeftBracket);
}

Token Lexer::CloseBracket(int32_t c) {
  if (!bracket_open_) return FailAt("unexpected right bracket ", c);
  bracket_open_ = false;
  place_ = Place::kExpression;
  return Make(TokenType::kRightBracket);
}

// A letter or a colon in a bracket, behind its first number.
Token Lexer::AfterRange(int32_t c) {
  if (c == ':') {
    if (std::exchange(colon_seen_, true)) return FailAt("unexpected colon ", c);
    return Make(TokenType::kColon);
  }
  if (const TokenType word = DurationWord(c); word != TokenType::kIdentifier) return Make(word);
  return FailAt("unexpected character: ", c, ", expected ':'");
}

TokenType Lexer::DurationWord(int32_t c) {
  constexpr std::string_view kFirstLetters = "sSmMrR";  // of step, min, max and range
  if (!IsLetter(c) || kFirstLetters.find(static_cast<char>(c)) == std::string_view::npos) return TokenType::kIdentifier;
  cursor_.TakeWhile(IsLetter);
  switch (const TokenType type = KeywordFromWord(Taken()); type) {
    case TokenType::kStep:
    case TokenType::kRange:
    case TokenType::kMinOf:
    case TokenType::kMaxOf:
      return type;
    default:
      return TokenType::kIdentifier;
  }
}

// --- operators of two characters ---

Token Lexer::Equal() {
  if (cursor_.Peek() == '~') return FailAt("unexpected character after '=': ", '~');
  return Make(cursor_.TakeIf("=") ? TokenType::kEqualEqual : TokenType::kEqual);
}

Token Lexer::NotEqual() {
  if (cursor_.TakeIf("=")) return Make(TokenType::kNotEqual);
  return FailAt("unexpected character after '!': ", cursor_.Take());
}

// --- comments, strings, numbers, words ---

Token Lexer::Comment() {
  cursor_.TakeWhile([](int32_t c) { return c != '\n' && c != '\r' && c != kEndOfInput; });
  return Make(TokenType::kComment);
}

Token Lexer::String(int32_t quote) {
  quote_ = quote;
  return RestOfString();
}

Token Lexer::RestOfString() {
  const bool raw = quote_ == '`';
  while (true) {
    const int32_t c = cursor_.Take();
    if (c == quote_) {
      quote_ = 0;
      return Make(TokenType::kString);
    }
    if (c == kEndOfInput || (c == '\n' && !raw))
      return Fail(raw ? "unterminated raw string" : "unterminated quoted string");
    std::optional<std::string> error;
    if (c == static_cast<int32_t>(kReplacementRune)) error = "invalid UTF-8 rune";
    if (c == '\\' && !raw) error = ScanEscape(cursor_, quote_);
    if (error) {
      message_ = std::move(*error);
      return {TokenType::kError, start(), message_};
    }
  }
}

Token Lexer::Number() {
  if (ScanNumber(cursor_, series_description_)) return Make(TokenType::kNumber);
  std::string message = "bad number syntax: ";
  AppendQuoted(message, Taken());
  return Fail(std::move(message));
}

Token Lexer::NumberOrDuration() {
  cursor_.MoveTo(start_);
  if (ScanNumber(cursor_, series_description_)) return Make(TokenType::kNumber);
  if (ScanDurationTail(cursor_)) return Make(TokenType::kDuration);
  std::string message = "bad number or duration syntax: ";
  AppendQuoted(message, Taken());
  return Fail(std::move(message));
}

// A keyword, or a name.
Token Lexer::WordOrMetric() {
  cursor_.TakeWhile([](int32_t c) { return IsLetterOrDigit(c) || c == ':'; });
  const std::string_view word = Taken();
  TokenType type = KeywordFromWord(word);
  const bool fill = type == TokenType::kFill || type == TokenType::kFillLeft || type == TokenType::kFillRight;
  // So that metrics of these names, older than the modifiers, stay usable.
  if (fill && !FollowedByOpenParen()) type = TokenType::kIdentifier;
  if (type == TokenType::kIdentifier && word.find(':') != std::string_view::npos) type = TokenType::kMetricIdentifier;
  place_ = series_description_ && cursor_.Peek() != '{' ? Place::kValues : Place::kExpression;
  return Make(type);
}

bool Lexer::FollowedByOpenParen() const {
  const std::string_view text = cursor_.text();
  const size_t at = text.find_first_not_of(" \t\r\n", cursor_.position());
  return at != std::string_view::npos && text[at] == '(';
}

}  // namespace epi::promql
