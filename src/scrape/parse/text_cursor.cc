#include "scrape/parse/text_cursor.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/escaping.h"
#include "model/number_format.h"

namespace epi::scrape {
namespace {

constexpr std::array<std::string_view, 19> kTokenNames = {
    "INVALID", "EOF",   "LINEBREAK", "HELP",  "TYPE",   "UNIT",  "EOFWORD", "TEXT",      "COMMENT", "MNAME",
    "QSTRING", "BOPEN", "BCLOSE",    "LNAME", "LVALUE", "COMMA", "EQUAL",   "TIMESTAMP", "VALUE"};

enum NameClass : unsigned char { kNameStart = 1, kDigit = 2, kColon = 4 };

constexpr std::array<unsigned char, 256> MakeNameClasses() {
  std::array<unsigned char, 256> classes{};
  for (int c = 'a'; c <= 'z'; ++c) classes[c] = kNameStart;
  for (int c = 'A'; c <= 'Z'; ++c) classes[c] = kNameStart;
  for (int c = '0'; c <= '9'; ++c) classes[c] = kDigit;
  classes['_'] = kNameStart;
  classes[':'] = kColon;
  return classes;
}
constexpr auto kNameClasses = MakeNameClasses();

}  // namespace

std::string_view TokenName(Token token) { return kTokenNames[static_cast<size_t>(token)]; }

bool TextCursor::TakeName(bool colon) {
  const unsigned char first = kNameStart | (colon ? kColon : 0);
  if (done() || !(kNameClasses[static_cast<unsigned char>(body_[at_])] & first)) return false;
  const unsigned char rest = first | kDigit;
  do ++at_;
  while (at_ < body_.size() && (kNameClasses[static_cast<unsigned char>(body_[at_])] & rest));
  return true;
}

bool TextCursor::TakeQuoted(bool newlines, bool nuls) {
  if (peek() != '"') return false;
  ++at_;
  while (at_ < body_.size()) {
    const char c = body_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if ((c == '\0' && !nuls) || (c == '\n' && !newlines)) return false;
    ++at_;
    // A backslash takes any character but a newline with it.
    if (c == '\\') {
      while (nuls && at_ < body_.size() && body_[at_] == '\0') ++at_;
      if (at_ >= body_.size() || body_[at_] == '\n' || body_[at_] == '\0') return false;
      ++at_;
    }
  }
  return false;
}

bool TextCursor::TakeWord(bool tabs, char more) {
  const size_t begin = at_;
  while (at_ < body_.size()) {
    const char c = body_[at_];
    if (c == ' ' || c == '\n' || c == '\0' || (tabs && c == '\t') || (more != '\0' && c == more)) break;
    ++at_;
  }
  return at_ > begin;
}

Error TextCursor::Unexpected(std::string_view what, Token got) const {
  const size_t end = std::min(body_.size(), at_ + 1);
  const std::string_view more = newline_at_end_ && done() ? "\n" : "";
  std::string message(what);
  message += ", got ";
  AppendQuoted(message, std::string(body_.substr(token_begin_, end - token_begin_)).append(more));
  message += " (";
  AppendQuoted(message, TokenName(got));
  message += ") while parsing: ";
  AppendQuoted(message, std::string(body_.substr(entry_begin_, end - entry_begin_)).append(more));
  return Error(ErrorCode::kInvalid, std::move(message));
}

Error TextCursor::WhileParsing(std::string_view what) const {
  std::string message(what);
  message += " while parsing: ";
  AppendQuoted(message, entry_text());
  return Error(ErrorCode::kInvalid, std::move(message));
}

std::string Unescape(std::string_view text, bool quotes) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      const char next = text[i + 1];
      if (next == '\\' || next == 'n' || (quotes && next == '"')) {
        out += next == 'n' ? '\n' : next;
        ++i;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string NormalizeFloatLabel(std::string_view value) {
  bool out_of_range = false;
  const auto parsed = ParseGoFloat(value, &out_of_range);  // hexadecimal floats too, unlike sample values
  if (!parsed || out_of_range) return std::string(value);
  std::string out;
  AppendOpenMetricsValue(out, *parsed);
  return out;
}

RawLabelViews::RawLabelViews(const RawLabels& raw, const TypeContext& context, bool type_and_unit_labels) {
  owned_.reserve(3 * raw.pairs.size() + 1);  // views into it stay valid
  views_.reserve(raw.pairs.size() + 3);
  const auto plain = [this](std::string_view text) -> std::string_view {
    if (text.find('\\') == std::string_view::npos) return text;
    return owned_.emplace_back(Unescape(text, true));
  };
  views_.push_back({kMetricName, plain(raw.metric)});
  if (type_and_unit_labels) {
    if (context.type != MetricType::kUnknown) views_.push_back({"__type__", MetricTypeName(context.type)});
    if (!context.unit.empty()) views_.push_back({"__unit__", context.unit});
  }
  for (const auto& pair : raw.pairs) {
    const std::string_view name = plain(pair.name);
    if (type_and_unit_labels && (name == kMetricName || name == "__type__" || name == "__unit__")) continue;
    std::string_view value = plain(pair.value);
    if ((name == kBucketLabel && context.type == MetricType::kHistogram) ||
        (name == kQuantileLabel && context.type == MetricType::kSummary)) {
      value = owned_.emplace_back(NormalizeFloatLabel(value));
    }
    views_.push_back({name, value});
  }
}

Labels BuildExemplarLabels(const std::vector<RawLabels::Pair>& pairs) {
  std::vector<LabelView> views;
  std::vector<std::string> owned;
  owned.reserve(2 * pairs.size());
  const auto plain = [&owned](std::string_view text) -> std::string_view {
    if (text.find('\\') == std::string_view::npos) return text;
    return owned.emplace_back(Unescape(text, true));
  };
  for (const auto& pair : pairs) views.push_back({plain(pair.name), plain(pair.value)});
  return Labels::FromPairs(std::move(views));
}

Result<double> ParseSampleValue(std::string_view text) {
  if (text.find_first_of("pP_") != std::string_view::npos) {
    return Fail(ErrorCode::kInvalid, "unsupported character in float");
  }
  EPI_ASSIGN(const double value, ParseGoFloatOrError(text));
  return std::isnan(value) ? NormalNaN() : value;
}

}  // namespace epi::scrape
