// What is odd about exposed metrics: the checks of promlint, with its texts.
#pragma once

#include <string>
#include <vector>

#include "scrape/parse/strict_text_reader.h"

namespace epi::tool {

struct LintProblem {
  std::string metric;
  std::string text;
};
// Sorted by metric, then text.
std::vector<LintProblem> LintMetrics(const std::vector<scrape::StrictFamily>& families);

}  // namespace epi::tool
