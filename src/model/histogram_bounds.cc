#include "model/histogram_bounds.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace epi {
namespace {

constexpr double kInfiniteBound = std::numeric_limits<double>::infinity();
constexpr int64_t kOverflowExponent = 1024;  // of the first power of two above the largest double

// All fractions of the schemas 0..8 behind one another: schema s has 2^s of them, from index 2^s - 1. The steps are
// 2^(2^-s) as Prometheus rounds them (2^(1/2) is one unit short of the nearest double); each odd fraction is the one
// before times the step, each even one that of the schema above. So they drift by up to 4 units, and must.
constexpr std::array<double, 9> kSteps = {2.0,
                                          0x1.6a09e667f3bccp+0,
                                          0x1.306fe0a31b715p+0,
                                          0x1.172b83c7d517bp+0,
                                          0x1.0b5586cf9890fp+0,
                                          0x1.059b0d3158574p+0,
                                          0x1.02c9a3e778061p+0,
                                          0x1.0163da9fb3335p+0,
                                          0x1.00b1afa5abcbfp+0};

constexpr size_t Start(int32_t schema) { return (size_t{1} << schema) - 1; }

constexpr std::array<double, 511> MakeFractions() {
  std::array<double, 511> out{};
  out[0] = 0.5;
  for (int32_t schema = 1; schema <= kExponentialSchemaMax; ++schema) {
    const size_t here = Start(schema);
    out[here] = 0.5;
    for (size_t j = 1; j < (size_t{1} << schema); ++j) {
      out[here + j] =
          j % 2 == 0 ? out[Start(schema - 1) + j / 2] : out[here + j - 1] * kSteps[static_cast<size_t>(schema)];
    }
  }
  return out;
}

constexpr std::array<double, 511> kFractions = MakeFractions();

// ldexp takes an int; far beyond the range of doubles the exact exponent makes no difference.
double Scale(double fraction, int64_t exponent) {
  return std::ldexp(fraction, static_cast<int>(std::clamp<int64_t>(exponent, -100000, 100000)));
}

}  // namespace

double ExponentialBound(int64_t index, int32_t schema) {
  // Readers and appenders let no other schema in; whatever got past them must not reach beyond the table.
  schema = std::clamp(schema, kExponentialSchemaMin, kExponentialSchemaMax);
  if (schema < 0) {
    const int64_t exponent = index * (int64_t{1} << -schema);
    return exponent == kOverflowExponent ? std::numeric_limits<double>::max() : Scale(1, exponent);
  }
  const int64_t per_power = int64_t{1} << schema;
  const double fraction = kFractions[Start(schema) + static_cast<size_t>(index & (per_power - 1))];
  const int64_t exponent = (index >> schema) + 1;
  if (fraction == 0.5 && exponent == kOverflowExponent + 1) return std::numeric_limits<double>::max();
  return Scale(fraction, exponent);
}

double BucketBound(int64_t index, int32_t schema, std::span<const double> custom_values) {
  if (!IsCustomBucketsSchema(schema)) return ExponentialBound(index, schema);
  if (index < 0) return -kInfiniteBound;
  if (index >= static_cast<int64_t>(custom_values.size())) return kInfiniteBound;
  return custom_values[static_cast<size_t>(index)];
}

bool SameCustomBounds(std::span<const double> a, std::span<const double> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::vector<double> CommonCustomBounds(std::span<const double> a, std::span<const double> b) {
  std::vector<double> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace epi
