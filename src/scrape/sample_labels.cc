#include "scrape/sample_labels.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/escaping.h"
#include "base/utf8.h"

namespace epi::scrape {
namespace {

constexpr std::string_view kExportedPrefix = "exported_";

// The first 50 characters, as Go's %.50s cuts.
std::string_view Cut50(std::string_view text) {
  size_t at = 0;
  for (int runes = 0; runes < 50 && at < text.size(); ++runes) {
    uint32_t rune = 0;
    at += std::max<size_t>(1, DecodeUtf8(text.substr(at), rune));
  }
  return text.substr(0, at);
}

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

Result<void> CheckLabelLimits(const Labels& labels, size_t repeated, const SampleRules& rules) {
  const std::string metric = "exceeded (metric: " + std::string(Cut50(labels.MetricName()));
  if (rules.label_limit > 0 && labels.size() + repeated > rules.label_limit) {
    return Fail(ErrorCode::kLimit, "label_limit " + metric + ", number of labels: " + Number(labels.size() + repeated) +
                                       ", limit: " + Number(rules.label_limit) + ")");
  }
  for (const LabelView label : labels) {
    if (rules.label_name_length_limit > 0 && label.name.size() > rules.label_name_length_limit) {
      return Fail(ErrorCode::kLimit, "label_name_length_limit " + metric + ", label name: " +
                                         std::string(Cut50(label.name)) + ", length: " + Number(label.name.size()) +
                                         ", limit: " + Number(rules.label_name_length_limit) + ")");
    }
    if (rules.label_value_length_limit > 0 && label.value.size() > rules.label_value_length_limit) {
      std::string quoted;
      AppendQuoted(quoted, Cut50(label.value));
      return Fail(ErrorCode::kLimit, "label_value_length_limit " + metric +
                                         ", label name: " + std::string(Cut50(label.name)) + ", value: " + quoted +
                                         ", length: " + Number(label.value.size()) +
                                         ", limit: " + Number(rules.label_value_length_limit) + ")");
    }
  }
  return {};
}

Labels AttachTargetLabels(const Labels& exposed, const Labels& target_labels, bool honor_labels,
                          const ExpositionParser& parser) {
  LabelsBuilder builder(exposed);
  if (honor_labels) {
    for (const LabelView label : target_labels) {
      if (!exposed.Has(label.name) && !parser.HasEmptyLabel(label.name)) builder.Set(label.name, label.value);
    }
    return builder.Build();
  }
  std::vector<std::pair<std::string, std::string>> conflicts;
  for (const LabelView label : target_labels) {
    if (const auto existing = exposed.Get(label.name); !existing.empty()) conflicts.emplace_back(label.name, existing);
    builder.Set(label.name, label.value);
  }
  // Shorter names first, so that "exported_x" is not taken by a renamed "x" when both conflict.
  std::stable_sort(conflicts.begin(), conflicts.end(),
                   [](const auto& a, const auto& b) { return a.first.size() < b.first.size(); });
  for (auto& [name, value] : conflicts) {
    do name.insert(0, kExportedPrefix);
    while (!builder.Get(name).empty());
    builder.Set(name, value);
  }
  return builder.Build();
}

}  // namespace epi::scrape
