#include "rules/template/go_float.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "model/number_format.h"

namespace epi::rules {

std::string BinaryFloat(double v) {
  if (!std::isfinite(v)) return FormatFloatGeneral(v);
  int exponent = 0;
  constexpr int kMantissaBits = 53;
  constexpr int kLowestExponent = -1074;  // of the smallest denormal
  const double fraction = std::frexp(std::fabs(v), &exponent);
  const int power = v == 0 ? kLowestExponent : std::max(exponent - kMantissaBits, kLowestExponent);
  const auto mantissa = static_cast<int64_t>(std::ldexp(fraction, exponent - power));
  return (std::signbit(v) ? "-" : "") + std::to_string(mantissa) + (power >= 0 ? "p+" : "p") + std::to_string(power);
}

std::string HexFloat(double v, int precision) {
  if (!std::isfinite(v)) return FormatFloatGeneral(v);
  int exponent = 0;
  const double fraction = 2 * std::frexp(std::fabs(v), &exponent);  // 0, or in [1, 2)
  exponent = v == 0 ? 0 : exponent - 1;
  std::string digits(64 + static_cast<size_t>(std::max(precision, 0)), '\0');
  const int size = precision < 0 ? std::snprintf(digits.data(), digits.size(), "%a", fraction)
                                 : std::snprintf(digits.data(), digits.size(), "%.*a", precision, fraction);
  digits.resize(static_cast<size_t>(size));
  digits.resize(digits.find('p'));
  if (digits[2] == '2') {  // rounded up
    digits[2] = '1';
    ++exponent;
  }
  char power[16];
  std::snprintf(power, sizeof power, "p%+03d", exponent);
  return (std::signbit(v) ? "-" : "") + digits + power;
}

}  // namespace epi::rules
