#include "base/escaping.h"

#include <algorithm>
#include <array>

#include "base/printable.h"
#include "base/utf8.h"

namespace epi {
namespace {

void AppendHex(std::string& out, std::string_view prefix, uint32_t value, int digits) {
  out += prefix;
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[(value >> shift) & 0xf];
}

// What stops the copying of a JSON string.
enum Stop : uint8_t { kNever, kAlways, kInHtml, kUnlessIterator };

constexpr std::array<Stop, 256> MakeStops() {
  std::array<Stop, 256> stops{};
  for (size_t i = 0; i < 0x20; ++i) stops[i] = kAlways;
  stops['"'] = stops['\\'] = kAlways;
  stops['<'] = stops['>'] = stops['&'] = kInHtml;
  for (size_t i = 0x80; i < 256; ++i) stops[i] = kUnlessIterator;  // may be no UTF-8, or U+2028
  return stops;
}
constexpr auto kStops = MakeStops();

bool Stops(unsigned char byte, JsonStyle style) {
  switch (kStops[byte]) {
    case kNever:
      return false;
    case kAlways:
      return true;
    case kInHtml:
      return style == JsonStyle::kIteratorHtml || style == JsonStyle::kEncodingHtml;
    case kUnlessIterator:
      return style != JsonStyle::kIterator;
  }
  return true;
}

void AppendJsonEscape(std::string& out, unsigned char byte, JsonStyle style) {
  const bool encoding = style == JsonStyle::kEncoding || style == JsonStyle::kEncodingHtml;
  const std::string_view shorts = encoding ? "\"\\\n\r\t\b\f" : "\"\\\n\r\t";
  if (const auto at = shorts.find(static_cast<char>(byte)); at != std::string_view::npos) {
    out += '\\';
    out += "\"\\nrtbf"[at];
  } else {
    AppendHex(out, "\\u", byte, 4);
  }
}

}  // namespace

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    uint32_t rune = 0;
    const size_t length = DecodeUtf8(text, rune);
    if (length == 0) {
      AppendHex(out, "\\x", static_cast<uint8_t>(c), 2);
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (IsPrintable(rune)) {
      out += text.substr(0, length);
    } else if (const auto at = std::string_view("\a\b\f\n\r\t\v").find(c); at != std::string_view::npos) {
      out += '\\';
      out += "abfnrtv"[at];
    } else if (rune < 0x20 || rune == 0x7f) {
      AppendHex(out, "\\x", rune, 2);
    } else if (rune < 0x10000) {
      AppendHex(out, "\\u", rune, 4);
    } else {
      AppendHex(out, "\\U", rune, 8);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

std::string Quoted(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

void AppendJsonString(std::string& out, std::string_view text, JsonStyle style) {
  out += '"';
  size_t from = 0, i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!Stops(byte, style)) {
      ++i;
      continue;
    }
    size_t length = 1;
    uint32_t rune = byte;
    if (byte >= 0x80) {
      length = DecodeUtf8(text.substr(i), rune);
      if (length != 0 && rune != 0x2028 && rune != 0x2029) {
        i += length;
        continue;
      }
    }
    out.append(text, from, i - from);
    if (byte >= 0x80) {
      AppendHex(out, "\\u", length == 0 ? kReplacementRune : rune, 4);
    } else {
      AppendJsonEscape(out, byte, style);
    }
    i += std::max<size_t>(length, 1);
    from = i;
  }
  out.append(text, from);
  out += '"';
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\0':
        out += "\xef\xbf\xbd";
        break;
      default:
        out += c;
        break;
    }
  }
  return out;
}

}  // namespace epi
