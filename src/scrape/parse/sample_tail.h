// The steady state of the text formats: what stands behind a series text that is already known.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace epi::scrape {

enum class TextDialect : unsigned char { kPrometheus, kOpenMetrics };

struct SampleTail {
  double value = 0;
  bool has_time = false;
  TimestampMs time = 0;
};

namespace internal {

// Powers of ten that are exact doubles.
inline constexpr std::array<double, 23> kExactPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                             1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                             1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Correctly rounded, of [begin, end), a decimal number; null when that is not one.
bool ParseDecimal(const char* begin, const char* end, double& value);
// "NaN", "+Inf", "-Inf" as exporters write them; returns behind it, or null.
const char* TakeSpecialValue(const char* at, double& value);

// A decimal number that ends at a blank or newline. Null for everything else, a leading '+' and "1e400" included.
inline const char* TakeDecimal(const char* at, double& value) {
  const char* const begin = at;
  const bool negative = *at == '-';
  at += negative;
  uint64_t mantissa = 0;
  const char* const digits = at;
  unsigned digit;
  while ((digit = static_cast<unsigned>(*at) - '0') <= 9) {
    mantissa = mantissa * 10 + digit;
    ++at;
  }
  long count = at - digits;
  long exponent = 0;
  if (*at == '.') {
    const char* const fraction = ++at;
    while ((digit = static_cast<unsigned>(*at) - '0') <= 9) {
      mantissa = mantissa * 10 + digit;
      ++at;
    }
    exponent = fraction - at;
    count -= exponent;
  }
  if (count == 0) return TakeSpecialValue(begin, value);
  if ((*at | 0x20) == 'e') {
    ++at;
    const bool down = *at == '-';
    at += down || *at == '+';
    const char* const power = at;
    long written = 0;
    while ((digit = static_cast<unsigned>(*at) - '0') <= 9 && at - power < 6) {
      written = written * 10 + static_cast<long>(digit);
      ++at;
    }
    if (at == power) return nullptr;
    exponent += down ? -written : written;
  }
  if (*at != '\n' && *at != ' ' && *at != '\t') return nullptr;
  if (count <= 19 && mantissa <= (uint64_t{1} << 53) && exponent >= -22 && exponent <= 22) {
    double result = static_cast<double>(mantissa);
    result = exponent < 0 ? result / kExactPowersOfTen[-exponent] : result * kExactPowersOfTen[exponent];
    value = negative ? -result : result;
    return at;
  }
  return ParseDecimal(begin, at, value) ? at : nullptr;
}

}  // namespace internal

// Reads value and timestamp of a sample line from the first byte behind its series text; returns the first byte of the
// next line. Null for anything out of the ordinary (exemplars, unusual numbers, mistakes): then the line is for the
// full parser. A newline at or behind `at` is required; nothing behind it is read.
template <TextDialect dialect>
inline const char* TakeSampleTail(const char* at, SampleTail& tail) {
  constexpr bool kFreeBlanks = dialect == TextDialect::kPrometheus;
  const auto blank = [](char c) { return c == ' ' || (kFreeBlanks && c == '\t'); };
  if (!blank(*at)) return nullptr;
  ++at;
  if constexpr (kFreeBlanks) {
    while (blank(*at)) ++at;
  }
  at = internal::TakeDecimal(at, tail.value);
  if (at == nullptr) return nullptr;
  tail.has_time = false;
  if (*at == '\n') return at + 1;
  if (!blank(*at)) return nullptr;
  ++at;
  if constexpr (kFreeBlanks) {
    while (blank(*at)) ++at;
    if (*at == '\n') return at + 1;
    const char* const digits = at;
    int64_t time = 0;
    while (static_cast<unsigned>(*at) - '0' <= 9) time = time * 10 + (*at++ - '0');
    if (at == digits || at - digits > 18) return nullptr;
    while (blank(*at)) ++at;
    tail.time = time;
  } else {
    double seconds = 0;
    at = internal::TakeDecimal(at, seconds);
    if (at == nullptr || !(seconds > -1e15 && seconds < 1e15)) return nullptr;
    tail.time = static_cast<TimestampMs>(seconds * 1000);
  }
  if (*at != '\n') return nullptr;
  tail.has_time = true;
  return at + 1;
}

}  // namespace epi::scrape
