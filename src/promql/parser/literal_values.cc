#include "promql/parser/literal_values.h"

#include <optional>

#include "base/utf8.h"
#include "model/duration.h"
#include "model/labels.h"
#include "model/number_format.h"

namespace epi::promql {
namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// strconv.ParseInt(text, 0, 64) for texts without a sign.
std::optional<int64_t> ParseGoInteger(std::string_view text) {
  int base = 10;
  bool digit_before = false;  // whether an underscore may stand here
  if (text.size() > 1 && text[0] == '0') {
    digit_before = true;
    if (text.size() > 2 && (text[1] == 'x' || text[1] == 'X')) {
      base = 16;
      text.remove_prefix(2);
    } else {
      base = 8;
      text.remove_prefix(1);
    }
  }
  uint64_t value = 0;
  bool any = false;
  bool last_underscore = false;
  for (const char c : text) {
    if (c == '_') {
      if (!digit_before) return std::nullopt;
      digit_before = false;
      last_underscore = true;
      continue;
    }
    const int digit = DigitValue(c);
    if (digit >= base) return std::nullopt;
    const auto wide =
        static_cast<unsigned __int128>(value) * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
    if (wide > static_cast<unsigned __int128>(INT64_MAX)) return std::nullopt;
    value = static_cast<uint64_t>(wide);
    any = true;
    digit_before = true;
    last_underscore = false;
  }
  if (!any || last_underscore) return std::nullopt;
  return static_cast<int64_t>(value);
}

// The character of a one-letter escape, or 0.
char SimpleEscape(char letter) {
  switch (letter) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
      return letter;
    default:
      return 0;
  }
}

}  // namespace

Result<double> ParseNumberToken(std::string_view text) {
  if (const auto integer = ParseGoInteger(text)) return static_cast<double>(*integer);
  return ParseGoFloatOrError(text);
}

Result<double> ParseDurationToken(std::string_view text) {
  EPI_ASSIGN(const DurationMs ms, ParseDuration(text));
  // As Go's Duration.Seconds() adds them up.
  return static_cast<double>(ms / 1000) + static_cast<double>(ms % 1000 * 1'000'000) / 1e9;
}

std::string Unquote(std::string_view quoted) {
  if (quoted.size() < 2) return {};
  const char quote = quoted.front();
  std::string_view body = quoted.substr(1, quoted.size() - 2);
  if (quote == '`' || body.find('\\') == std::string_view::npos) return std::string(body);
  std::string out;
  out.reserve(body.size());
  while (!body.empty()) {
    const char c = body.front();
    body.remove_prefix(1);
    if (c != '\\' || body.empty()) {
      out += c;
      continue;
    }
    const char letter = body.front();
    if (const char simple = SimpleEscape(letter); simple != 0) {
      out += simple;
      body.remove_prefix(1);
      continue;
    }
    const bool octal = letter >= '0' && letter <= '7';
    const size_t digits = octal ? 3 : letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    if (!octal) body.remove_prefix(1);
    uint32_t value = 0;
    for (size_t i = 0; i < digits && !body.empty(); ++i) {
      value = value * (octal ? 8 : 16) + static_cast<uint32_t>(DigitValue(body.front()));
      body.remove_prefix(1);
    }
    if (octal || letter == 'x') {
      out += static_cast<char>(value);
    } else {
      AppendUtf8(out, value);
    }
  }
  return out;
}

}  // namespace epi::promql
