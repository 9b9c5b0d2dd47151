// The strict reader of Prometheus's text format, for tools that judge an exposition: whole families with their parts
// put together. Scraping does not use it; it is more lenient and keeps series apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/label_names.h"
#include "model/sample.h"

namespace epi::scrape {

// A bucket with its cumulative count, or a quantile with its value.
struct StrictPart {
  double bound = 0;
  double value = 0;
};

struct StrictMetric {
  std::vector<std::pair<std::string, std::string>> labels;  // in the order of the body, without "le" and "quantile"
  std::optional<int64_t> timestamp_ms;                      // of its last line that has one
  double value = 0;                                         // of a counter, a gauge, or an untyped metric
  std::optional<double> count;                              // of a histogram or summary, as the rest below
  std::optional<double> sum;
  std::vector<StrictPart> parts;  // in the order of the body
  bool float_counts = false;      // a histogram of which some count is no whole number
};

struct StrictFamily {
  std::string name;
  std::optional<std::string> help;
  MetricType type = MetricType::kUnknown;
  bool has_type = false;  // by a TYPE line, or because samples came before one could
  std::vector<StrictMetric> metrics;
};

// Families that have metrics, in the order in which their names first came. kInvalid "text format parsing error in line
// N: …"; the last line needs its newline.
Result<std::vector<StrictFamily>> ReadStrictText(std::string_view body, NameScheme scheme = NameScheme::kUtf8);

}  // namespace epi::scrape
