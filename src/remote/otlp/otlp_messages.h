// The messages of an OTLP metrics request, as opentelemetry-proto's common/v1, resource/v1, metrics/v1 and
// collector/metrics/v1 define them. Field 1000 of ResourceMetrics, given up long ago, is not among them.
#pragma once

#include "remote/wire_message.h"

namespace epi::remote::otlp::wire {

extern const WireMessage kAnyValue, kArrayValue, kKeyValueList, kKeyValue, kScope, kResource;
extern const WireMessage kExemplar, kNumberPoint, kHistogramPoint, kBuckets, kExponentialPoint, kQuantile,
    kSummaryPoint;
extern const WireMessage kGauge, kSum, kHistogram, kExponentialHistogram, kSummary;
extern const WireMessage kMetric, kScopeMetrics, kResourceMetrics, kRequest;

}  // namespace epi::remote::otlp::wire
