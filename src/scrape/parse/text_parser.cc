#include "scrape/parse/text_parser.h"

#include <charconv>

#include "base/ascii.h"
#include "base/escaping.h"
#include "base/utf8.h"
#include "model/number_format.h"

namespace epi::scrape {
namespace {

struct TypeWord {
  std::string_view word;
  MetricType type;
};
constexpr TypeWord kTypeWords[] = {
    {"counter", MetricType::kCounter}, {"gauge", MetricType::kGauge},     {"histogram", MetricType::kHistogram},
    {"summary", MetricType::kSummary}, {"untyped", MetricType::kUnknown},
};

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string_view TextParser::Body(std::string_view body) {
  if (body.empty() || body.back() == '\n') return body;
  terminated_.reserve(body.size() + 1);
  terminated_.assign(body);
  terminated_ += '\n';
  return terminated_;
}

TextParser::TextParser(std::string_view body, ParserOptions options) : cursor_(Body(body)), options_(options) {
  // Prometheus appends a newline to every body, which shows in the error text for a string that is not closed.
  cursor_.ShowNewlineAtEnd(terminated_.empty());
}

Result<EntryKind> TextParser::Next() {
  // Blank lines are skipped; a NUL byte where an entry begins ends the body.
  while (true) {
    cursor_.BeginEntry();
    cursor_.SkipBlanks();
    cursor_.BeginToken();
    if (cursor_.peek() != '\n') break;
    cursor_.Advance();
  }
  const char c = cursor_.peek();
  if (c == '\0') return entry_.kind = EntryKind::kEnd;
  if (c == '#') return ReadHash();
  return ReadSample();
}

Result<EntryKind> TextParser::ReadHash() {
  cursor_.Advance();
  if (!IsBlank(cursor_.peek())) return ReadComment(/*blank=*/false);
  cursor_.SkipBlanks();
  const std::string_view rest = cursor_.body().substr(cursor_.at());
  for (const auto& [word, keyword] :
       {std::pair<std::string_view, Token>{"HELP", Token::kHelp}, {"TYPE", Token::kType}}) {
    if (!rest.starts_with(word) || rest.size() <= word.size() || !IsBlank(rest[word.size()])) continue;
    for (size_t i = 0; i < word.size(); ++i) cursor_.Advance();
    cursor_.SkipBlanks();
    return ReadMetadata(keyword);
  }
  return ReadComment(/*blank=*/true);
}

Result<EntryKind> TextParser::ReadMetadata(Token keyword) {
  cursor_.BeginToken();
  bool named = true;
  bool quoted = false;
  if (cursor_.peek() == '"') {
    named = quoted = cursor_.TakeQuoted(/*newlines=*/true, /*nuls=*/false);
  } else {
    named = cursor_.TakeName(/*colon=*/true);
  }
  if (!named) {
    return Fail(cursor_.Unexpected("expected metric name after " + std::string(TokenName(keyword)), Token::kInvalid));
  }
  entry_.family = cursor_.token_text();
  if (quoted) entry_.family = entry_.family.substr(1, entry_.family.size() - 2);

  const size_t begin = cursor_.at();
  const size_t end = cursor_.body().find('\n', begin);
  std::string_view text = cursor_.body().substr(begin, end - begin);
  // One separating character goes; a text of blanks alone is no text.
  text = text.find_first_not_of(" \t") == std::string_view::npos ? std::string_view() : text.substr(1);
  entry_.text = text;
  while (cursor_.at() < end) cursor_.Advance();

  if (keyword == Token::kType) {
    for (const auto& [word, type] : kTypeWords) {
      if (text != word) continue;
      entry_.type = type_ = type;
      cursor_.Advance();
      return entry_.kind = EntryKind::kType;
    }
    std::string message = "invalid metric type ";
    AppendQuoted(message, text);
    return Fail(ErrorCode::kInvalid, std::move(message));
  }
  if (!IsValidUtf8(text)) {
    std::string message = "help text ";
    AppendQuoted(message, text);
    return Fail(ErrorCode::kInvalid, message + " is not a valid utf8 string");
  }
  if (text.find('\\') != std::string_view::npos) {
    help_ = Unescape(text, /*quotes=*/false);
    entry_.text = help_;
  }
  cursor_.Advance();
  return entry_.kind = EntryKind::kHelp;
}

// From behind '#' and its blanks. A NUL byte ends the body where Prometheus's lexer takes it for the end: directly
// here, and anywhere in a comment without a blank behind '#'.
Result<EntryKind> TextParser::ReadComment(bool blank) {
  const size_t end = cursor_.body().find('\n', cursor_.at());
  const std::string_view rest = cursor_.body().substr(cursor_.at(), end - cursor_.at());
  const size_t nul = rest.find('\0');
  if (nul != std::string_view::npos && (!blank || nul == 0)) return entry_.kind = EntryKind::kEnd;
  entry_.text = cursor_.body().substr(cursor_.token_begin(), end - cursor_.token_begin());
  cursor_.MoveTo(end + 1);
  return entry_.kind = EntryKind::kComment;
}

Result<EntryKind> TextParser::ReadSample() {
  raw_.Clear();
  if (cursor_.peek() == '{') {
    cursor_.Advance();
    EPI_TRY(ReadLabels());
    entry_.series = cursor_.entry_text();
    return ReadSampleTail();
  }
  if (!cursor_.TakeName(/*colon=*/true)) {
    return Fail(cursor_.Unexpected("expected a valid start token", Token::kInvalid));
  }
  raw_.metric = cursor_.entry_text();
  raw_.has_metric = true;
  entry_.series = cursor_.entry_text();
  cursor_.SkipBlanks();
  if (cursor_.peek() == '{') {
    cursor_.BeginToken();
    cursor_.Advance();
    EPI_TRY(ReadLabels());
    entry_.series = cursor_.entry_text();
  }
  return ReadSampleTail();
}

Token TextParser::LexInBraces() {
  cursor_.SkipBlanks();
  cursor_.BeginToken();
  switch (cursor_.peek()) {
    case '}':
      cursor_.Advance();
      return Token::kBraceClose;
    case '=':
      cursor_.Advance();
      return Token::kEqual;
    case ',':
      cursor_.Advance();
      return Token::kComma;
    case '"':
      return cursor_.TakeQuoted(/*newlines=*/true, /*nuls=*/false) ? Token::kQuoted : Token::kInvalid;
    default:
      if (cursor_.done()) return Token::kEof;
      return cursor_.TakeName(/*colon=*/false) ? Token::kLabelName : Token::kInvalid;
  }
}

Result<void> TextParser::ReadLabels() {
  Token token = LexInBraces();
  while (token != Token::kBraceClose) {
    if (token != Token::kLabelName && token != Token::kQuoted) {
      return Fail(cursor_.Unexpected("expected label name", token));
    }
    std::string_view name = cursor_.token_text();
    const bool quoted = token == Token::kQuoted;
    if (quoted) name = name.substr(1, name.size() - 2);
    token = LexInBraces();
    // A quoted string that stands alone is the metric's name.
    if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {
      if (raw_.has_metric) return Fail(cursor_.WhileParsing("metric name already set"));
      raw_.metric = name;
      raw_.has_metric = true;
      if (token == Token::kComma) token = LexInBraces();
      continue;
    }
    if (token != Token::kEqual) return Fail(cursor_.Unexpected("expected equal", token));
    cursor_.SkipBlanks();
    cursor_.BeginToken();
    if (!cursor_.TakeQuoted(/*newlines=*/true, /*nuls=*/true)) {
      return Fail(cursor_.Unexpected("expected label value",
                                     cursor_.done() && cursor_.token_text().empty() ? Token::kEof : Token::kInvalid));
    }
    const std::string_view value = cursor_.token_text();
    if (!IsValidUtf8(value)) {
      std::string message = "invalid UTF-8 label value: ";
      AppendQuoted(message, value);
      return Fail(ErrorCode::kInvalid, std::move(message));
    }
    raw_.pairs.push_back({name, value.substr(1, value.size() - 2)});
    token = LexInBraces();
    if (token == Token::kComma) token = LexInBraces();
  }
  return {};
}

Result<EntryKind> TextParser::ReadSampleTail() {
  cursor_.SkipBlanks();
  cursor_.BeginToken();
  Token token = Token::kInvalid;
  if (cursor_.peek() == '{') {
    cursor_.Advance();
    token = Token::kBraceOpen;
  } else if (cursor_.TakeWord(/*tabs=*/true, '{')) {
    token = Token::kValue;
  }
  if (!raw_.has_metric) return Fail(cursor_.WhileParsing("metric name not set"));
  if (token != Token::kValue) return Fail(cursor_.Unexpected("expected value after metric", token));
  auto value = ParseSampleValue(cursor_.token_text());
  if (!value) return Fail(cursor_.WhileParsing(value.error().message()));
  entry_.value = *value;
  entry_.has_time = false;

  cursor_.SkipBlanks();
  cursor_.BeginToken();
  if (cursor_.peek() != '\n') {
    while (IsAsciiDigit(cursor_.peek())) cursor_.Advance();
    const std::string_view digits = cursor_.token_text();
    if (digits.empty()) return Fail(cursor_.Unexpected("expected timestamp or new record", Token::kInvalid));
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), entry_.time);
    if (parsed.ec != std::errc()) {
      std::string message = "strconv.ParseInt: parsing ";
      AppendQuoted(message, digits);
      return Fail(cursor_.WhileParsing(message + ": value out of range"));
    }
    entry_.has_time = true;
    cursor_.SkipBlanks();
    cursor_.BeginToken();
    if (cursor_.peek() != '\n') {
      const bool digit = IsAsciiDigit(cursor_.peek());
      while (IsAsciiDigit(cursor_.peek())) cursor_.Advance();
      return Fail(
          cursor_.Unexpected("expected next entry after timestamp", digit ? Token::kTimestamp : Token::kInvalid));
    }
  }
  cursor_.Advance();
  return entry_.kind = EntryKind::kSeries;
}

Labels TextParser::SampleLabels() { return ExposedLabels(Exposed().views()); }

}  // namespace epi::scrape
