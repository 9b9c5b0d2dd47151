#include "remote/otlp/any_value.h"

#include <cmath>

#include "model/number_format.h"
#include "model/utf8.h"
#include "net/base64.h"

namespace epi::remote::otlp {
namespace {

void AppendEscape(std::string& out, uint32_t code) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[(code >> shift) & 0xf];
}

void AppendJsonRune(std::string& out, uint32_t rune, std::string_view bytes) {
  switch (rune) {
    case '"':
    case '\\':
      out += '\\';
      out += static_cast<char>(rune);
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '<':
    case '>':
    case '&':
    case 0x2028:
    case 0x2029:
      AppendEscape(out, rune);
      return;
    default:
      if (rune < 0x20) {
        AppendEscape(out, rune);
      } else {
        out += bytes;
      }
  }
}

}  // namespace

std::string DoubleText(double value) {
  if (!std::isfinite(value)) return "json: unsupported value: " + FormatFloatGeneral(value);
  std::string out;
  AppendJsonNumber(out, value);
  return out;
}

std::string BytesText(std::string_view bytes) { return net::Base64Encode(bytes); }

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    uint32_t rune = 0;
    const size_t length = DecodeUtf8(text, rune);
    if (length == 0) {
      AppendEscape(out, kReplacementRune);
    } else {
      AppendJsonRune(out, rune, text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out += '"';
}

std::string CompositeText::List() const {
  std::string out = "[";
  for (const auto& element : elements_) {
    if (out.size() > 1) out += ',';
    out += element;
  }
  return out + "]";
}

std::string CompositeText::Map() const {
  std::string out = "{";
  for (const auto& [key, json] : members_) {
    if (out.size() > 1) out += ',';
    AppendJsonString(out, key);
    out += ':';
    out += json;
  }
  return out + "}";
}

ValueText StringValue(std::string_view value) {
  ValueText out{std::string(value), {}, false};
  AppendJsonString(out.json, value);
  return out;
}
ValueText BoolValue(bool value) { return {std::string(BoolText(value)), std::string(BoolText(value)), false}; }
ValueText IntValue(int64_t value) { return {std::to_string(value), std::to_string(value), false}; }
ValueText DoubleValue(double value) {
  std::string text = DoubleText(value);
  return {text, text, !std::isfinite(value)};
}
ValueText BytesValue(std::string_view value) {
  std::string text = BytesText(value);
  return {text, '"' + text + '"', false};
}
ValueText ListValue(const CompositeText& value) {
  if (value.poisoned()) return {"", "null", true};
  std::string text = value.List();
  return {text, text, false};
}
ValueText MapValue(const CompositeText& value) {
  if (value.poisoned()) return {"", "null", true};
  std::string text = value.Map();
  return {text, text, false};
}

}  // namespace epi::remote::otlp
