// Histograms of OpenTelemetry as native ones.
#pragma once

#include "base/result.h"
#include "model/histogram.h"
#include "remote/otlp/export_request.h"
#include "remote/otlp/series_labels.h"

namespace epi::remote::otlp {

// Scales finer than 8 are reduced to 8. kInvalid for scales coarser than -4 and for indices beyond what fits. `delta`
// marks it as a gauge histogram. A warning is added where count and sum contradict each other.
Result<Histogram> ExponentialToNative(const DataPoint& point, bool delta, Warnings& warnings);
// With custom bucket boundaries.
Result<Histogram> ExplicitToNative(const DataPoint& point, bool delta, Warnings& warnings);

}  // namespace epi::remote::otlp
