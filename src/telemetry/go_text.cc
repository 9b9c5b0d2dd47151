#include "telemetry/go_text.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace epi {
namespace {

// Go's %g of a shortest number changes to the exponent form here.
constexpr int kExponentFrom = 6;
constexpr char kHex[] = "0123456789abcdef";

void AppendExponent(std::string& out, int exponent) {
  out += 'e';
  out += exponent < 0 ? '-' : '+';
  const int magnitude = std::abs(exponent);
  if (magnitude < 10) out += '0';
  out += std::to_string(magnitude);
}

// Spaces other than ' ', controls, format characters, private use and unassigned planes: what unicode.IsPrint refuses,
// as far as whole ranges go.
bool IsPrintable(int32_t rune) {
  struct Range {
    int32_t first, last;
  };
  static constexpr Range kHidden[] = {
      {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},     {0x600, 0x605},   {0x61c, 0x61c},     {0x6dd, 0x6dd},
      {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},
      {0xd800, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff}};
  for (const auto& range : kHidden)
    if (rune >= range.first && rune <= range.last) return false;
  return rune >= 0;
}

void AppendHex(std::string& out, std::string_view prefix, uint32_t value, unsigned digits) {
  out += prefix;
  for (unsigned i = digits; i-- > 0;) out += kHex[(value >> (4 * i)) & 15];
}

void AppendQuotedRune(std::string& out, int32_t rune, std::string_view bytes) {
  switch (rune) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
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
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (rune < 0) return AppendHex(out, "\\x", static_cast<unsigned char>(bytes[0]), 2);
  if (IsPrintable(rune)) {
    out += bytes;
  } else if (rune < 0x80) {
    AppendHex(out, "\\x", static_cast<uint32_t>(rune), 2);
  } else if (rune < 0x10000) {
    AppendHex(out, "\\u", static_cast<uint32_t>(rune), 4);
  } else {
    AppendHex(out, "\\U", static_cast<uint32_t>(rune), 8);
  }
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte < 0x80) {
      if (byte <= ' ' || byte == '=' || byte == '"') return true;
      text.remove_prefix(1);
      continue;
    }
    const auto decoded = DecodeRune(text);
    if (!IsPrintable(decoded.rune)) return true;
    text.remove_prefix(decoded.length);
  }
  return false;
}

}  // namespace

void AppendGoFloat(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  // d.ddde±xx: the shortest digits, from which Go's layout is made.
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  std::string_view all(text, static_cast<size_t>(end - text));
  if (all.front() == '-') {
    out += '-';
    all.remove_prefix(1);
  }
  const auto e = all.find('e');
  std::string digits(1, all[0]);
  if (e > 2) digits += all.substr(2, e - 2);
  const int exponent = std::atoi(std::string(all.substr(e + 1)).c_str());
  if (exponent < -4 || exponent >= kExponentFrom) {
    out += digits[0];
    if (digits.size() > 1) {
      out += '.';
      out.append(digits, 1);
    }
    return AppendExponent(out, exponent);
  }
  if (exponent < 0) {
    out += "0.";
    out.append(static_cast<size_t>(-exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) {
    out += digits;
    out.append(whole - digits.size(), '0');
  } else {
    out.append(digits, 0, whole);
    out += '.';
    out.append(digits, whole);
  }
}

DecodedRune DecodeRune(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const uint32_t first = at(0);
  if (first < 0x80) return {static_cast<int32_t>(first), 1};
  const unsigned length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return {};
  uint32_t rune = first & (0x7fu >> length);
  for (unsigned i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return {};
    rune = rune << 6 | (at(i) & 0x3f);
  }
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < kSmallest[length] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return {};
  return {static_cast<int32_t>(rune), length};
}

void AppendGoQuoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto decoded = DecodeRune(text);
    AppendQuotedRune(out, decoded.rune, text.substr(0, decoded.length));
    text.remove_prefix(decoded.length);
  }
  out += '"';
}

void AppendLogfmtValue(std::string& out, std::string_view text) {
  if (NeedsQuotes(text)) {
    AppendGoQuoted(out, text);
  } else {
    out += text;
  }
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto decoded = DecodeRune(text);
    const auto bytes = text.substr(0, decoded.length);
    text.remove_prefix(decoded.length);
    switch (decoded.rune) {
      case -1:
        out += "\\ufffd";
        continue;
      case '"':
        out += "\\\"";
        continue;
      case '\\':
        out += "\\\\";
        continue;
      case '\b':
        out += "\\b";
        continue;
      case '\f':
        out += "\\f";
        continue;
      case '\n':
        out += "\\n";
        continue;
      case '\r':
        out += "\\r";
        continue;
      case '\t':
        out += "\\t";
        continue;
      default:
        break;
    }
    if (decoded.rune < 0x20 || decoded.rune == 0x2028 || decoded.rune == 0x2029) {
      AppendHex(out, "\\u", static_cast<uint32_t>(decoded.rune), 4);
    } else {
      out += bytes;
    }
  }
  out += '"';
}

void AppendHtmlSafeJsonString(std::string& out, std::string_view text) {
  std::string plain;
  AppendJsonString(plain, text);
  for (const char c : plain) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
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
