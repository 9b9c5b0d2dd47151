#include "epitool/rule_check.h"

#include <ostream>

#include "model/labels.h"
#include "rules/rule_file.h"

namespace epi::tool {
namespace {

// The lint's text, or empty when no rule occurs twice.
std::string DuplicatesText(const rules::RuleFile& file) {
  const auto duplicates = rules::FindDuplicateRules(file);
  if (duplicates.empty()) return {};
  std::string text = "lint error " + std::to_string(duplicates.size()) + " duplicate rule(s) found.\n";
  for (const auto& rule : duplicates) {
    text += "Metric: " + rule.metric + "\nLabel(s):\n";
    for (const auto& [name, value] : rule.labels) text += "\t" + name + ": " + value + "\n";
  }
  return text + "Might cause inconsistency while recording expressions";
}

}  // namespace

LintSettings ParseLint(std::string_view list, Console& console) {
  LintSettings lint;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (name == "all") {
      lint.duplicate_rules = lint.too_long_scrape_interval = true;
    } else if (name == "duplicate-rules") {
      lint.duplicate_rules = true;
    } else if (name == "too-long-scrape-interval") {
      lint.too_long_scrape_interval = true;
    } else if (name != "none") {
      std::string quoted;
      AppendQuoted(quoted, name);
      console.out << "WARNING: unknown lint option: " << quoted << "\n";
    }
  }
  return lint;
}

RuleVerdict CheckRuleFiles(const std::vector<std::string>& paths, const LintSettings& lint, bool ignore_unknown_fields,
                           Console& console) {
  RuleVerdict verdict;
  rules::RuleFileOptions options;
  options.ignore_unknown_fields = ignore_unknown_fields;
  options.parser = promql::ParseOptions::AllEnabled();
  for (const auto& path : paths) {
    console.out << "Checking " << path << "\n";
    const auto text = console.files.ReadFile(path);
    std::vector<std::string> errors;
    size_t count = 0;
    if (!text) {
      errors.push_back(text.error().message());
      verdict.errors = true;
    } else {
      const auto parsed = rules::ParseRuleFile(*text, options);
      for (const auto& error : parsed.errors) errors.push_back(path + ": " + error);
      verdict.errors |= !parsed.ok();
      for (const auto& group : parsed.file.groups) count += group.rules.size();
      if (parsed.ok() && lint.duplicate_rules) {
        if (std::string duplicates = DuplicatesText(parsed.file); !duplicates.empty()) {
          errors.push_back(std::move(duplicates));
          verdict.lints = true;
        }
      }
    }
    if (errors.empty()) {
      console.out << "  SUCCESS: " << count << " rules found\n\n";
      continue;
    }
    console.err << "  FAILED:\n";
    for (const auto& error : errors) console.err << error << "\n";
    console.out << "\n";
  }
  return verdict;
}

}  // namespace epi::tool
