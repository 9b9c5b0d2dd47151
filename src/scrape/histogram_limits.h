// Native-histogram limits of a scrape: schemas that may be stored, and how many buckets.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "model/histogram.h"

namespace epi::scrape {

struct HistogramLimits {
  uint64_t max_buckets = 0;  // 0 = no limit
  int32_t max_schema = kExponentialSchemaMax;
};

// The finest schema whose buckets grow by at least `factor`: floor(-log2(log2(factor))), within what is allowed. A
// factor of at most 1 sets no limit.
int32_t MaxSchemaForFactor(double factor);

// Replaces the histogram by a coarser one where a limit asks for it. kLimit when it cannot be brought below the bucket
// limit; kInvalid for a schema that Prometheus does not know.
Result<void> FitHistogram(std::shared_ptr<const Histogram>& histogram, const HistogramLimits& limits);
Result<void> FitHistogram(std::shared_ptr<const FloatHistogram>& histogram, const HistogramLimits& limits);

}  // namespace epi::scrape
