#include "promql/functions/quantile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/sample.h"

namespace epi::promql {
namespace {
constexpr double kQuantileInf = std::numeric_limits<double>::infinity();
constexpr size_t kSortedSize = 12;
// Halving takes far fewer rounds; data that resists gets the library's guarantee instead.
constexpr int kMaxRounds = 48;

// Moves values for which `keep` holds to the front, without a branch on the data; how many there are.
template <typename Keep>
size_t Partition(std::span<double> values, Keep keep) {
  size_t kept = 0;
  for (double& place : values) {
    const double value = place;
    place = values[kept];
    values[kept] = value;
    kept += keep(value) ? 1 : 0;
  }
  return kept;
}

// Puts the value of that rank in its place, nothing larger before it and nothing smaller behind. No NaN among them.
void SelectRank(std::span<double> values, size_t rank) {
  for (int round = 0; values.size() > kSortedSize; ++round) {
    if (round == kMaxRounds) {
      std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(rank), values.end());
      return;
    }
    const double a = values.front();
    const double b = values[values.size() / 2];
    const double c = values.back();
    const double pivot = std::max(std::min(a, b), std::min(std::max(a, b), c));
    const size_t smaller = Partition(values, [&](double v) { return v < pivot; });
    if (rank < smaller) {
      values = values.first(smaller);
      continue;
    }
    values = values.subspan(smaller);
    rank -= smaller;
    const size_t equal = Partition(values, [&](double v) { return v == pivot; });
    if (rank < equal) return;
    values = values.subspan(equal);
    rank -= equal;
  }
  std::sort(values.begin(), values.end());
}

// Negative zero counts as smaller than zero here, though they compare as equal: selection leaves open which of them
// comes first. The zero of that rank.
[[gnu::noinline]] double ZeroOfRank(std::span<const double> values, size_t rank) {
  size_t before_zero = 0;
  for (const double v : values) before_zero += std::isnan(v) || v < 0 || (v == 0 && std::signbit(v)) ? 1 : 0;
  return rank < before_zero ? -0.0 : 0.0;
}
}  // namespace

double Quantile(double q, std::span<double> values) {
  if (values.empty() || std::isnan(q)) return NormalNaN();
  if (q < 0) return -kQuantileInf;
  if (q > 1) return kQuantileInf;
  const double last = static_cast<double>(values.size()) - 1;
  const double rank = q * last;
  const auto lower = static_cast<size_t>(std::max(0.0, std::floor(rank)));
  const size_t upper = std::min(values.size() - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  const size_t undefined = Partition(values, [](double v) { return std::isnan(v); });
  if (lower >= undefined) {
    SelectRank(values.subspan(undefined), lower - undefined);
  } else if (upper >= undefined) {
    SelectRank(values.subspan(undefined), 0);
  }
  if (upper > lower && lower >= undefined) {
    std::iter_swap(values.begin() + static_cast<ptrdiff_t>(upper),
                   std::min_element(values.begin() + static_cast<ptrdiff_t>(upper), values.end()));
  }
  const double low = values[lower] == 0 ? ZeroOfRank(values, lower) : values[lower];
  const double high = values[upper] == 0 ? ZeroOfRank(values, upper) : values[upper];
  return low * (1 - weight) + high * weight;
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
