// Compensated addition (Neumaier's form of Kahan's), in exactly Prometheus's operation order.
#pragma once

#include <cmath>
#include <limits>

namespace epi {

struct KahanSum {
  double sum = 0;
  double compensation = 0;

  // An infinite sum drops the compensation, so that it stays infinite instead of becoming NaN.
  void Add(double value) {
    const double total = sum + value;
    if (total > std::numeric_limits<double>::max() || total < -std::numeric_limits<double>::max()) {
      compensation = 0;
    } else if (std::fabs(sum) >= std::fabs(value)) {
      compensation += (sum - total) + value;
    } else {
      compensation += (value - total) + sum;
    }
    sum = total;
  }
  void Subtract(double value) { Add(-value); }
  double Total() const { return sum + compensation; }
};

// The same on a sum and a compensation that live apart.
inline void KahanAdd(double value, double& sum, double& compensation) {
  KahanSum kahan{sum, compensation};
  kahan.Add(value);
  sum = kahan.sum;
  compensation = kahan.compensation;
}

}  // namespace epi
