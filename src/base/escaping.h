// Text inside other notations: Go's quoted strings, JSON strings, HTML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace epi {

// Go's strconv.Quote of bytes, as Prometheus prints label values and names in messages: bytes that are not UTF-8 as
// \xff, characters that Go does not print as \u00ad.
void AppendQuoted(std::string& out, std::string_view text);
std::string Quoted(std::string_view text);

// Which characters of a JSON string are escaped beside quote, backslash and controls, as the Go library of that name.
enum class JsonStyle : uint8_t {
  kIterator,      // json-iterator: nothing, not even what is not UTF-8
  kIteratorHtml,  // json-iterator for HTML: <, >, &, U+2028 and U+2029; what is not UTF-8 is \ufffd
  kEncoding,      // encoding/json without HTML: the same but <, > and &; \b and \f have their short forms
  kEncodingHtml,  // encoding/json by default
};
// Appends `text` with the quotes around it.
void AppendJsonString(std::string& out, std::string_view text, JsonStyle style);

// As html/template writes text into a page.
std::string EscapeHtml(std::string_view text);

}  // namespace epi
