// The protobuf forms of one metric family (io.prometheus.client.MetricFamily). Used through exposition.h.
#pragma once

#include <string>

#include "telemetry/metric_family.h"

namespace epi {

// Length-delimited.
void AppendProtobuf(std::string& out, const MetricFamily& family);
// Text form, on several lines or on one.
void AppendProtobufText(std::string& out, const MetricFamily& family, bool compact);

}  // namespace epi
