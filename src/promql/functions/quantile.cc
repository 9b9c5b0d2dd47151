#include "promql/functions/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/sample.h"

namespace epi::promql {
namespace {
constexpr double kQuantileInf = std::numeric_limits<double>::infinity();
}

double Quantile(double q, std::span<double> values) {
  if (values.empty() || std::isnan(q)) return NormalNaN();
  if (q < 0) return -kQuantileInf;
  if (q > 1) return kQuantileInf;
  std::sort(values.begin(), values.end(), [](double a, double b) {
    if (std::isnan(a)) return !std::isnan(b);
    return a < b;
  });
  const double last = static_cast<double>(values.size()) - 1;
  const double rank = q * last;
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(last, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<size_t>(lower)] * (1 - weight) + values[static_cast<size_t>(upper)] * weight;
}

double GoMax(double a, double b) {
  if (a == kQuantileInf || b == kQuantileInf) return kQuantileInf;
  if (std::isnan(a) || std::isnan(b)) return NormalNaN();
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

double GoMin(double a, double b) {
  if (a == -kQuantileInf || b == -kQuantileInf) return -kQuantileInf;
  if (std::isnan(a) || std::isnan(b)) return NormalNaN();
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

}  // namespace epi::promql
