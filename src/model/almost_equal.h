// Equality of floats within a relative tolerance, as Prometheus means it.
#pragma once

#include <cmath>
#include <limits>

#include "model/sample.h"

namespace epi {

// Both the stale marker, both another NaN, equal, or within a relative `epsilon`.
inline bool AlmostEqual(double a, double b, double epsilon) {
  if (IsStaleNaN(a) || IsStaleNaN(b)) return IsStaleNaN(a) && IsStaleNaN(b);
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  constexpr double kSmallestNormal = std::numeric_limits<double>::min();
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  if (a == 0 || b == 0 || sum < kSmallestNormal) return difference < epsilon * kSmallestNormal;
  return difference / std::fmin(sum, std::numeric_limits<double>::max()) < epsilon;
}

}  // namespace epi
