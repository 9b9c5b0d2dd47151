// Custom-bucket histograms as the classic series they stand for.
#pragma once

#include <functional>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"

namespace epi {

using ClassicSample = std::function<void(const Labels& labels, double value)>;

// Emits one cumulative `_bucket` per bound and +Inf, then `_count` and `_sum`, with `le` values spelled as OpenMetrics
// floats
// ("1.0"). Any `le` in `labels` is replaced. kInvalid when the histogram has no custom buckets, `labels` has no metric
// name or the spans do not fit the buckets; nothing is emitted then.
Result<void> ToClassic(const FloatHistogram& h, const Labels& labels, const ClassicSample& emit);
// As Prometheus does it, a bucket in the gap between two spans of an integer histogram repeats the count before the
// gap.
Result<void> ToClassic(const Histogram& h, const Labels& labels, const ClassicSample& emit);

}  // namespace epi
