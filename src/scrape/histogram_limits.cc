#include "scrape/histogram_limits.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/histogram_resolution.h"

namespace epi::scrape {
namespace {

constexpr int32_t kReservedSchemaMax = 52;  // finer exponential schemas that the format knows

template <typename H>
Result<void> Fit(std::shared_ptr<const H>& histogram, const HistogramLimits& limits) {
  const int32_t schema = histogram->schema;
  const bool custom = IsCustomBucketsSchema(schema);
  if (!custom && (schema < kExponentialSchemaMin || schema > kReservedSchemaMax)) {
    return Fail(ErrorCode::kInvalid,
                "histogram has an unknown schema, which must be between -4 and 52, or -53 for custom buckets: " +
                    std::to_string(schema));
  }
  const auto buckets = [](const H& h) { return h.positive_buckets.size() + h.negative_buckets.size(); };
  std::shared_ptr<H> copy;
  const auto reduce = [&](int32_t target) -> Result<void> {
    if (!copy) copy = std::make_shared<H>(*histogram);
    return ReduceResolution(*copy, target);
  };
  const int32_t finest = std::min(limits.max_schema, kExponentialSchemaMax);
  if (!custom && schema > finest) EPI_TRY(reduce(finest));
  const auto current = [&]() -> const H& { return copy ? *copy : *histogram; };
  while (limits.max_buckets > 0 && buckets(current()) > limits.max_buckets) {
    if (custom || current().schema <= kExponentialSchemaMin) {
      return Fail(ErrorCode::kLimit, "histogram bucket limit exceeded");
    }
    EPI_TRY(reduce(current().schema - 1));
  }
  if (copy) histogram = std::move(copy);
  return {};
}

}  // namespace

int32_t MaxSchemaForFactor(double factor) {
  if (!(factor > 1)) return kExponentialSchemaMax;
  const double schema = std::floor(-std::log2(std::log2(factor)));
  return static_cast<int32_t>(std::clamp(schema, double{kExponentialSchemaMin}, double{kExponentialSchemaMax}));
}

Result<void> FitHistogram(std::shared_ptr<const Histogram>& histogram, const HistogramLimits& limits) {
  return Fit(histogram, limits);
}

Result<void> FitHistogram(std::shared_ptr<const FloatHistogram>& histogram, const HistogramLimits& limits) {
  return Fit(histogram, limits);
}

}  // namespace epi::scrape
