#include "rules/template/template_lexer.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "model/labels.h"
#include "model/printable.h"
#include "model/utf8.h"

namespace epi::rules {
namespace {

constexpr int32_t kEndOfInput = -1;
constexpr std::string_view kLeft = "{{";
constexpr std::string_view kRight = "}}";
constexpr std::string_view kSpaces = " \t\r\n";

bool IsSpace(int32_t r) { return r == ' ' || r == '\t' || r == '\r' || r == '\n'; }
// Letters and digits beyond ASCII are told from other characters by being printable and outside the general punctuation
// and symbol blocks that rule files have.
bool IsAlphaNumeric(int32_t r) {
  if (r < 0x80) return r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z');
  if (r == 0xaa || r == 0xb5 || r == 0xba) return true;
  if (r < 0xc0 || r == 0xd7 || r == 0xf7 || (r >= 0x2000 && r <= 0x2bff) || (r >= 0x3000 && r <= 0x3004)) return false;
  return r != 0xfffd && IsPrintable(static_cast<uint32_t>(r));
}

std::string UnicodeNotation(int32_t r) {
  char code[16];
  std::snprintf(code, sizeof code, "U+%04X", static_cast<unsigned>(r < 0 ? 0xfffd : r));
  std::string out = code;
  if (r >= 0 && IsPrintable(static_cast<uint32_t>(r))) {
    out += " '";
    AppendUtf8(out, static_cast<uint32_t>(r));
    out += '\'';
  }
  return out;
}

struct Keyword {
  std::string_view text;
  TemplateTokenType type;
};
constexpr std::array kKeywords = {
    Keyword{".", TemplateTokenType::kDot},
    Keyword{"block", TemplateTokenType::kBlock},
    Keyword{"break", TemplateTokenType::kBreak},
    Keyword{"continue", TemplateTokenType::kContinue},
    Keyword{"define", TemplateTokenType::kDefine},
    Keyword{"else", TemplateTokenType::kElse},
    Keyword{"end", TemplateTokenType::kEndKeyword},
    Keyword{"if", TemplateTokenType::kIf},
    Keyword{"nil", TemplateTokenType::kNil},
    Keyword{"range", TemplateTokenType::kRange},
    Keyword{"template", TemplateTokenType::kTemplate},
    Keyword{"with", TemplateTokenType::kWith},
};

// "- " behind "{{", or " -" before "}}".
constexpr size_t kTrimMarkerLength = 2;
bool HasLeftTrimMarker(std::string_view text) { return text.size() >= 2 && text[0] == '-' && IsSpace(text[1]); }
bool HasRightTrimMarker(std::string_view text) { return text.size() >= 2 && IsSpace(text[0]) && text[1] == '-'; }

}  // namespace

std::string DescribeTemplateToken(const TemplateToken& token) {
  switch (token.type) {
    case TemplateTokenType::kEnd:
      return "EOF";
    case TemplateTokenType::kError:
      return token.text;
    default:
      break;
  }
  if (token.type >= TemplateTokenType::kDot) return "<" + token.text + ">";
  std::string out;
  if (token.text.size() > 10) {
    size_t end = 0;
    uint32_t rune = 0;
    for (int i = 0; i < 10 && end < token.text.size(); ++i) {
      end += std::max<size_t>(1, DecodeUtf8(std::string_view(token.text).substr(end), rune));
    }
    AppendQuoted(out, std::string_view(token.text).substr(0, end));
    return out + "...";
  }
  AppendQuoted(out, token.text);
  return out;
}

int32_t TemplateLexer::NextRune() {
  if (pos_ >= input_.size()) {
    width_ = 0;
    return kEndOfInput;
  }
  uint32_t rune = 0;
  width_ = DecodeUtf8(input_.substr(pos_), rune);
  if (width_ == 0) {
    width_ = 1;
    rune = kReplacementRune;
  }
  pos_ += width_;
  if (rune == '\n') ++line_;
  return static_cast<int32_t>(rune);
}

void TemplateLexer::Backup() {
  if (width_ == 0) return;
  pos_ -= width_;
  if (input_[pos_] == '\n') --line_;
}

int32_t TemplateLexer::PeekRune() {
  const int32_t rune = NextRune();
  Backup();
  return rune;
}

bool TemplateLexer::Accept(std::string_view set) {
  const int32_t rune = PeekRune();
  if (rune < 0 || rune >= 0x80 || set.find(static_cast<char>(rune)) == std::string_view::npos) return false;
  NextRune();
  return true;
}

void TemplateLexer::AcceptRun(std::string_view set) {
  while (Accept(set)) {
  }
}

void TemplateLexer::Ignore() {
  line_ += static_cast<int32_t>(std::count(input_.begin() + static_cast<int64_t>(start_),
                                           input_.begin() + static_cast<int64_t>(pos_), '\n')) -
           (line_ - start_line_);
  start_ = pos_;
  start_line_ = line_;
}

void TemplateLexer::Emit(TemplateTokenType type) {
  token_ = {type, static_cast<int32_t>(start_), start_line_, std::string(input_.substr(start_, pos_ - start_))};
  have_token_ = true;
  Ignore();
}

void TemplateLexer::Fail(std::string message) {
  token_ = {TemplateTokenType::kError, static_cast<int32_t>(start_), start_line_, std::move(message)};
  have_token_ = true;
  state_ = State::kEnded;
  start_ = pos_ = input_.size();
}

TemplateToken TemplateLexer::Next() {
  have_token_ = false;
  while (!have_token_) {
    switch (state_) {
      case State::kText:
        Text();
        break;
      case State::kLeftDelim:
        LeftDelim();
        break;
      case State::kInside:
        Inside();
        break;
      case State::kEnded:
        token_ = {TemplateTokenType::kEnd, static_cast<int32_t>(pos_), start_line_, {}};
        have_token_ = true;
        break;
    }
  }
  return token_;
}

void TemplateLexer::Text() {
  const size_t open = input_.find(kLeft, pos_);
  if (open == std::string_view::npos) {
    pos_ = input_.size();
    state_ = State::kEnded;
    if (pos_ > start_) Emit(TemplateTokenType::kText);
    return;
  }
  size_t end = open;
  if (HasLeftTrimMarker(input_.substr(open + kLeft.size()))) {
    while (end > start_ && IsSpace(static_cast<unsigned char>(input_[end - 1]))) --end;
  }
  pos_ = end;
  state_ = State::kLeftDelim;
  const bool any = pos_ > start_;
  if (any) Emit(TemplateTokenType::kText);
  pos_ = open;
  Ignore();
}

void TemplateLexer::LeftDelim() {
  pos_ += kLeft.size();
  const size_t marker = HasLeftTrimMarker(input_.substr(pos_)) ? kTrimMarkerLength : 0;
  if (input_.substr(pos_ + marker).starts_with("/*")) {
    pos_ += marker;
    Ignore();
    Comment();
    return;
  }
  state_ = State::kInside;
  Emit(TemplateTokenType::kLeftDelim);
  pos_ += marker;
  Ignore();
  paren_depth_ = 0;
}

void TemplateLexer::Comment() {
  const size_t close = input_.find("*/", pos_ + 2);
  if (close == std::string_view::npos) return Fail("unclosed comment");
  pos_ = close + 2;
  const RightDelim delim = AtRightDelim();
  if (!delim.found) return Fail("comment ends before closing delimiter");
  state_ = State::kText;
  pos_ += (delim.trim ? kTrimMarkerLength : 0) + kRight.size();
  if (delim.trim) pos_ = std::min(input_.size(), input_.find_first_not_of(kSpaces, pos_));
  Ignore();
}

TemplateLexer::RightDelim TemplateLexer::AtRightDelim() const {
  const std::string_view rest = input_.substr(pos_);
  if (HasRightTrimMarker(rest) && rest.substr(kTrimMarkerLength).starts_with(kRight)) return {true, true};
  return {rest.starts_with(kRight), false};
}

void TemplateLexer::CloseAction() {
  const bool trim = AtRightDelim().trim;
  if (trim) {
    pos_ += kTrimMarkerLength;
    Ignore();
  }
  pos_ += kRight.size();
  state_ = State::kText;
  Emit(TemplateTokenType::kRightDelim);
  if (trim) {
    pos_ = std::min(input_.size(), input_.find_first_not_of(kSpaces, pos_));
    Ignore();
  }
}

void TemplateLexer::Inside() {
  if (AtRightDelim().found) {
    if (paren_depth_ != 0) return Fail("unclosed left paren");
    return CloseAction();
  }
  const int32_t r = NextRune();
  switch (r) {
    case kEndOfInput:
      return Fail("unclosed action");
    case ' ':
    case '\t':
    case '\r':
    case '\n':
      Backup();
      return Space();
    case '=':
      return Emit(TemplateTokenType::kAssign);
    case ':':
      if (NextRune() != '=') return Fail("expected :=");
      return Emit(TemplateTokenType::kDeclare);
    case '|':
      return Emit(TemplateTokenType::kPipe);
    case '"':
      return Quote();
    case '`':
      return RawQuote();
    case '$':
      return FieldOrVariable(TemplateTokenType::kVariable);
    case '\'':
      return CharConstant();
    case '(':
      ++paren_depth_;
      return Emit(TemplateTokenType::kLeftParen);
    case ')':
      if (--paren_depth_ < 0) return Fail("unexpected right paren");
      return Emit(TemplateTokenType::kRightParen);
    case '.':
      if (pos_ < input_.size() && (input_[pos_] < '0' || input_[pos_] > '9'))
        return FieldOrVariable(TemplateTokenType::kField);
      break;
    default:
      break;
  }
  if (r == '.' || r == '+' || r == '-' || (r >= '0' && r <= '9')) {
    Backup();
    return Number();
  }
  if (IsAlphaNumeric(r)) {
    Backup();
    return Identifier();
  }
  if (r < 0x80 && r > ' ' && r != 0x7f) return Emit(TemplateTokenType::kChar);
  Fail("unrecognized character in action: " + UnicodeNotation(r));
}

// Spaces are tokens, because they separate operands. A trim marker takes the last of them.
void TemplateLexer::Space() {
  size_t spaces = 0;
  while (IsSpace(PeekRune())) {
    NextRune();
    ++spaces;
  }
  const std::string_view from_last = input_.substr(pos_ - 1);
  if (HasRightTrimMarker(from_last) && from_last.substr(kTrimMarkerLength).starts_with(kRight)) {
    --pos_;
    if (input_[pos_] == '\n') --line_;
    if (spaces == 1) {
      if (paren_depth_ != 0) return Fail("unclosed left paren");
      return CloseAction();
    }
  }
  Emit(TemplateTokenType::kSpace);
}

bool TemplateLexer::AtTerminator() {
  const int32_t r = PeekRune();
  if (IsSpace(r)) return true;
  switch (r) {
    case kEndOfInput:
    case '.':
    case ',':
    case '|':
    case ':':
    case ')':
    case '(':
      return true;
    default:
      return StartsWith(kRight);
  }
}

void TemplateLexer::Identifier() {
  while (IsAlphaNumeric(PeekRune())) NextRune();
  if (!AtTerminator()) return Fail("bad character " + UnicodeNotation(PeekRune()));
  const std::string_view word = input_.substr(start_, pos_ - start_);
  for (const Keyword& keyword : kKeywords) {
    if (keyword.text == word) return Emit(keyword.type);
  }
  Emit(word == "true" || word == "false" ? TemplateTokenType::kBool : TemplateTokenType::kIdentifier);
}

// The dot or dollar was read.
void TemplateLexer::FieldOrVariable(TemplateTokenType type) {
  if (AtTerminator()) return Emit(type == TemplateTokenType::kVariable ? type : TemplateTokenType::kDot);
  while (IsAlphaNumeric(PeekRune())) NextRune();
  if (!AtTerminator()) return Fail("bad character " + UnicodeNotation(PeekRune()));
  Emit(type);
}

void TemplateLexer::CharConstant() {
  while (true) {
    int32_t r = NextRune();
    if (r == '\\') {
      r = NextRune();
      if (r != kEndOfInput && r != '\n') continue;
    }
    if (r == kEndOfInput || r == '\n') return Fail("unterminated character constant");
    if (r == '\'') return Emit(TemplateTokenType::kCharConstant);
  }
}

void TemplateLexer::Quote() {
  while (true) {
    int32_t r = NextRune();
    if (r == '\\') {
      r = NextRune();
      if (r != kEndOfInput && r != '\n') continue;
    }
    if (r == kEndOfInput || r == '\n') return Fail("unterminated quoted string");
    if (r == '"') return Emit(TemplateTokenType::kString);
  }
}

void TemplateLexer::RawQuote() {
  while (true) {
    const int32_t r = NextRune();
    if (r == kEndOfInput) return Fail("unterminated raw quoted string");
    if (r == '`') return Emit(TemplateTokenType::kRawString);
  }
}

void TemplateLexer::Number() {
  bool good = ScanNumber();
  // "1+2i": no spaces, and an imaginary part behind the sign.
  const int32_t sign = PeekRune();
  if (good && (sign == '+' || sign == '-')) good = ScanNumber() && input_[pos_ - 1] == 'i';
  if (!good) {
    std::string quoted;
    AppendQuoted(quoted, input_.substr(start_, pos_ - start_));
    return Fail("bad number syntax: " + quoted);
  }
  Emit(TemplateTokenType::kNumber);
}

// What looks like a number; the parser finds whether it is one.
bool TemplateLexer::ScanNumber() {
  Accept("+-");
  std::string_view digits = "0123456789_";
  bool decimal = true;
  bool hex = false;
  if (Accept("0")) {
    if (Accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
      decimal = false;
      hex = true;
    } else if (Accept("oO")) {
      digits = "01234567_";
      decimal = false;
    } else if (Accept("bB")) {
      digits = "01_";
      decimal = false;
    }
  }
  AcceptRun(digits);
  if (Accept(".")) AcceptRun(digits);
  if ((decimal && Accept("eE")) || (hex && Accept("pP"))) {
    Accept("+-");
    AcceptRun("0123456789_");
  }
  Accept("i");
  if (!IsAlphaNumeric(PeekRune())) return true;
  NextRune();
  return false;
}

}  // namespace epi::rules
