#include "rules/template/template_lexer.h"

#include <algorithm>
#include <array>

#include "base/escaping.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "model/labels.h"

namespace epi::rules {
namespace {

constexpr std::string_view kOpening = "{{";
constexpr std::string_view kClosing = "}}";
constexpr std::string_view kCommentOpening = "/*";
constexpr std::string_view kCommentClosing = "*/";
constexpr std::string_view kDecimalDigits = "0123456789_";

// Letters and digits beyond ASCII are told from other characters by being printable and outside the general punctuation
// and symbol blocks that rule files have.
bool IsNameCharacter(int32_t r) {
  if (r < 0x80) return IsLetterOrDigit(r);
  if (r == 0xaa || r == 0xb5 || r == 0xba) return true;
  if (r < 0xc0 || r == 0xd7 || r == 0xf7 || (r >= 0x2000 && r <= 0x2bff) || (r >= 0x3000 && r <= 0x3004)) return false;
  return r != 0xfffd && IsPrintable(static_cast<uint32_t>(r));
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

// A minus beside a delimiter takes the blanks of the text beyond it; a blank parts it from the action.
constexpr size_t kTrimMarker = 2;
size_t MarkerBehindOpening(std::string_view rest) {
  return rest.size() >= kTrimMarker && rest[0] == '-' && IsBlank(rest[1]) ? kTrimMarker : 0;
}
size_t MarkerBeforeClosing(std::string_view rest) {
  const bool marker = rest.size() >= kTrimMarker && IsBlank(rest[0]) && rest[1] == '-';
  return marker && rest.substr(kTrimMarker).starts_with(kClosing) ? kTrimMarker : 0;
}
bool BeginsClosing(std::string_view rest) { return MarkerBeforeClosing(rest) > 0 || rest.starts_with(kClosing); }

// How a number goes on behind its prefix.
struct Radix {
  std::string_view prefix;  // letters behind the zero
  std::string_view digits;
  std::string_view exponent;  // letters before one
};
constexpr Radix kDecimal{"", kDecimalDigits, "eE"};
constexpr std::array kOtherRadices = {
    Radix{"xX", "0123456789abcdefABCDEF_", "pP"},
    Radix{"oO", "01234567_", ""},
    Radix{"bB", "01_", ""},
};

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

void TemplateLexer::Drop() {
  const std::string_view taken = Taken();
  line_ += static_cast<int32_t>(std::count(taken.begin(), taken.end(), '\n'));
  start_ = cursor_.position();
}

TemplateToken TemplateLexer::Make(TemplateTokenType type) {
  TemplateToken token{type, static_cast<int32_t>(start_), line_, std::string(Taken())};
  Drop();
  return token;
}

TemplateToken TemplateLexer::Fail(std::string message) {
  ended_ = true;
  return {TemplateTokenType::kError, static_cast<int32_t>(start_), line_, std::move(message)};
}

TemplateToken TemplateLexer::BadCharacter() {
  return Fail("bad character " + CodePointNotation(static_cast<uint32_t>(cursor_.Peek())));
}

TemplateToken TemplateLexer::Next() {
  if (ended_) return {TemplateTokenType::kEnd, static_cast<int32_t>(cursor_.text().size()), line_, {}};
  return in_action_ ? InAction() : TextOrOpening();
}

TemplateToken TemplateLexer::TextOrOpening() {
  const std::string_view input = cursor_.text();
  while (true) {
    const size_t open = std::min(input.find(kOpening, start_), input.size());
    const std::string_view action = input.substr(std::min(open + kOpening.size(), input.size()));
    const size_t marker = MarkerBehindOpening(action);
    size_t end = open;
    while (marker > 0 && end > start_ && IsBlank(static_cast<unsigned char>(input[end - 1]))) --end;
    cursor_.MoveTo(end);
    if (end > start_) return Make(TemplateTokenType::kText);
    cursor_.MoveTo(open);
    Drop();
    if (open == input.size()) {
      ended_ = true;
      return Next();
    }
    if (!action.substr(marker).starts_with(kCommentOpening)) {
      TakeBytes(kOpening.size());
      TemplateToken token = Make(TemplateTokenType::kLeftDelim);
      TakeBytes(marker);
      Drop();
      in_action_ = true;
      paren_depth_ = 0;
      return token;
    }
    TakeBytes(kOpening.size() + marker);
    Drop();
    const size_t close = input.find(kCommentClosing, start_ + kCommentOpening.size());
    if (close == std::string_view::npos) return Fail("unclosed comment");
    cursor_.MoveTo(close + kCommentClosing.size());
    if (!BeginsClosing(Rest())) return Fail("comment ends before closing delimiter");
    const size_t trim = MarkerBeforeClosing(Rest());
    TakeBytes(trim + kClosing.size());
    if (trim > 0) cursor_.TakeWhile(IsBlank);
    Drop();
  }
}

TemplateToken TemplateLexer::Close() {
  if (paren_depth_ != 0) return Fail("unclosed left paren");
  const size_t trim = MarkerBeforeClosing(Rest());
  TakeBytes(trim);
  Drop();
  TakeBytes(kClosing.size());
  TemplateToken token = Make(TemplateTokenType::kRightDelim);
  if (trim > 0) cursor_.TakeWhile(IsBlank);
  Drop();
  in_action_ = false;
  return token;
}

TemplateToken TemplateLexer::InAction() {
  if (BeginsClosing(Rest())) return Close();
  const int32_t c = cursor_.Take();
  if (IsBlank(c)) return Spaces();
  switch (c) {
    case kEndOfInput:
      return Fail("unclosed action");
    case '=':
      return Make(TemplateTokenType::kAssign);
    case ':':
      return cursor_.TakeIf("=") ? Make(TemplateTokenType::kDeclare) : Fail("expected :=");
    case '|':
      return Make(TemplateTokenType::kPipe);
    case '"':
      return Quoted(c, TemplateTokenType::kString, "quoted string");
    case '\'':
      return Quoted(c, TemplateTokenType::kCharConstant, "character constant");
    case '`':
      return RawString();
    case '(':
      ++paren_depth_;
      return Make(TemplateTokenType::kLeftParen);
    case ')':
      if (--paren_depth_ < 0) return Fail("unexpected right paren");
      return Make(TemplateTokenType::kRightParen);
    case '$':
      return NameEnds() ? Make(TemplateTokenType::kVariable) : Name(TemplateTokenType::kVariable);
    case '.':
      if (IsDigit(cursor_.Peek()) || cursor_.Peek() == kEndOfInput) return Number();
      return NameEnds() ? Make(TemplateTokenType::kDot) : Name(TemplateTokenType::kField);
    default:
      break;
  }
  if (c == '+' || c == '-' || IsDigit(c)) return Number();
  if (IsNameCharacter(c)) return Word();
  if (c < 0x80 && c > ' ' && c != 0x7f) return Make(TemplateTokenType::kChar);
  return Fail("unrecognized character in action: " + CodePointNotation(static_cast<uint32_t>(c)));
}

// Blanks are a token, because they separate operands. The last of them may belong to a trim marker.
TemplateToken TemplateLexer::Spaces() {
  cursor_.TakeWhile(IsBlank);
  const size_t last = cursor_.position() - 1;
  if (MarkerBeforeClosing(cursor_.text().substr(last)) > 0) cursor_.MoveTo(last);
  return Taken().empty() ? Close() : Make(TemplateTokenType::kSpace);
}

bool TemplateLexer::NameEnds() const {
  constexpr std::string_view kMayFollow = ".,|:()";
  const int32_t c = cursor_.Peek();
  if (c == kEndOfInput || IsBlank(c)) return true;
  return (c < 0x80 && kMayFollow.find(static_cast<char>(c)) != std::string_view::npos) || Rest().starts_with(kClosing);
}

TemplateToken TemplateLexer::Name(TemplateTokenType type) {
  cursor_.TakeWhile(IsNameCharacter);
  return NameEnds() ? Make(type) : BadCharacter();
}

TemplateToken TemplateLexer::Word() {
  cursor_.TakeWhile(IsNameCharacter);
  if (!NameEnds()) return BadCharacter();
  const std::string_view word = Taken();
  const auto* keyword =
      std::find_if(kKeywords.begin(), kKeywords.end(), [&](const Keyword& known) { return known.text == word; });
  if (keyword != kKeywords.end()) return Make(keyword->type);
  return Make(word == "true" || word == "false" ? TemplateTokenType::kBool : TemplateTokenType::kIdentifier);
}

// A backslash takes the quote behind it along, but no line ends.
TemplateToken TemplateLexer::Quoted(int32_t quote, TemplateTokenType type, std::string_view what) {
  while (true) {
    const int32_t c = cursor_.Take();
    if (c == quote) return Make(type);
    const int32_t last = c == '\\' ? cursor_.Take() : c;
    if (last == kEndOfInput || last == '\n') return Fail("unterminated " + std::string(what));
  }
}

TemplateToken TemplateLexer::RawString() {
  const size_t close = cursor_.text().find('`', cursor_.position());
  if (close == std::string_view::npos) return Fail("unterminated raw quoted string");
  cursor_.MoveTo(close + 1);
  return Make(TemplateTokenType::kRawString);
}

TemplateToken TemplateLexer::Number() {
  cursor_.MoveTo(start_);
  bool good = ScanNumber();
  // "1+2i": an imaginary part right behind its sign.
  if (const int32_t sign = cursor_.Peek(); good && (sign == '+' || sign == '-')) {
    good = ScanNumber() && Taken().back() == 'i';
  }
  if (good) return Make(TemplateTokenType::kNumber);
  std::string message = "bad number syntax: ";
  AppendQuoted(message, Taken());
  return Fail(std::move(message));
}

// What looks like a number; the parser finds whether it is one. A letter that spoils it is taken as well.
bool TemplateLexer::ScanNumber() {
  const auto take_all = [&](std::string_view characters) {
    while (cursor_.TakeIf(characters)) {
    }
  };
  cursor_.TakeIf("+-");
  Radix radix = kDecimal;
  if (cursor_.TakeIf("0")) {
    const auto* other = std::find_if(kOtherRadices.begin(), kOtherRadices.end(),
                                     [&](const Radix& candidate) { return cursor_.TakeIf(candidate.prefix); });
    if (other != kOtherRadices.end()) radix = *other;
  }
  take_all(radix.digits);
  if (cursor_.TakeIf(".")) take_all(radix.digits);
  if (cursor_.TakeIf(radix.exponent)) {
    cursor_.TakeIf("+-");
    take_all(kDecimalDigits);
  }
  cursor_.TakeIf("i");
  if (!IsNameCharacter(cursor_.Peek())) return true;
  cursor_.Take();
  return false;
}

}  // namespace epi::rules
