// Text forms that Go's standard library fixed and that tools read: shortest numbers, quoted strings, JSON, HTML.
#pragma once

#include <string>
#include <string_view>

namespace epi {

// As strconv.AppendFloat(out, value, 'g', -1, 64): "1", "0.25", "1e+06", "NaN", "+Inf".
void AppendGoFloat(std::string& out, double value);
// As strconv.Quote. Characters that Go does not print are escaped.
void AppendGoQuoted(std::string& out, std::string_view text);
// As log/slog's text handler: quoted only where a reader needs it.
void AppendLogfmtValue(std::string& out, std::string_view text);
// As encoding/json without HTML escaping, quotes included. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);
// As encoding/json by default: such text may stand in a page.
void AppendHtmlSafeJsonString(std::string& out, std::string_view text);
// As html/template writes text into a page.
std::string EscapeHtml(std::string_view text);

// One code point from the front of `text` (not empty): its value and length; {-1, 1} for bytes that are not UTF-8.
struct DecodedRune {
  int32_t rune = -1;
  unsigned length = 1;
};
DecodedRune DecodeRune(std::string_view text);

}  // namespace epi
