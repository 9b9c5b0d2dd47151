// The base-2 logarithm as Go computes it: exact for powers of two, otherwise from the natural logarithm of the
// fraction.
#pragma once

#include <cmath>

namespace epi {

inline double Log2(double x) {
  if (!std::isfinite(x) || x <= 0) return std::log2(x);
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  if (fraction == 0.5) return exponent - 1;
  constexpr double kLn2 = 0.693147180559945309417232121458176568;
  return std::log(fraction) * (1 / kLn2) + exponent;
}

}  // namespace epi
