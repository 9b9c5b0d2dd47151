#include "promql/parser/lexer.h"

#include <cstdio>

#include "model/labels.h"
#include "model/printable.h"
#include "model/utf8.h"

namespace epi::promql {
namespace {

constexpr int32_t kEndOfInput = -1;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

bool IsSpace(int32_t r) { return r == ' ' || r == '\t' || r == '\n' || r == '\r'; }
bool IsDigit(int32_t r) { return r >= '0' && r <= '9'; }
bool IsAlpha(int32_t r) { return r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z'); }
bool IsAlphaNumeric(int32_t r) { return IsAlpha(r) || IsDigit(r); }

// 16 for what is no digit in any base.
uint32_t DigitValue(int32_t r) {
  if (r >= '0' && r <= '9') return static_cast<uint32_t>(r - '0');
  if (r >= 'a' && r <= 'f') return static_cast<uint32_t>(r - 'a' + 10);
  if (r >= 'A' && r <= 'F') return static_cast<uint32_t>(r - 'A' + 10);
  return 16;
}

// Go's %#U: U+0063 'c'; the character only when it can be printed.
std::string UnicodeNotation(int32_t r) {
  char code[16];
  std::snprintf(code, sizeof code, "U+%04X", static_cast<unsigned>(r));
  std::string out = code;
  if (IsPrintable(static_cast<uint32_t>(r))) {
    out += " '";
    AppendUtf8(out, static_cast<uint32_t>(r));
    out += '\'';
  }
  return out;
}

std::string QuotedInput(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

}  // namespace

int32_t Lexer::NextRune() {
  if (static_cast<size_t>(pos_) >= input_.size()) {
    width_ = 0;
    return kEndOfInput;
  }
  const auto byte = static_cast<unsigned char>(input_[pos_]);
  if (byte < 0x80) {
    width_ = 1;
    ++pos_;
    return byte;
  }
  uint32_t rune = 0;
  const size_t width = DecodeUtf8(input_.substr(pos_), rune);
  width_ = width == 0 ? 1 : static_cast<int32_t>(width);
  pos_ += width_;
  return width == 0 ? static_cast<int32_t>(kReplacementRune) : static_cast<int32_t>(rune);
}

int32_t Lexer::PeekRune() {
  const int32_t rune = NextRune();
  Backup();
  return rune;
}

bool Lexer::NextIsIn(std::string_view set) {
  const int32_t rune = PeekRune();
  return rune >= 0 && rune < 0x80 && set.find(static_cast<char>(rune)) != std::string_view::npos;
}

bool Lexer::Accept(std::string_view set) {
  if (!NextIsIn(set)) return false;
  NextRune();
  return true;
}

void Lexer::Emit(TokenType type) {
  token_ = {type, start_, Word()};
  start_ = pos_;
  have_token_ = true;
}

template <typename... Parts>
Lexer::State Lexer::FailWith(const Parts&... parts) {
  message_.clear();
  (message_.append(parts), ...);
  token_ = {TokenType::kError, start_, message_};
  have_token_ = true;
  return State::kEnded;
}

Lexer::State Lexer::FailWithRune(std::string_view message, int32_t rune, std::string_view after) {
  std::string quoted;
  AppendQuotedRune(quoted, rune);
  return FailWith(message, quoted, after);
}

Token Lexer::Next() {
  have_token_ = false;
  while (!have_token_) {
    switch (state_) {
      case State::kStatements:
        state_ = Statements();
        break;
      case State::kInsideBraces:
        state_ = InsideBraces();
        break;
      case State::kDurationExpr:
        state_ = DurationExpr();
        break;
      case State::kValueSequence:
        state_ = ValueSequence();
        break;
      case State::kHistogram:
        state_ = Histogram();
        break;
      case State::kBuckets:
        state_ = Buckets();
        break;
      case State::kNumber:
        state_ = Number();
        break;
      case State::kString:
        state_ = QuotedString();
        break;
      case State::kRawString:
        state_ = RawString();
        break;
      case State::kEnded:
        Emit(TokenType::kEnd);
        break;
    }
  }
  return token_;
}

Lexer::State Lexer::Statements() {
  if (histogram_ != HistogramState::kNone) return State::kHistogram;
  if (brace_open_) return State::kInsideBraces;
  const int32_t r = NextRune();
  switch (r) {
    case kEndOfInput:
      if (paren_depth_ != 0) return FailWith("unclosed left parenthesis");
      if (bracket_open_) return FailWith("unclosed left bracket");
      Emit(TokenType::kEnd);
      return State::kEnded;
    case '#':
      return LineComment();
    case ' ':
    case '\t':
    case '\n':
    case '\r':
      return Space();
    case ',':
      Emit(TokenType::kComma);
      return State::kStatements;
    case '*':
      Emit(TokenType::kMul);
      return State::kStatements;
    case '/':
      Emit(TokenType::kDiv);
      return State::kStatements;
    case '%':
      Emit(TokenType::kMod);
      return State::kStatements;
    case '+':
      Emit(TokenType::kAdd);
      return State::kStatements;
    case '-':
      Emit(TokenType::kSub);
      return State::kStatements;
    case '^':
      Emit(TokenType::kPow);
      return State::kStatements;
    case '@':
      Emit(TokenType::kAt);
      return State::kStatements;
    case '=':
      if (PeekRune() == '~') return FailWithRune("unexpected character after '=': ", '~');
      Emit(Accept("=") ? TokenType::kEqualEqual : TokenType::kEqual);
      return State::kStatements;
    case '!': {
      const int32_t next = NextRune();
      if (next != '=') return FailWithRune("unexpected character after '!': ", next);
      Emit(TokenType::kNotEqual);
      return State::kStatements;
    }
    case '<':
      Emit(Accept("=") ? TokenType::kLessEqual : Accept("/") ? TokenType::kTrimUpper : TokenType::kLess);
      return State::kStatements;
    case '>':
      Emit(Accept("=") ? TokenType::kGreaterEqual : Accept("/") ? TokenType::kTrimLower : TokenType::kGreater);
      return State::kStatements;
    case '"':
    case '\'':
      quote_ = r;
      return State::kString;
    case '`':
      quote_ = r;
      return State::kRawString;
    case '(':
      Emit(TokenType::kLeftParen);
      ++paren_depth_;
      return State::kStatements;
    case ')':
      Emit(TokenType::kRightParen);
      if (--paren_depth_ < 0) return FailWithRune("unexpected right parenthesis ", r);
      return State::kStatements;
    case '{':
      Emit(TokenType::kLeftBrace);
      brace_open_ = true;
      return State::kInsideBraces;
    case '[':
      if (bracket_open_) return FailWithRune("unexpected left bracket ", r);
      got_colon_ = false;
      Emit(TokenType::kLeftBracket);
      bracket_open_ = true;
      return State::kDurationExpr;
    case ']':
      if (!bracket_open_) return FailWithRune("unexpected right bracket ", r);
      Emit(TokenType::kRightBracket);
      bracket_open_ = false;
      return State::kStatements;
    default:
      break;
  }
  if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    pos_ = start_;
    return NumberOrDuration();
  }
  if (IsAlpha(r) || r == ':') {
    if (bracket_open_) return CharacterInBrackets(r);
    return KeywordOrIdentifier();
  }
  return FailWithRune("unexpected character: ", r);
}

// A letter or colon behind the first number in a range.
Lexer::State Lexer::CharacterInBrackets(int32_t r) {
  if (r == ':') {
    if (got_colon_) return FailWithRune("unexpected colon ", r);
    Emit(TokenType::kColon);
    got_colon_ = true;
    return State::kStatements;
  }
  if (std::string_view("sSmMrR").find(static_cast<char>(r)) != std::string_view::npos && ScanDurationKeyword()) {
    return State::kStatements;
  }
  return FailWithRune("unexpected character: ", r, ", expected ':'");
}

Lexer::State Lexer::InsideBraces() {
  const int32_t r = NextRune();
  switch (r) {
    case kEndOfInput:
      return FailWith("unexpected end of input inside braces");
    case '#':
      return LineComment();
    case ' ':
    case '\t':
    case '\n':
    case '\r':
      return Space();
    case ',':
      Emit(TokenType::kComma);
      return State::kInsideBraces;
    case '"':
    case '\'':
      quote_ = r;
      return State::kString;
    case '`':
      quote_ = r;
      return State::kRawString;
    case '=':
      Emit(Accept("~") ? TokenType::kEqualRegex : TokenType::kEqual);
      return State::kInsideBraces;
    case '!': {
      const int32_t next = NextRune();
      if (next != '~' && next != '=') return FailWithRune("unexpected character after '!' inside braces: ", next);
      Emit(next == '~' ? TokenType::kNotEqualRegex : TokenType::kNotEqual);
      return State::kInsideBraces;
    }
    case '{':
      return FailWithRune("unexpected left brace ", r);
    case '}':
      Emit(TokenType::kRightBrace);
      brace_open_ = false;
      return series_description_ ? State::kValueSequence : State::kStatements;
    default:
      break;
  }
  if (IsAlpha(r)) return Identifier();
  return FailWithRune("unexpected character inside braces: ", r);
}

Lexer::State Lexer::DurationExpr() {
  const int32_t r = NextRune();
  switch (r) {
    case kEndOfInput:
      return FailWith("unexpected end of input in duration expression");
    case ']':
      Emit(TokenType::kRightBracket);
      bracket_open_ = false;
      got_colon_ = false;
      return State::kStatements;
    case ':':
      Emit(TokenType::kColon);
      if (!got_duration_) return FailWith("unexpected colon before duration in duration expression");
      if (got_colon_) return FailWith("unexpected repeated colon in duration expression");
      got_colon_ = true;
      return State::kDurationExpr;
    case '(':
      Emit(TokenType::kLeftParen);
      ++paren_depth_;
      return State::kDurationExpr;
    case ')':
      Emit(TokenType::kRightParen);
      if (--paren_depth_ < 0) return FailWithRune("unexpected right parenthesis ", r);
      return State::kDurationExpr;
    case ' ':
    case '\t':
    case '\n':
    case '\r':
      start_ = pos_;
      return State::kDurationExpr;
    case '+':
      Emit(TokenType::kAdd);
      return State::kDurationExpr;
    case '-':
      Emit(TokenType::kSub);
      return State::kDurationExpr;
    case '*':
      Emit(TokenType::kMul);
      return State::kDurationExpr;
    case '/':
      Emit(TokenType::kDiv);
      return State::kDurationExpr;
    case '%':
      Emit(TokenType::kMod);
      return State::kDurationExpr;
    case '^':
      Emit(TokenType::kPow);
      return State::kDurationExpr;
    case ',':
      Emit(TokenType::kComma);
      return State::kDurationExpr;
    case 's':
    case 'S':
    case 'm':
    case 'M':
    case 'r':
    case 'R':
      if (ScanDurationKeyword()) return State::kDurationExpr;
      break;
    default:
      break;
  }
  if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    pos_ = start_;
    got_duration_ = true;
    return NumberOrDuration();
  }
  return FailWithRune("unexpected character in duration expression: ", r);
}

Lexer::State Lexer::ValueSequence() {
  if (histogram_ != HistogramState::kNone) return State::kHistogram;
  const int32_t r = NextRune();
  if (r == kEndOfInput) return State::kStatements;
  if (r == '{' && PeekRune() == '{') {
    histogram_ = HistogramState::kOpen;
    NextRune();
    Emit(TokenType::kOpenHistogram);
    return State::kHistogram;
  }
  if (IsSpace(r)) {
    Emit(TokenType::kSpace);
    while (IsSpace(PeekRune())) NextRune();
    start_ = pos_;
    return State::kValueSequence;
  }
  switch (r) {
    case '+':
      Emit(TokenType::kAdd);
      return State::kValueSequence;
    case '-':
      Emit(TokenType::kSub);
      return State::kValueSequence;
    case 'x':
      Emit(TokenType::kTimes);
      return State::kValueSequence;
    case '_':
      Emit(TokenType::kBlank);
      return State::kValueSequence;
    default:
      break;
  }
  if (IsDigit(r) || (r == '.' && IsDigit(PeekRune()))) {
    pos_ = start_;
    return Number() == State::kEnded ? State::kEnded : State::kValueSequence;
  }
  // Words that are no number are the parser's to refuse.
  if (IsAlpha(r)) return KeywordOrIdentifier();
  return FailWithRune("unexpected character in series sequence: ", r);
}

Lexer::State Lexer::Histogram() {
  const HistogramState before = histogram_;
  if (before == HistogramState::kMul || before == HistogramState::kAdd || before == HistogramState::kSub) {
    histogram_ = HistogramState::kNone;
    NextRune();
    Emit(before == HistogramState::kMul   ? TokenType::kTimes
         : before == HistogramState::kAdd ? TokenType::kAdd
                                          : TokenType::kSub);
    return State::kValueSequence;
  }
  if (bracket_open_) return State::kBuckets;
  const int32_t r = NextRune();
  if (IsSpace(r)) {
    Emit(TokenType::kSpace);
    return Space();
  }
  if (IsAlpha(r)) return HistogramDescriptor();
  if (IsDigit(r)) {
    pos_ = start_;
    return Number();
  }
  switch (r) {
    case ':':
      Emit(TokenType::kColon);
      return State::kHistogram;
    case '-':
      Emit(TokenType::kSub);
      return State::kHistogram;
    case '[':
      bracket_open_ = true;
      got_colon_ = false;
      got_duration_ = false;
      Emit(TokenType::kLeftBracket);
      return State::kBuckets;
    case '}':
      if (PeekRune() != '}') break;
      NextRune();
      Emit(TokenType::kCloseHistogram);
      switch (PeekRune()) {
        case 'x':
          histogram_ = HistogramState::kMul;
          return State::kHistogram;
        case '+':
          histogram_ = HistogramState::kAdd;
          return State::kHistogram;
        case '-':
          histogram_ = HistogramState::kSub;
          return State::kHistogram;
        default:
          histogram_ = HistogramState::kNone;
          return State::kValueSequence;
      }
    default:
      break;
  }
  return FailWithRune("histogram description incomplete unexpected: ", r);
}

Lexer::State Lexer::HistogramDescriptor() {
  while (IsAlpha(PeekRune())) NextRune();
  const std::string_view word = Word();
  if (const TokenType descriptor = HistogramDescriptorFromWord(word); descriptor != TokenType::kIdentifier) {
    if (PeekRune() != ':') return FailWith("missing `:` for histogram descriptor");
    Emit(descriptor);
    return State::kHistogram;
  }
  if (KeywordFromWord(word) == TokenType::kNumber) {
    Emit(TokenType::kNumber);
    return State::kHistogram;
  }
  if (const TokenType hint = CounterResetHintFromWord(word); hint != TokenType::kIdentifier) {
    Emit(hint);
    return State::kHistogram;
  }
  return FailWith("bad histogram descriptor found: ", QuotedInput(word));
}

Lexer::State Lexer::Buckets() {
  const int32_t r = NextRune();
  if (IsSpace(r)) {
    Emit(TokenType::kSpace);
    return Space();
  }
  if (r == '-') {
    Emit(TokenType::kSub);
    return State::kNumber;
  }
  if (IsDigit(r)) {
    pos_ = start_;
    return Number();
  }
  if (r == ']') {
    bracket_open_ = false;
    Emit(TokenType::kRightBracket);
    return State::kHistogram;
  }
  if (IsAlpha(r)) {
    if (KeywordFromWord(Word()) == TokenType::kNumber) {
      Emit(TokenType::kNumber);
      return State::kStatements;
    }
    return State::kBuckets;
  }
  return FailWithRune("invalid character in buckets description: ", r);
}

// Behind a backslash. False when an error was reported; reading goes on in the string.
bool Lexer::ReadEscape() {
  int32_t r = NextRune();
  int digits = 0;
  uint32_t base = 16;
  uint32_t limit = 255;
  switch (r) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
      return true;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
      digits = 3;
      base = 8;
      break;
    case 'x':
      r = NextRune();
      digits = 2;
      break;
    case 'u':
      r = NextRune();
      digits = 4;
      limit = 0x10ffff;
      break;
    case 'U':
      r = NextRune();
      digits = 8;
      limit = 0x10ffff;
      break;
    case kEndOfInput:
      FailWith("escape sequence not terminated");
      return false;
    default:
      if (r == quote_) return true;
      FailWith("unknown escape sequence ", UnicodeNotation(r));
      return false;
  }
  uint64_t value = 0;
  for (; digits > 0; --digits) {
    const uint32_t digit = DigitValue(r);
    if (digit >= base) {
      if (r == kEndOfInput) {
        FailWith("escape sequence not terminated");
      } else {
        FailWith("illegal character ", UnicodeNotation(r), " in escape sequence");
      }
      return false;
    }
    value = value * base + digit;
    if (digits > 1) r = NextRune();
  }
  if (value > limit || (value >= 0xd800 && value < 0xe000)) {
    FailWith("escape sequence is an invalid Unicode code point");
    return false;
  }
  return true;
}

Lexer::State Lexer::QuotedString() {
  while (true) {
    const int32_t r = NextRune();
    if (r == '\\') {
      if (!ReadEscape()) return State::kString;
    } else if (r == static_cast<int32_t>(kReplacementRune)) {
      FailWith("invalid UTF-8 rune");
      return State::kString;
    } else if (r == kEndOfInput || r == '\n') {
      return FailWith("unterminated quoted string");
    } else if (r == quote_) {
      Emit(TokenType::kString);
      return State::kStatements;
    }
  }
}

Lexer::State Lexer::RawString() {
  while (true) {
    const int32_t r = NextRune();
    if (r == static_cast<int32_t>(kReplacementRune)) {
      FailWith("invalid UTF-8 rune");
      return State::kRawString;
    }
    if (r == kEndOfInput) return FailWith("unterminated raw string");
    if (r == quote_) {
      Emit(TokenType::kString);
      return State::kStatements;
    }
  }
}

// One space was read.
Lexer::State Lexer::Space() {
  while (IsSpace(PeekRune())) NextRune();
  start_ = pos_;
  return State::kStatements;
}

// The comment mark was read.
Lexer::State Lexer::LineComment() {
  int32_t r = NextRune();
  while (r != '\n' && r != '\r' && r != kEndOfInput) r = NextRune();
  Backup();
  Emit(TokenType::kComment);
  return State::kStatements;
}

Lexer::State Lexer::Number() {
  if (!ScanNumber()) return FailWith("bad number syntax: ", QuotedInput(Word()));
  Emit(TokenType::kNumber);
  return State::kStatements;
}

Lexer::State Lexer::NumberOrDuration() {
  if (ScanNumber()) {
    Emit(TokenType::kNumber);
    return State::kStatements;
  }
  if (ScanRestOfDuration()) {
    Backup();
    Emit(TokenType::kDuration);
    return State::kStatements;
  }
  return FailWith("bad number or duration syntax: ", QuotedInput(Word()));
}

// Units and further numbers behind the first number. Orders and units that make no sense are found when the duration is
// parsed. Reads one character too many, also when it fails: the error text shows it.
bool Lexer::ScanRestOfDuration() {
  if (!Accept("smhdwy")) return false;
  Accept("s");
  while (Accept(kDigits)) {
    while (Accept(kDigits)) {
    }
    if (!Accept("smhdw")) return false;
    Accept("s");
  }
  return !IsAlphaNumeric(NextRune());
}

// What looks like a number; whether it is one is found when it is parsed.
bool Lexer::ScanNumber() {
  const int32_t from = pos_;
  bool hex = false;
  // The x of hexadecimal numbers would be ambiguous in series descriptions.
  if (!series_description_ && Accept("0") && Accept("xX")) {
    Accept("_");
    hex = true;
  }
  const std::string_view digits = hex ? kHexDigits : kDigits;
  Accept(".");
  Accept(digits);
  bool point = false;
  bool exponent = false;
  while (true) {
    if (NextIsIn(digits)) {
      // Hexadecimal e is a digit, but a second one does not pass for the exponent it might be.
      if (NextIsIn("eE")) {
        if (exponent) {
          NextRune();
          return false;
        }
        exponent = true;
        NextRune();
        Accept("+-");
        if (Accept("._eE") || PeekRune() == kEndOfInput) return false;
        continue;
      }
      while (Accept(digits)) {
      }
    } else if (NextIsIn(".")) {
      NextRune();
      if (point) return false;
      point = true;
      if (Accept("_.")) return false;
      if (hex) return false;
    } else if (NextIsIn("eE")) {
      NextRune();
      if (exponent) return false;
      exponent = true;
      Accept("+-");
      if (Accept("._eE") || PeekRune() == kEndOfInput) return false;
    } else if (NextIsIn("_")) {
      NextRune();
      if (Accept("._eE") || PeekRune() == kEndOfInput) return false;
    } else {
      break;
    }
  }
  if (pos_ == from) return false;
  const int32_t next = PeekRune();
  return (series_description_ && next == 'x') || !IsAlphaNumeric(next);
}

// A word of duration expressions, whose first letter was read.
bool Lexer::ScanDurationKeyword() {
  while (IsAlpha(PeekRune())) NextRune();
  const TokenType type = KeywordFromWord(Word());
  if (type != TokenType::kStep && type != TokenType::kRange && type != TokenType::kMinOf && type != TokenType::kMaxOf) {
    return false;
  }
  Emit(type);
  return true;
}

Lexer::State Lexer::Identifier() {
  while (IsAlphaNumeric(PeekRune())) NextRune();
  Emit(TokenType::kIdentifier);
  return State::kStatements;
}

Lexer::State Lexer::KeywordOrIdentifier() {
  while (IsAlphaNumeric(PeekRune()) || PeekRune() == ':') NextRune();
  const std::string_view word = Word();
  TokenType type = KeywordFromWord(word);
  const bool fill = type == TokenType::kFill || type == TokenType::kFillLeft || type == TokenType::kFillRight;
  // So that metrics of these names, older than the modifiers, stay usable.
  if (fill && !FollowedByLeftParen()) type = TokenType::kIdentifier;
  if (type == TokenType::kIdentifier && word.find(':') != std::string_view::npos) type = TokenType::kMetricIdentifier;
  Emit(type);
  return series_description_ && PeekRune() != '{' ? State::kValueSequence : State::kStatements;
}

bool Lexer::FollowedByLeftParen() const {
  const size_t at = input_.find_first_not_of(" \t\r\n", static_cast<size_t>(pos_));
  return at != std::string_view::npos && input_[at] == '(';
}

}  // namespace epi::promql
