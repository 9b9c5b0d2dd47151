#include "scrape/parse/openmetrics_parser.h"

#include <cmath>
#include <utility>

#include "base/escaping.h"
#include "base/utf8.h"
#include "model/number_format.h"

namespace epi::scrape {
namespace {

struct OpenMetricsType {
  std::string_view word;
  MetricType type;
};
constexpr OpenMetricsType kOpenMetricsTypes[] = {
    {"counter", MetricType::kCounter},     {"gauge", MetricType::kGauge},
    {"histogram", MetricType::kHistogram}, {"gaugehistogram", MetricType::kGaugeHistogram},
    {"summary", MetricType::kSummary},     {"info", MetricType::kInfo},
    {"stateset", MetricType::kStateset},   {"unknown", MetricType::kUnknown},
};

constexpr std::string_view kCreatedSuffix = "_created";

Error NoEof() { return Error(ErrorCode::kInvalid, "data does not end with # EOF"); }

bool HasStartTime(MetricType type) {
  return type == MetricType::kCounter || type == MetricType::kSummary || type == MetricType::kHistogram;
}

// int64(seconds * 1000), as Go converts.
TimestampMs SecondsToMs(double seconds) {
  const double ms = seconds * 1000;
  if (!(ms > -9.2e18 && ms < 9.2e18)) return std::numeric_limits<TimestampMs>::min();
  return static_cast<TimestampMs>(ms);
}

Labels CreatedIdentityOf(const Labels& labels) {
  return labels.Without(kMetricName).Without(kBucketLabel).Without(kQuantileLabel);
}

// A value: one space and a word.
Token LexValue(TextCursor& cursor, bool brace_allowed) {
  if (cursor.done()) return Token::kEof;
  cursor.BeginToken();
  if (brace_allowed && cursor.peek() == '{') {
    cursor.Advance();
    return Token::kBraceOpen;
  }
  if (cursor.peek() != ' ') return Token::kInvalid;
  cursor.Advance();
  return cursor.TakeWord(/*tabs=*/false) ? Token::kValue : Token::kInvalid;
}

}  // namespace

OpenMetricsParser::OpenMetricsParser(std::string_view body, ParserOptions options) : cursor_(body), options_(options) {}

Result<EntryKind> OpenMetricsParser::Next() {
  while (true) {
    EPI_ASSIGN(const EntryKind kind, NextLine());
    if (kind == EntryKind::kSeries && options_.skip_created_series && IsCreatedLine()) continue;
    return kind;
  }
}

Result<EntryKind> OpenMetricsParser::NextLine() {
  has_exemplar_ = false;
  cursor_.BeginEntry();
  if (cursor_.done()) return Fail(NoEof());
  if (std::exchange(stray_, false)) {
    return Fail(cursor_.Unexpected("expected a valid start token", LexAfterValue(/*exemplar_allowed=*/true)));
  }
  cursor_.BeginToken();
  if (cursor_.peek() == '#') return ReadHash();
  return ReadSample();
}

Result<EntryKind> OpenMetricsParser::ReadHash() {
  cursor_.Advance();
  const auto invalid = [this] { return Fail(cursor_.Unexpected("expected a valid start token", Token::kInvalid)); };
  if (cursor_.peek() != ' ') return invalid();
  cursor_.Advance();
  static constexpr std::pair<std::string_view, Token> kKeywords[] = {
      {"HELP ", Token::kHelp}, {"TYPE ", Token::kType}, {"UNIT ", Token::kUnit}, {"EOF", Token::kEofWord}};
  for (const auto& [word, keyword] : kKeywords) {
    if (cursor_.peek() != word[0]) continue;
    for (const char c : word) {
      if (cursor_.peek() != c) return invalid();
      cursor_.Advance();
    }
    if (keyword != Token::kEofWord) return ReadMetadata(keyword);
    if (cursor_.peek() == '\n') cursor_.Advance();
    if (!cursor_.done()) return Fail(ErrorCode::kInvalid, "unexpected data after # EOF");
    return entry_.kind = EntryKind::kEnd;
  }
  return invalid();
}

Result<EntryKind> OpenMetricsParser::ReadMetadata(Token keyword) {
  const bool at_end = cursor_.done();
  if (!at_end) cursor_.BeginToken();
  bool quoted = false;
  bool named = false;
  if (cursor_.peek() == '"') {
    named = quoted = cursor_.TakeQuoted(/*newlines=*/true, /*nuls=*/false);
  } else {
    named = cursor_.TakeName(/*colon=*/true);
  }
  if (!named) {
    return Fail(cursor_.Unexpected("expected metric name after " + std::string(TokenName(keyword)),
                                   at_end ? Token::kEof : Token::kInvalid));
  }
  std::string_view family = cursor_.token_text();
  if (quoted) family = family.substr(1, family.size() - 2);
  const size_t end = cursor_.body().find('\n', cursor_.at());
  if (cursor_.peek() != ' ' || end == std::string_view::npos) {
    return Fail(ErrorCode::kInvalid, "expected text in " + std::string(TokenName(keyword)));
  }
  if (family != family_) unit_.clear();
  entry_.family = family_ = family;
  entry_.text = cursor_.body().substr(cursor_.at() + 1, end - cursor_.at() - 1);
  cursor_.MoveTo(end + 1);
  return FinishMetadata(keyword);
}

Result<EntryKind> OpenMetricsParser::FinishMetadata(Token keyword) {
  const std::string_view text = entry_.text;
  if (keyword == Token::kType) {
    for (const auto& [word, type] : kOpenMetricsTypes) {
      if (text != word) continue;
      entry_.type = type_ = type;
      return entry_.kind = EntryKind::kType;
    }
    std::string message = "invalid metric type ";
    AppendQuoted(message, text);
    return Fail(ErrorCode::kInvalid, std::move(message));
  }
  if (keyword == Token::kHelp) {
    if (!IsValidUtf8(text)) {
      std::string message = "help text ";
      AppendQuoted(message, text);
      return Fail(ErrorCode::kInvalid, message + " is not a valid utf8 string");
    }
    if (text.find('\\') != std::string_view::npos) {
      help_ = Unescape(text, /*quotes=*/true);
      entry_.text = help_;
    }
    return entry_.kind = EntryKind::kHelp;
  }
  const std::string_view family = entry_.family;
  const bool suffix =
      family.size() > text.size() && family.ends_with(text) && family[family.size() - text.size() - 1] == '_';
  if (!text.empty() && !suffix) {
    std::string message = "unit ";
    AppendQuoted(message, text);
    message += " not a suffix of metric ";
    AppendQuoted(message, family);
    return Fail(ErrorCode::kInvalid, std::move(message));
  }
  unit_.assign(text);
  return entry_.kind = EntryKind::kUnit;
}

Result<EntryKind> OpenMetricsParser::ReadSample() {
  raw_.Clear();
  if (cursor_.peek() == '{') {
    cursor_.Advance();
    EPI_TRY(ReadLabels(/*exemplar=*/false));
    entry_.series = cursor_.entry_text();
    return ReadSampleTail();
  }
  if (!cursor_.TakeName(/*colon=*/true)) {
    return Fail(cursor_.Unexpected("expected a valid start token", Token::kInvalid));
  }
  raw_.metric = cursor_.token_text();
  raw_.has_metric = true;
  if (cursor_.peek() == '{') {
    cursor_.BeginToken();
    cursor_.Advance();
    EPI_TRY(ReadLabels(/*exemplar=*/false));
  }
  entry_.series = cursor_.entry_text();
  return ReadSampleTail();
}

Token OpenMetricsParser::LexInBraces(bool exemplar) {
  if (cursor_.done()) return Token::kEof;
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
      return cursor_.TakeQuoted(/*newlines=*/!exemplar, /*nuls=*/false) ? Token::kQuoted : Token::kInvalid;
    default:
      return cursor_.TakeName(/*colon=*/false) ? Token::kLabelName : Token::kInvalid;
  }
}

Result<void> OpenMetricsParser::ReadLabels(bool exemplar) {
  auto& pairs = exemplar ? exemplar_labels_ : raw_.pairs;
  Token token = LexInBraces(exemplar);
  while (token != Token::kBraceClose) {
    if (token != Token::kLabelName && token != Token::kQuoted) {
      return Fail(cursor_.Unexpected("expected label name", token));
    }
    std::string_view name = cursor_.token_text();
    const bool quoted = token == Token::kQuoted;
    if (quoted) name = name.substr(1, name.size() - 2);
    token = LexInBraces(exemplar);
    if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {
      if (exemplar) return Fail(cursor_.Unexpected("expected label name", token));
      if (raw_.has_metric) return Fail(cursor_.WhileParsing("metric name already set"));
      raw_.metric = name;
      raw_.has_metric = true;
      if (token == Token::kComma) token = LexInBraces(exemplar);
      continue;
    }
    if (token != Token::kEqual) return Fail(cursor_.Unexpected("expected equal", token));
    const bool at_end = cursor_.done();
    if (!at_end) cursor_.BeginToken();
    if (!cursor_.TakeQuoted(/*newlines=*/false, /*nuls=*/!exemplar)) {
      Token got = at_end ? Token::kEof : Token::kInvalid;
      // Values of exemplars and their labels are read alike, which shows in what was found instead.
      if (exemplar && cursor_.token_text().empty()) got = LexValue(cursor_, /*brace_allowed=*/false);
      return Fail(cursor_.Unexpected("expected label value", got));
    }
    const std::string_view value = cursor_.token_text();
    if (!IsValidUtf8(value)) {
      std::string message = "invalid UTF-8 label value: ";
      AppendQuoted(message, value);
      return Fail(ErrorCode::kInvalid, std::move(message));
    }
    pairs.push_back({name, value.substr(1, value.size() - 2)});
    token = LexInBraces(exemplar);
    if (token == Token::kComma) {
      token = LexInBraces(exemplar);
    } else if (token != Token::kBraceClose) {
      return Fail(cursor_.Unexpected("expected comma or brace close", token));
    }
  }
  return {};
}

// The value behind `after`; `other` is the token found in its place, when one was.
Result<double> OpenMetricsParser::ReadValue(std::string_view after, Token other) {
  if (other != Token::kValue) {
    return Fail(cursor_.Unexpected("expected value after " + std::string(after), other));
  }
  auto value = ParseSampleValue(cursor_.token_text().substr(1));
  if (!value) return Fail(cursor_.WhileParsing(value.error().message()));
  return value;
}

Result<TimestampMs> OpenMetricsParser::ReadTime(std::string_view invalid) {
  auto seconds = ParseSampleValue(cursor_.token_text().substr(1));
  if (!seconds) return Fail(cursor_.WhileParsing(seconds.error().message()));
  if (!std::isfinite(*seconds)) {
    const char* text = std::isnan(*seconds) ? "NaN" : *seconds > 0 ? "+Inf" : "-Inf";
    return Fail(ErrorCode::kInvalid, std::string(invalid) + " " + text);
  }
  return SecondsToMs(*seconds);
}

Token OpenMetricsParser::LexAfterValue(bool exemplar_allowed) {
  if (cursor_.done()) return Token::kEof;
  cursor_.BeginToken();
  if (cursor_.peek() == '\n') {
    cursor_.Advance();
    return Token::kLinebreak;
  }
  if (cursor_.peek() != ' ') return Token::kInvalid;
  cursor_.Advance();
  if (exemplar_allowed && cursor_.body().substr(cursor_.at()).starts_with("# ")) {
    cursor_.Advance();
    cursor_.Advance();
    if (cursor_.peek() != '{') return Token::kInvalid;
    cursor_.Advance();
    return Token::kComment;
  }
  return cursor_.TakeWord(/*tabs=*/false) ? Token::kTimestamp : Token::kInvalid;
}

Result<EntryKind> OpenMetricsParser::ReadSampleTail() {
  const Token token = LexValue(cursor_, /*brace_allowed=*/true);
  if (!raw_.has_metric) return Fail(cursor_.WhileParsing("metric name not set"));
  EPI_ASSIGN(entry_.value, ReadValue("metric", token));
  entry_.has_time = false;
  Token after = LexAfterValue(/*exemplar_allowed=*/true);
  const bool timed = after == Token::kTimestamp;
  if (timed) {
    EPI_ASSIGN(entry_.time, ReadTime("invalid timestamp"));
    entry_.has_time = true;
    after = LexAfterValue(/*exemplar_allowed=*/true);
  }
  switch (after) {
    case Token::kLinebreak:
      break;
    case Token::kComment:
      EPI_TRY(ReadExemplar());
      break;
    case Token::kEof:
      if (!timed) return Fail(NoEof());
      [[fallthrough]];
    default:
      if (timed) return Fail(cursor_.Unexpected("expected next entry after timestamp", after));
      // Prometheus takes the sample and stumbles over the rest of the line as the next entry.
      stray_ = true;
  }
  return entry_.kind = EntryKind::kSeries;
}

Result<void> OpenMetricsParser::ReadExemplar() {
  exemplar_labels_.clear();
  EPI_TRY(ReadLabels(/*exemplar=*/true));
  EPI_ASSIGN(exemplar_.value, ReadValue("exemplar labels", LexValue(cursor_, /*brace_allowed=*/false)));
  exemplar_.has_time = false;
  exemplar_.time = 0;
  has_exemplar_ = true;
  Token after = LexAfterValue(/*exemplar_allowed=*/false);
  if (after == Token::kTimestamp) {
    EPI_ASSIGN(exemplar_.time, ReadTime("invalid exemplar timestamp"));
    exemplar_.has_time = true;
    after = LexAfterValue(/*exemplar_allowed=*/false);
    if (after == Token::kLinebreak) return {};
    return Fail(cursor_.Unexpected("expected next entry after exemplar timestamp", after));
  }
  if (after == Token::kLinebreak) return {};
  if (after == Token::kEof) return Fail(NoEof());
  return Fail(cursor_.Unexpected("expected timestamp or comment", after));
}

Labels OpenMetricsParser::SampleLabels() { return ExposedLabels(Exposed().views()); }

bool OpenMetricsParser::NextExemplar(Exemplar& exemplar) {
  if (!has_exemplar_) return false;
  has_exemplar_ = false;
  exemplar = exemplar_;
  exemplar.labels = BuildExemplarLabels(exemplar_labels_);
  return true;
}

bool OpenMetricsParser::IsCreatedLine() const { return HasStartTime(type_) && raw_.metric.ends_with(kCreatedSuffix); }

void OpenMetricsParser::FindCreated() {
  if (cursor_.at() < created_.searched_until) return;
  created_.found = false;
  // A second parser looks ahead, so that this one's state stays as it is.
  OpenMetricsParser ahead(cursor_.body(), ParserOptions{});
  ahead.MoveTo(cursor_.at());
  ahead.type_ = type_;
  while (true) {
    const auto kind = ahead.NextLine();
    created_.searched_until = ahead.position();
    if (!kind || *kind != EntryKind::kSeries) return;
    if (ahead.raw_.metric.ends_with(kCreatedSuffix)) break;
  }
  const Labels labels = ahead.SampleLabels();
  created_.found = labels.MetricName() == std::string(family_).append(kCreatedSuffix);
  created_.labels = CreatedIdentityOf(labels);
  created_.time = SecondsToMs(ahead.entry_.value);
}

TimestampMs OpenMetricsParser::StartTime() {
  if (!HasStartTime(type_) || entry_.kind != EntryKind::kSeries) return 0;
  FindCreated();
  if (!created_.found) return 0;
  // Lines of created times are compared as they are written, without the labels of type and unit.
  const Labels labels = ExposedLabels(RawLabelViews(raw_, {type_, unit_}, /*type_and_unit_labels=*/false).views());
  return labels.MetricName().starts_with(family_) && CreatedIdentityOf(labels) == created_.labels ? created_.time : 0;
}

}  // namespace epi::scrape
