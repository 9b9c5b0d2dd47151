// process_*: what the operating system says about this process, under the names of Prometheus's client libraries.
#pragma once

#include <vector>

#include "base/file_system.h"
#include "telemetry/metric_family.h"

namespace epi {

// Families in order of their names. What cannot be read is left out.
std::vector<MetricFamily> CollectProcessMetrics(FileSystem& files);

}  // namespace epi
