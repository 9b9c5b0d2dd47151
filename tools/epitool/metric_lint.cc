#include "epitool/metric_lint.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/labels.h"

namespace epi::tool {
namespace {

using scrape::StrictFamily;
using Texts = std::vector<std::string>;

constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"amperes", "amperes"},    {"bytes", "bytes"},     {"celsius", "celsius"}, {"grams", "grams"},
    {"joules", "joules"},      {"kelvin", "kelvin"},   {"meters", "meters"},   {"metres", "metres"},
    {"moles", "moles"},        {"seconds", "seconds"}, {"volts", "volts"},     {"minutes", "seconds"},
    {"hours", "seconds"},      {"days", "seconds"},    {"weeks", "seconds"},   {"kelvins", "kelvin"},
    {"fahrenheit", "celsius"}, {"rankine", "celsius"}, {"inches", "meters"},   {"yards", "meters"},
    {"miles", "meters"},       {"bits", "bytes"},      {"calories", "joules"}, {"pounds", "grams"},
    {"ounces", "grams"},
};
constexpr std::string_view kUnitPrefixes[] = {"pico", "nano",  "micro", "milli", "centi", "deci",
                                              "deca", "hecto", "kilo",  "kibi",  "mega",  "mibi",
                                              "giga", "gibi",  "tera",  "tebi",  "peta",  "pebi"};
constexpr std::string_view kAbbreviations[] = {"s",  "ms", "us", "ns", "sec", "b", "kb",
                                               "mb", "gb", "tb", "pb", "m",   "h", "d"};

std::optional<std::string_view> BaseUnit(std::string_view word) {
  for (const auto& [unit, base] : kUnits) {
    if (unit == word) return base;
  }
  return std::nullopt;
}

bool HasWord(std::string_view name, std::string_view word) {
  const std::string part = "_" + std::string(word);
  return name.ends_with(part) || name.find(part + "_") != std::string_view::npos;
}

bool IsCamelCase(std::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i - 1] >= 'a' && text[i - 1] <= 'z' && text[i] >= 'A' && text[i] <= 'Z') return true;
  }
  return false;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

void LintHelp(const StrictFamily& family, Texts& out) {
  if (!family.help) out.emplace_back("no help text");
}

void LintUnits(const StrictFamily& family, Texts& out) {
  std::string_view rest = family.name;
  while (!rest.empty()) {
    const size_t end = rest.find('_');
    const std::string_view word = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    auto base = BaseUnit(word);
    for (const auto prefix : kUnitPrefixes) {
      if (!base && word.starts_with(prefix)) base = BaseUnit(word.substr(prefix.size()));
    }
    if (!base) continue;
    if (*base != word) {
      out.push_back("use base unit \"" + std::string(*base) + "\" instead of \"" + std::string(word) + "\"");
    }
    return;
  }
}

void LintCounter(const StrictFamily& family, Texts& out) {
  const bool total = family.name.ends_with("_total");
  if (family.type == MetricType::kCounter && !total) {
    out.emplace_back("counter metrics should have \"_total\" suffix");
  } else if (family.type != MetricType::kCounter && family.type != MetricType::kUnknown && total) {
    out.emplace_back("non-counter metrics should not have \"_total\" suffix");
  }
}

void LintReservedParts(const StrictFamily& family, Texts& out) {
  if (family.type == MetricType::kUnknown) return;
  const bool histogram = family.type == MetricType::kHistogram;
  const bool summary = family.type == MetricType::kSummary;
  const std::string_view name = family.name;
  if (!histogram && name.ends_with("_bucket")) {
    out.emplace_back("non-histogram metrics should not have \"_bucket\" suffix");
  }
  if (!histogram && !summary && name.ends_with("_count")) {
    out.emplace_back("non-histogram and non-summary metrics should not have \"_count\" suffix");
  }
  if (!histogram && !summary && name.ends_with("_sum")) {
    out.emplace_back("non-histogram and non-summary metrics should not have \"_sum\" suffix");
  }
  for (const auto& metric : family.metrics) {
    for (const auto& label : metric.labels) {
      if (!histogram && label.first == kBucketLabel) {
        out.emplace_back("non-histogram metrics should not have \"le\" label");
      }
      if (!summary && label.first == kQuantileLabel) {
        out.emplace_back("non-summary metrics should not have \"quantile\" label");
      }
    }
  }
}

void LintTypeInName(const StrictFamily& family, Texts& out) {
  if (family.type == MetricType::kUnknown) return;
  const std::string_view type =
      family.type == MetricType::kGaugeHistogram ? "gauge_histogram" : MetricTypeName(family.type);
  if (HasWord(Lower(family.name), type)) {
    out.push_back("metric name should not include type '" + std::string(type) + "'");
  }
}

void LintReservedCharacters(const StrictFamily& family, Texts& out) {
  if (family.name.find(':') != std::string::npos) out.emplace_back("metric names should not contain ':'");
}

void LintCamelCase(const StrictFamily& family, Texts& out) {
  if (IsCamelCase(family.name)) out.emplace_back("metric names should be written in 'snake_case' not 'camelCase'");
  for (const auto& metric : family.metrics) {
    for (const auto& label : metric.labels) {
      if (IsCamelCase(label.first)) out.emplace_back("label names should be written in 'snake_case' not 'camelCase'");
    }
  }
}

void LintAbbreviations(const StrictFamily& family, Texts& out) {
  const std::string name = Lower(family.name);
  for (const auto unit : kAbbreviations) {
    if (HasWord(name, unit)) out.emplace_back("metric names should not contain abbreviated units");
  }
}

void LintDuplicates(const StrictFamily& family, Texts& out) {
  std::set<std::vector<std::pair<std::string, std::string>>> seen;
  for (const auto& metric : family.metrics) {
    auto labels = metric.labels;
    std::sort(labels.begin(), labels.end());
    if (!seen.insert(std::move(labels)).second) out.emplace_back("metric not unique");
  }
}

constexpr void (*kChecks[])(const StrictFamily&, Texts&) = {
    LintHelp,      LintUnits,         LintCounter,   LintReservedParts, LintTypeInName, LintReservedCharacters,
    LintCamelCase, LintAbbreviations, LintDuplicates};

}  // namespace

std::vector<LintProblem> LintMetrics(const std::vector<StrictFamily>& families) {
  std::vector<LintProblem> problems;
  for (const auto& family : families) {
    Texts texts;
    for (const auto check : kChecks) check(family, texts);
    for (auto& text : texts) problems.push_back({family.name, std::move(text)});
  }
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
    return std::tie(a.metric, a.text) < std::tie(b.metric, b.text);
  });
  return problems;
}

}  // namespace epi::tool
