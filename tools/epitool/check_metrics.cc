// check metrics: lints a text exposition from standard input, and counts its series.
#include <algorithm>
#include <cstdio>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "epitool/command.h"
#include "epitool/metric_lint.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kFlags[] = {
    {"extended", false, "", "Print extended information related to the cardinality of the metrics."},
    {"lint", true, "all",
     "Linting checks to apply for metrics. Available options are: all, none. Use --lint=none to disable metrics "
     "linting."},
};

// Columns as wide as their widest cell, and four spaces.
void PrintTable(const std::vector<std::vector<std::string>>& rows, std::ostream& out) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + 4);
  }
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) out << row[i] << std::string(widths[i] - row[i].size(), ' ');
    out << "\n";
  }
}

void PrintCardinality(std::vector<ExposedFamily> families, std::ostream& out) {
  std::stable_sort(families.begin(), families.end(),
                   [](const auto& a, const auto& b) { return a.series.size() > b.series.size(); });
  size_t total = 0;
  for (const auto& family : families) total += family.series.size();
  std::vector<std::vector<std::string>> rows = {{"Metric", "Cardinality", "Percentage"}};
  for (const auto& family : families) {
    char percentage[32];
    std::snprintf(percentage, sizeof percentage, "%.2f%%",
                  100.0 * static_cast<double>(family.series.size()) / static_cast<double>(total));
    rows.push_back({family.name, std::to_string(family.series.size()), percentage});
  }
  rows.push_back({"Total", std::to_string(total), "100%"});
  PrintTable(rows, out);
}

int Run(const Arguments& arguments, Console& console) {
  const bool extended = arguments.On("extended");
  const std::string_view lint = arguments.Value("lint");
  if (lint != "all" && lint != "none") {
    console.err << "epitool: error: unknown lint option '" << lint << "'\n";
    return kFailure;
  }
  if (!extended && lint == "none") {
    console.err << "error: at least one of --extended or linting must be enabled\n";
    return kFailure;
  }
  const std::string body{std::istreambuf_iterator<char>(console.in), std::istreambuf_iterator<char>()};
  const auto families = ReadFamilies(body);
  if (!families) {
    console.err << "error while linting: " << families.error().message() << "\n";
    return kFailure;
  }
  int code = kSuccess;
  if (lint == "all") {
    const auto problems = LintMetrics(*families);
    for (const auto& problem : problems) console.err << problem.metric << " " << problem.text << "\n";
    if (!problems.empty()) code = kLintFailure;
  }
  if (extended) PrintCardinality(*families, console.out);
  return code;
}

}  // namespace

const Command kCheckMetrics = {"check metrics",
                               "",
                               "Pass Prometheus metrics over stdin to lint them for consistency and correctness.",
                               kFlags,
                               0,
                               0,
                               Run};

}  // namespace epi::tool
