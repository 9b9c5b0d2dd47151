#include "rules/template/go_scalar_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/escaping.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "model/labels.h"
#include "model/number_format.h"
#include "rules/template/go_float.h"

namespace epi::rules {
namespace {

constexpr uint32_t kByteOrderMark = 0xFEFF;

size_t NextRune(std::string_view text, uint32_t& rune) { return std::max<size_t>(1, DecodeUtf8(text, rune)); }

size_t RuneCount(std::string_view text) {
  size_t count = 0;
  for (uint32_t rune = 0; !text.empty(); ++count) text.remove_prefix(NextRune(text, rune));
  return count;
}

std::string_view FirstRunes(std::string_view text, size_t count) {
  size_t end = 0;
  for (uint32_t rune = 0; count > 0 && end < text.size(); --count) end += NextRune(text.substr(end), rune);
  return text.substr(0, end);
}

// A quoted text with all beyond ASCII escaped.
std::string AsciiOnly(std::string_view quoted) {
  std::string out;
  while (!quoted.empty()) {
    uint32_t rune = 0;
    const size_t size = NextRune(quoted, rune);
    if (rune < 0x80) {
      out += quoted.substr(0, size);
    } else {
      char code[16];
      std::snprintf(code, sizeof code, rune > 0xffff ? "\\U%08x" : "\\u%04x", rune);
      out += code;
    }
    quoted.remove_prefix(size);
  }
  return out;
}

// Whether the text can stand between backquotes.
bool FitsBackquotes(std::string_view text) {
  while (!text.empty()) {
    uint32_t rune = 0;
    const size_t size = DecodeUtf8(text, rune);
    if (size == 0 || rune == '`' || rune == 0x7f || rune == kByteOrderMark || (rune < ' ' && rune != '\t')) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

char ToUpperAscii(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
void ToUpperAscii(std::string& text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return ToUpperAscii(c); });
}

void WriteSpacePadded(std::string& out, std::string_view text, FormatFlags flags) {
  flags.zero = false;
  WritePadded(out, text, flags);
}

void WriteHex(std::string& out, std::string_view text, bool upper, const FormatFlags& flags) {
  if (flags.precision >= 0) text = text.substr(0, static_cast<size_t>(flags.precision));
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  const std::string_view prefix = !flags.sharp ? "" : upper ? "0X" : "0x";
  std::string hex;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (flags.space && i > 0) hex += ' ';
    if (flags.space || i == 0) hex += prefix;
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  WritePadded(out, hex, flags);
}

void WriteQuoted(std::string& out, std::string_view text, const FormatFlags& flags) {
  if (flags.sharp && FitsBackquotes(text)) return WritePadded(out, "`" + std::string(text) + "`", flags);
  std::string quoted;
  AppendQuoted(quoted, text);
  WritePadded(out, flags.plus ? AsciiOnly(quoted) : quoted, flags);
}

struct IntegerForm {
  int base = 0;
  std::string_view sharp_prefix;
  std::string_view prefix;
  bool upper = false;
};
// Base 0: a verb that does not print digits.
IntegerForm FormOf(FormatVerb verb) {
  switch (verb) {
    case 'd':
    case 'v':
      return {10, "", "", false};
    case 'b':
      return {2, "0b", "", false};
    case 'o':
      return {8, "0", "", false};
    case 'O':
      return {8, "0", "0o", false};
    case 'x':
      return {16, "0x", "", false};
    case 'X':
      return {16, "0X", "", true};
    default:
      return {};
  }
}

void WriteDigits(std::string& out, const FormattedInteger& value, const IntegerForm& form, const FormatFlags& flags) {
  if (flags.precision == 0 && value.magnitude == 0) return WriteSpacePadded(out, "", flags);
  char text[72];
  std::string digits(text, std::to_chars(text, text + sizeof text, value.magnitude, form.base).ptr);
  if (form.upper) ToUpperAscii(digits);
  const std::string_view sign = value.negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  int places = flags.precision;
  if (places < 0 && flags.zero && !flags.minus) places = flags.width - static_cast<int>(sign.size());
  if (places > static_cast<int>(digits.size())) digits.insert(0, static_cast<size_t>(places) - digits.size(), '0');
  // An octal number that begins with a zero needs no prefix to be one.
  const bool prefixed = flags.sharp && (form.base != 8 || digits.front() != '0');
  const std::string_view sharp_prefix = prefixed ? form.sharp_prefix : "";
  WriteSpacePadded(out, std::string(sign).append(form.prefix).append(sharp_prefix).append(digits), flags);
}

// Numbers that are no runes stand for the replacement rune.
void WriteRune(std::string& out, uint64_t number, FormatVerb verb, const FormatFlags& flags) {
  const bool valid = number <= 0x10ffff && IsValidRune(static_cast<uint32_t>(number));
  const uint32_t rune = valid ? static_cast<uint32_t>(number) : kReplacementRune;
  std::string text;
  AppendUtf8(text, rune);
  if (verb == 'c') return WritePadded(out, text, flags);
  if (rune == '\'' || rune == '"') {
    text = rune == '"' ? "'\"'" : "'\\''";
  } else {
    std::string quoted;
    AppendQuoted(quoted, text);
    text = "'" + quoted.substr(1, quoted.size() - 2) + "'";
  }
  WritePadded(out, flags.plus ? AsciiOnly(text) : text, flags);
}

void WriteCodePoint(std::string& out, uint64_t number, const FormatFlags& flags) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%04llX", static_cast<unsigned long long>(number));
  std::string text = digits;
  if (flags.precision > static_cast<int>(text.size())) {
    text.insert(0, static_cast<size_t>(flags.precision) - text.size(), '0');
  }
  text.insert(0, "U+");
  if (flags.sharp && number <= 0x10ffff && IsPrintable(static_cast<uint32_t>(number))) {
    text += " '";
    AppendUtf8(text, static_cast<uint32_t>(number));
    text += '\'';
  }
  WriteSpacePadded(out, text, flags);
}

// The number with its sign if that is a minus, or if the number is infinite. Empty for a verb that is none of floats.
std::string FloatText(double v, FormatVerb verb, int precision) {
  std::string text;
  switch (verb) {
    case 'v':
    case 'g':
    case 'G':
      text = precision < 0 ? FormatFloatGeneral(v) : FormatFloatPrecision(v, 'g', precision);
      break;
    case 'e':
    case 'E':
      text = FormatFloatPrecision(v, 'e', precision < 0 ? 6 : precision);
      break;
    case 'f':
    case 'F':
      return FormatFloatPrecision(v, 'f', precision < 0 ? 6 : precision);
    case 'b':
      return BinaryFloat(v);
    case 'x':
    case 'X':
      text = HexFloat(v, precision);
      if (verb == 'X' && std::isfinite(v)) ToUpperAscii(text);
      break;
    default:
      break;
  }
  if (verb == 'G' || verb == 'E') std::replace(text.begin(), text.end(), 'e', 'E');
  return text;
}

// The sharp flag: a point, and the zeros behind it that would be left out. `text` has no sign.
void KeepPointAndZeros(std::string& text, FormatVerb verb, int precision) {
  const bool hex = verb == 'x' || verb == 'X';
  const size_t tail = std::min(text.size(), text.find_first_of(hex ? "pP" : "eE"));
  const std::string_view number = std::string_view(text).substr(0, tail);
  int missing = 0;  // digits
  if (verb == 'v' || verb == 'g' || verb == 'G' || verb == 'x') missing = precision < 0 ? 6 : precision;
  const bool pointed = number.find('.') != std::string_view::npos;
  const size_t first = number.find_first_not_of("0.");
  if (first != std::string_view::npos) {
    const std::string_view significant = number.substr(first);
    missing -= static_cast<int>(significant.size() - (significant.find('.') != std::string_view::npos ? 1 : 0));
  } else if (number == "0") {
    --missing;
  }
  text.insert(tail, (pointed ? "" : ".") + std::string(static_cast<size_t>(std::max(missing, 0)), '0'));
}

}  // namespace

void WritePadded(std::string& out, std::string_view text, const FormatFlags& flags) {
  const size_t count = flags.width > 0 ? RuneCount(text) : 0;
  const size_t fill =
      static_cast<size_t>(std::max(flags.width, 0)) > count ? static_cast<size_t>(flags.width) - count : 0;
  if (!flags.minus) out.append(fill, flags.zero ? '0' : ' ');
  out += text;
  if (flags.minus) out.append(fill, ' ');
}

bool WriteBool(std::string& out, bool value, FormatVerb verb, const FormatFlags& flags) {
  if (verb != 't' && verb != 'v') return false;
  WritePadded(out, value ? "true" : "false", flags);
  return true;
}

bool WriteInteger(std::string& out, const FormattedInteger& value, FormatVerb verb, const FormatFlags& flags) {
  const uint64_t number = value.negative ? ~value.magnitude + 1 : value.magnitude;  // as 64 bits
  if (verb == 'c' || verb == 'q') {
    WriteRune(out, number, verb, flags);
    return true;
  }
  if (verb == 'U') {
    WriteCodePoint(out, number, flags);
    return true;
  }
  IntegerForm form = FormOf(verb);
  if (form.base == 0) return false;
  if (verb == 'v' && flags.go_syntax && !value.is_signed) form = {16, "", "0x", false};
  WriteDigits(out, value, form, flags);
  return true;
}

bool WriteFloat(std::string& out, double value, FormatVerb verb, const FormatFlags& flags) {
  std::string text = FloatText(value, verb, flags.precision);
  if (text.empty()) return false;
  std::string sign;
  if (text.front() == '-' || text.front() == '+') {
    sign = text.substr(0, 1);
    text.erase(0, 1);
  }
  if (sign != "-") sign = flags.plus || (std::isinf(value) && !flags.space) ? "+" : flags.space ? " " : "";
  if (!std::isfinite(value)) {
    WriteSpacePadded(out, sign + text, flags);
    return true;
  }
  if (flags.sharp && verb != 'b') KeepPointAndZeros(text, verb, flags.precision);
  if (flags.zero && !flags.minus && flags.width > static_cast<int>(sign.size() + text.size())) {
    text.insert(0, static_cast<size_t>(flags.width) - sign.size() - text.size(), '0');
  }
  WriteSpacePadded(out, sign + text, flags);
  return true;
}

bool WriteComplex(std::string& out, double real, double imaginary, FormatVerb verb, const FormatFlags& flags) {
  std::string text = "(";
  if (!WriteFloat(text, real, verb, flags)) return false;
  FormatFlags signed_flags = flags;
  signed_flags.plus = true;
  WriteFloat(text, imaginary, verb, signed_flags);
  out += text + "i)";
  return true;
}

bool WriteText(std::string& out, std::string_view text, FormatVerb verb, const FormatFlags& flags) {
  if (verb == 'x' || verb == 'X') {
    WriteHex(out, text, verb == 'X', flags);
    return true;
  }
  if (verb != 's' && verb != 'q' && verb != 'v') return false;
  if (flags.precision >= 0) text = FirstRunes(text, static_cast<size_t>(flags.precision));
  if (verb == 'q' || (verb == 'v' && flags.go_syntax)) {
    WriteQuoted(out, text, flags);
  } else {
    WritePadded(out, text, flags);
  }
  return true;
}

}  // namespace epi::rules
