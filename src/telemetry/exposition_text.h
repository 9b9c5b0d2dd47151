// The text formats (Prometheus text and OpenMetrics) of one metric family. Used through exposition.h.
#pragma once

#include <string>

#include "telemetry/exposition.h"

namespace epi {

// Names are final: escaping has been done. The family has a name.
void AppendPrometheusText(std::string& out, const MetricFamily& family);
void AppendOpenMetricsText(std::string& out, const MetricFamily& family, const ExpositionOptions& options);

}  // namespace epi
