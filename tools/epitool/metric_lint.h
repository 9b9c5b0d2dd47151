// What is odd about exposed metrics: the checks of promlint, with its texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi::tool {

// The metrics of a text exposition that belong to one name.
struct ExposedFamily {
  std::string name;
  bool has_help = false;
  bool has_type = false;
  MetricType type = MetricType::kUnknown;
  std::vector<Labels> series;  // one a line, with the name as exposed
};
// In the order of the body. kInvalid with the parser's text.
Result<std::vector<ExposedFamily>> ReadFamilies(std::string_view body);

struct LintProblem {
  std::string metric;
  std::string text;
};
// Sorted by metric, then text.
std::vector<LintProblem> LintMetrics(const std::vector<ExposedFamily>& families);

}  // namespace epi::tool
