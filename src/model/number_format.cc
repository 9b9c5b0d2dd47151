#include "model/number_format.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/ascii.h"
#include "base/escaping.h"
#include "model/labels.h"

namespace epi {
namespace {

// Shortest decimal digits of a positive finite number: 0.d1d2d3… times 10^point.
struct Decimal {
  std::array<char, 32> digits;
  int count = 0;
  int point = 0;
};

Decimal ShortestDigits(double value) {
  Decimal out;
  if (value == 0) return out;
  std::array<char, 40> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific).ptr;
  const char* at = text.data();
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') out.digits[out.count++] = *at;
  }
  while (out.count > 1 && out.digits[out.count - 1] == '0') --out.count;
  int exponent = 0;
  if (at != end) {
    ++at;
    if (*at == '+') ++at;
    std::from_chars(at, end, exponent);
  }
  out.point = exponent + 1;
  return out;
}

// True when `value` was not finite and is written.
bool AppendSpecial(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Inf" : "+Inf";
  } else {
    return false;
  }
  return true;
}

void AppendPlain(std::string& out, const Decimal& d) {
  if (d.point <= 0) {
    out += '0';
  } else if (d.point >= d.count) {
    out.append(d.digits.data(), d.count);
    out.append(d.point - d.count, '0');
  } else {
    out.append(d.digits.data(), d.point);
  }
  if (d.count > d.point && d.count > 0) {
    out += '.';
    if (d.point < 0) out.append(-d.point, '0');
    const int from = d.point > 0 ? d.point : 0;
    out.append(d.digits.data() + from, d.count - from);
  }
}

void AppendExponent(std::string& out, const Decimal& d) {
  out += d.count == 0 ? '0' : d.digits[0];
  if (d.count > 1) {
    out += '.';
    out.append(d.digits.data() + 1, d.count - 1);
  }
  int exponent = d.count == 0 ? 0 : d.point - 1;
  out += 'e';
  out += exponent < 0 ? '-' : '+';
  if (exponent < 0) exponent = -exponent;
  if (exponent < 10) out += '0';
  std::array<char, 8> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), exponent).ptr);
}

// Integers of this size print fastest as integers, and the same in every form but the exponent ones.
bool AppendSmallInteger(std::string& out, double value, double limit) {
  if (!(value > -limit && value < limit)) return false;
  const auto whole = static_cast<int64_t>(value);
  if (static_cast<double>(whole) != value || (whole == 0 && std::signbit(value))) return false;
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), whole).ptr);
  return true;
}

// Few digits behind the point: a decimal of at most 15 digits is the shortest that reads back as its number, and a
// division of two exact numbers tells whether there is one.
bool AppendShortFraction(std::string& out, double value) {
  constexpr double kExact = 1e15;
  double scale = 1;
  for (int places = 1; places <= 3; ++places) {
    scale *= 10;
    const double scaled = value * scale;
    if (!(scaled > -kExact && scaled < kExact)) return false;
    const double rounded = std::nearbyint(scaled);
    if (rounded / scale != value) continue;
    auto whole = static_cast<int64_t>(rounded);
    if (whole == 0) return false;
    std::array<char, 24> text;
    char* at = text.data() + text.size();
    const bool negative = whole < 0;
    if (negative) whole = -whole;
    for (int digit = 0; whole > 0 || digit <= places; ++digit) {
      if (digit == places) *--at = '.';
      *--at = static_cast<char>('0' + whole % 10);
      whole /= 10;
    }
    if (negative) *--at = '-';
    out.append(at, text.data() + text.size());
    return true;
  }
  return false;
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (LowerAscii(text[i]) != lower[i]) return false;
  }
  return true;
}

bool IsHexDigit(char c) { return IsAsciiDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f'); }

// Go's rule for underscores in number literals: each between two digits, or right after a base prefix. No sign in
// `text`.
bool UnderscoresAllowed(std::string_view text) {
  enum { kStart, kDigit, kUnderscore, kOther } last = kStart;
  bool hex = false;
  size_t i = 0;
  if (text.size() >= 2 && text[0] == '0' && std::strchr("box", LowerAscii(text[1])) != nullptr) {
    i = 2;
    last = kDigit;
    hex = LowerAscii(text[1]) == 'x';
  }
  for (; i < text.size(); ++i) {
    if (IsAsciiDigit(text[i]) || (hex && IsHexDigit(text[i]))) {
      last = kDigit;
    } else if (text[i] == '_') {
      if (last != kDigit) return false;
      last = kUnderscore;
    } else {
      if (last == kUnderscore) return false;
      last = kOther;
    }
  }
  return last != kUnderscore;
}

// A number's parts, checked against Go's grammar: digits with at most one point, and an exponent.
struct Scanned {
  bool hex = false;
  bool any_nonzero = false;
  int64_t leading_exponent = 0;  // of the first digit that is not zero, in base 10 or 2: tells overflow from underflow
};

bool ScanNumber(std::string_view text, Scanned& out) {
  size_t i = 0;
  if (text.size() > 2 && text[0] == '0' && LowerAscii(text[1]) == 'x') {
    out.hex = true;
    i = 2;
  }
  bool digits = false;
  bool point = false;
  int64_t before = 0;       // digits before the point, from the first that is not zero
  int64_t zeros_after = 0;  // zeros after the point before the first that is not zero
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (point) return false;
      point = true;
    } else if (IsAsciiDigit(c) || (out.hex && IsHexDigit(c))) {
      digits = true;
      if (c != '0') out.any_nonzero = true;
      if (!point && out.any_nonzero) ++before;
      if (point && !out.any_nonzero) ++zeros_after;
    } else {
      break;
    }
  }
  if (!digits) return false;
  int64_t exponent = 0;
  const char mark = out.hex ? 'p' : 'e';
  if (i < text.size() && LowerAscii(text[i]) == mark) {
    ++i;
    bool negative = false;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) negative = text[i++] == '-';
    if (i >= text.size() || !IsAsciiDigit(text[i])) return false;
    for (; i < text.size() && IsAsciiDigit(text[i]); ++i) {
      if (exponent < 1'000'000'000) exponent = exponent * 10 + (text[i] - '0');
    }
    if (negative) exponent = -exponent;
  } else if (out.hex) {
    return false;  // a hexadecimal float needs its exponent
  }
  out.leading_exponent = exponent + (before > 0 ? before : -zeros_after) * (out.hex ? 4 : 1);
  return i == text.size();
}

}  // namespace

void AppendFloatPlain(std::string& out, double value) {
  if (AppendSmallInteger(out, value, 1e15) || AppendSpecial(out, value)) return;
  if (std::signbit(value)) out += '-';
  AppendPlain(out, ShortestDigits(std::fabs(value)));
}

void AppendFloatExponent(std::string& out, double value) {
  if (AppendSpecial(out, value)) return;
  if (std::signbit(value)) out += '-';
  AppendExponent(out, ShortestDigits(std::fabs(value)));
}

void AppendFloatGeneral(std::string& out, double value) {
  if (AppendSmallInteger(out, value, 1e6) || AppendSpecial(out, value)) return;
  if (std::signbit(value)) out += '-';
  const Decimal d = ShortestDigits(std::fabs(value));
  // strconv takes 6 as the precision when the shortest form is asked for, and exponents from -4 up to it stay plain.
  const int exponent = d.point - 1;
  if (d.count > 0 && (exponent < -4 || exponent >= 6)) {
    AppendExponent(out, d);
  } else {
    AppendPlain(out, d);
  }
}

std::string FormatFloatPlain(double value) {
  std::string out;
  AppendFloatPlain(out, value);
  return out;
}
std::string FormatFloatExponent(double value) {
  std::string out;
  AppendFloatExponent(out, value);
  return out;
}
std::string FormatFloatGeneral(double value) {
  std::string out;
  AppendFloatGeneral(out, value);
  return out;
}

std::string FormatFloatPrecision(double value, char format, int precision) {
  std::string out;
  if (AppendSpecial(out, value)) return out;
  constexpr int kMaxPrecision = 1100;  // all digits of any double
  const int digits = precision < 0 ? 6 : (precision > kMaxPrecision ? kMaxPrecision : precision);
  std::array<char, 2048> text;
  const char lower = LowerAscii(format);
  const auto kind = lower == 'f'   ? std::chars_format::fixed
                    : lower == 'e' ? std::chars_format::scientific
                                   : std::chars_format::general;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, kind, digits);
  out.assign(text.data(), end.ptr);
  if (precision > kMaxPrecision && lower == 'f') out.append(precision - kMaxPrecision, '0');
  if (format == 'G' || format == 'E') {
    for (char& c : out) {
      if (c == 'e') c = 'E';
    }
  }
  return out;
}

void AppendJsonSampleValue(std::string& out, double value) {
  if (AppendSmallInteger(out, value, 1e15) || AppendSpecial(out, value) || AppendShortFraction(out, value)) return;
  const double magnitude = std::fabs(value);
  if (std::signbit(value)) out += '-';
  const Decimal d = ShortestDigits(magnitude);
  if (magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21)) {
    AppendExponent(out, d);
  } else {
    AppendPlain(out, d);
  }
}

void AppendJsonSampleTime(std::string& out, int64_t time_ms) {
  uint64_t magnitude = static_cast<uint64_t>(time_ms);
  if (time_ms < 0) {
    out += '-';
    magnitude = ~magnitude + 1;
  }
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), magnitude / 1000).ptr);
  const auto rest = static_cast<int>(magnitude % 1000);
  if (rest == 0) return;
  out += '.';
  out += static_cast<char>('0' + rest / 100);
  out += static_cast<char>('0' + rest / 10 % 10);
  out += static_cast<char>('0' + rest % 10);
}

void AppendJsonNumber(std::string& out, double value) {
  const size_t from = out.size();
  AppendJsonSampleValue(out, value);
  // encoding/json turns e-09 into e-9, but leaves e+21 alone: only negative exponents can have a leading zero.
  const size_t size = out.size();
  if (size - from >= 4 && out[size - 4] == 'e' && out[size - 3] == '-' && out[size - 2] == '0') {
    out[size - 2] = out[size - 1];
    out.pop_back();
  }
}

void AppendExpositionValue(std::string& out, double value) { AppendFloatGeneral(out, value); }

void AppendOpenMetricsValue(std::string& out, double value) {
  const size_t from = out.size();
  AppendFloatGeneral(out, value);
  if (!std::isfinite(value)) return;
  if (out.find_first_of("e.", from) == std::string::npos) out += ".0";
}

std::optional<double> ParseGoFloat(std::string_view text, bool* out_of_range) {
  if (out_of_range != nullptr) *out_of_range = false;
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (EqualsIgnoringCase(rest, "inf") || EqualsIgnoringCase(rest, "infinity")) {
    return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (EqualsIgnoringCase(text, "nan")) return std::bit_cast<double>(uint64_t{0x7ff8000000000001});  // Go's math.NaN()
  std::string without;
  if (rest.find('_') != std::string_view::npos) {
    if (!UnderscoresAllowed(rest)) return std::nullopt;
    for (const char c : rest) {
      if (c != '_') without += c;
    }
    rest = without;
  }
  Scanned scanned;
  if (!ScanNumber(rest, scanned)) return std::nullopt;
  double value = 0;
  const char* from = rest.data() + (scanned.hex ? 2 : 0);
  const auto kind = scanned.hex ? std::chars_format::hex : std::chars_format::general;
  const auto [end, error] = std::from_chars(from, rest.data() + rest.size(), value, kind);
  static_cast<void>(end);
  if (error == std::errc::result_out_of_range) {
    const bool too_large = scanned.any_nonzero && scanned.leading_exponent > 0;
    value = too_large ? std::numeric_limits<double>::infinity() : 0;
    if (too_large && out_of_range != nullptr) *out_of_range = true;
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

Result<double> ParseGoFloatOrError(std::string_view text) {
  bool out_of_range = false;
  const auto value = ParseGoFloat(text, &out_of_range);
  if (value && !out_of_range) return *value;
  std::string message = "strconv.ParseFloat: parsing ";
  AppendQuoted(message, text);
  message += value ? ": value out of range" : ": invalid syntax";
  return Fail(ErrorCode::kInvalid, std::move(message));
}

}  // namespace epi
