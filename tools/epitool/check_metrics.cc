// check metrics: lints a text exposition from standard input, and counts its series.
#include <algorithm>
#include <cstdio>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>
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

// Series of a family, of which every metric is taken to have as many parts as the first.
size_t SeriesOf(const scrape::StrictFamily& family) {
  const size_t metrics = family.metrics.size();
  if (family.type != MetricType::kSummary && family.type != MetricType::kHistogram) return metrics;
  return metrics * (2 + family.metrics.front().parts.size());
}

void PrintCardinality(const std::vector<scrape::StrictFamily>& families, std::ostream& out) {
  std::vector<std::pair<size_t, std::string>> counts;
  size_t total = 0;
  for (const auto& family : families) {
    counts.emplace_back(SeriesOf(family), family.name);
    total += counts.back().first;
  }
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::vector<std::string>> rows = {{"Metric", "Cardinality", "Percentage"}};
  for (const auto& [count, name] : counts) {
    char percentage[32];
    std::snprintf(percentage, sizeof percentage, "%.2f%%",
                  100.0 * static_cast<double>(count) / static_cast<double>(total));
    rows.push_back({name, std::to_string(count), percentage});
  }
  rows.push_back({"Total", std::to_string(total), "100%"});
  PrintTable(rows, out);
}

int Run(const Arguments& arguments, Console& console) {
  const bool extended = arguments.On("extended");
  const std::string_view lint = arguments.Value("lint");
  if (!extended && lint == "none") {
    console.err << "error: at least one of --extended or linting must be enabled\n"
                   "Use --extended for cardinality analysis, or remove --lint=none to enable linting\n";
    return kFailure;
  }
  const std::string body{std::istreambuf_iterator<char>(console.in), std::istreambuf_iterator<char>()};
  const auto families = scrape::ReadStrictText(body);
  if (!families) {
    console.err << (lint != "none" ? "error while linting: " : "error while parsing text to metric families: ")
                << families.error().message() << "\n";
    return kFailure;
  }
  int code = kSuccess;
  if (lint != "none") {
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
                               0,
                               Run};

}  // namespace epi::tool
