// Native histograms as text.
#pragma once

#include <string>

#include "model/histogram.h"

namespace epi {

// "{count:9, sum:-3.1415, [-2,-1):3, [-0.001,0.001]:12, (0.5,1]:2}": what count_values, templates and promtool print.
// Empty buckets are left out.
std::string HistogramToString(const FloatHistogram& h);
std::string HistogramToString(const Histogram& h);

// "{{schema:1 count:3 sum:2 buckets:[1 2]}}": the notation of promqltest files and rule unit tests, which reads back as
// the same histogram.
std::string HistogramToTestExpression(const FloatHistogram& h);

}  // namespace epi
