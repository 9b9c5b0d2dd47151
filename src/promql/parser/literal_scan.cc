#include "promql/parser/literal_scan.h"

#include "base/printable.h"

namespace epi::promql {
namespace {

constexpr std::string_view kDecimalDigits = "0123456789";
constexpr std::string_view kHexadecimalDigits = "0123456789abcdefABCDEF";

bool IsIn(std::string_view ascii, int32_t c) {
  return c >= 0 && c < 0x80 && ascii.find(static_cast<char>(c)) != std::string_view::npos;
}

// An underscore, and an exponent with its sign, want something behind them that is not another of their kind.
bool GoesOn(CharacterCursor& in) { return !in.TakeIf("._eE") && in.Peek() != kEndOfInput; }

// The digit's value; `base` or more when it is none.
uint32_t DigitIn(int32_t c, uint32_t base) {
  if (!IsIn(kHexadecimalDigits, c)) return base;
  if (IsDigit(c)) return static_cast<uint32_t>(c - '0');
  return static_cast<uint32_t>((c | 0x20) - 'a' + 10);
}

// An escape sequence that gives a number.
struct NumericEscape {
  int digits = 0;
  uint32_t base = 16;
  uint64_t largest = 0x10ffff;
};

std::optional<NumericEscape> NumericEscapeOf(int32_t letter) {
  switch (letter) {
    case 'x':
      return NumericEscape{.digits = 2, .largest = 0xff};
    case 'u':
      return NumericEscape{.digits = 4};
    case 'U':
      return NumericEscape{.digits = 8};
    default:
      return std::nullopt;
  }
}

std::optional<std::string> ScanDigits(CharacterCursor& in, const NumericEscape& escape) {
  uint64_t value = 0;
  for (int i = 0; i < escape.digits; ++i) {
    const int32_t c = in.Take();
    if (c == kEndOfInput) return "escape sequence not terminated";
    const uint32_t digit = DigitIn(c, escape.base);
    if (digit >= escape.base)
      return "illegal character " + CodePointNotation(static_cast<uint32_t>(c)) + " in escape sequence";
    value = value * escape.base + digit;
  }
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (value > escape.largest || surrogate) return "escape sequence is an invalid Unicode code point";
  return std::nullopt;
}

}  // namespace

bool ScanNumber(CharacterCursor& in, bool in_series) {
  const size_t start = in.position();
  const bool hexadecimal = !in_series && in.TakeIf("0") && in.TakeIf("xX");
  if (hexadecimal) in.TakeIf("_");
  const std::string_view digits = hexadecimal ? kHexadecimalDigits : kDecimalDigits;
  in.TakeIf(".");
  in.TakeIf(digits);
  bool point = false;
  bool exponent = false;
  for (bool more = true; more;) {
    if (in.TakeIf("eE")) {
      // Even where e is a digit: at the beginning of a run of digits it passes for an exponent.
      if (exponent) return false;
      exponent = true;
      in.TakeIf("+-");
      if (!GoesOn(in)) return false;
    } else if (in.TakeIf(".")) {
      if (point || in.TakeIf("_.") || hexadecimal) return false;
      point = true;
    } else if (in.TakeIf("_")) {
      if (!GoesOn(in)) return false;
    } else {
      more = in.TakeIf(digits);
      while (in.TakeIf(digits)) {
      }
    }
  }
  if (in.position() == start) return false;
  const int32_t next = in.Peek();
  return (in_series && next == 'x') || !IsLetterOrDigit(next);
}

// Units in an order that makes no sense are found when the duration is parsed.
bool ScanDurationTail(CharacterCursor& in) {
  const auto unit = [&](std::string_view letters) {
    if (!in.TakeIf(letters)) return false;
    in.TakeIf("s");
    return true;
  };
  // Years are the largest unit, so they come first or not at all.
  if (!unit("smhdwy")) return false;
  while (in.TakeIf(kDecimalDigits)) {
    in.TakeWhile(IsDigit);
    if (!unit("smhdw")) return false;
  }
  if (!IsLetterOrDigit(in.Peek())) return true;
  in.Take();
  return false;
}

std::optional<std::string> ScanEscape(CharacterCursor& in, int32_t quote) {
  const int32_t c = in.Peek();
  if (c >= '0' && c <= '7') return ScanDigits(in, {.digits = 3, .base = 8, .largest = 0xff});
  in.Take();
  if (const auto numeric = NumericEscapeOf(c)) return ScanDigits(in, *numeric);
  if (c == quote || IsIn("abfnrtv\\", c)) return std::nullopt;
  if (c == kEndOfInput) return "escape sequence not terminated";
  return "unknown escape sequence " + CodePointNotation(static_cast<uint32_t>(c));
}

}  // namespace epi::promql
