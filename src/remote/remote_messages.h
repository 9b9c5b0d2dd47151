// The messages of Prometheus's remote write (versions 1.0 and 2.0) and remote read, as prompb/types.proto,
// prompb/remote.proto and io/prometheus/write/v2/types.proto define them.
#pragma once

#include "remote/wire_message.h"

namespace epi::remote::wire {

extern const WireMessage kLabel, kSample, kHistogram, kBucketSpan, kExemplar, kTimeSeries, kWriteRequest;
extern const WireMessage kSampleV2, kHistogramV2, kExemplarV2, kMetadataV2, kTimeSeriesV2, kRequestV2;
extern const WireMessage kLabelMatcher, kReadHints, kQuery, kReadRequest;

}  // namespace epi::remote::wire
