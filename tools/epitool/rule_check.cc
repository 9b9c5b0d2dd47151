#include "epitool/rule_check.h"
#include "base/escaping.h"

#include <istream>
#include <iterator>
#include <ostream>

#include "model/labels.h"
#include "rules/rule_file.h"
#include "telemetry/log.h"

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

LintSettings ParseLint(std::string_view list, Console& console, LintScope scope) {
  LintSettings lint;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (name == "all") {
      lint.duplicate_rules = lint.too_long_scrape_interval = true;
    } else if (name == "duplicate-rules") {
      lint.duplicate_rules = true;
    } else if (name == "too-long-scrape-interval" && scope == LintScope::kConfig) {
      lint.too_long_scrape_interval = true;
    } else if (name != "none") {
      std::string quoted;
      AppendQuoted(quoted, name);
      console.out << "WARNING: unknown lint option: " << quoted << "\n";
    }
  }
  return lint;
}

namespace {

// What is wrong with one text, and how many rules it has. `prefix` goes before what names a place in it.
struct CheckedRules {
  std::vector<std::string> errors;
  size_t count = 0;
  bool readable = false;  // what errors there are is the lint's
  bool has_more_documents = false;
};

CheckedRules CheckOneRuleText(std::string_view text, const std::string& prefix, const RuleCheck& check,
                              RuleVerdict& verdict) {
  rules::RuleFileOptions options;
  options.ignore_unknown_fields = check.ignore_unknown_fields;
  options.parser = check.parser;
  const auto parsed = rules::ParseRuleFile(text, options);
  CheckedRules out;
  for (const auto& error : parsed.errors) out.errors.push_back(prefix + error);
  out.readable = parsed.ok();
  verdict.errors |= !parsed.ok();
  out.has_more_documents = parsed.file.has_more_documents;
  for (const auto& group : parsed.file.groups) out.count += group.rules.size();
  if (!parsed.ok() || !check.lint.duplicate_rules) return out;
  if (std::string duplicates = DuplicatesText(parsed.file); !duplicates.empty()) {
    out.errors.push_back(std::move(duplicates));
    verdict.lints = true;
  }
  return out;
}

void PrintCheckedRules(const CheckedRules& checked, Console& console) {
  if (checked.has_more_documents) {
    const auto write = [](void* context, std::string_view line) { static_cast<Console*>(context)->err << line; };
    const Logger logger = Logger::ToFunction(LogLevel::kWarn, LogFormat::kLogfmt, write, &console);
    logger.Warn("Multiple document yaml rules files are not supported, only the first document is processed");
  }
  if (checked.errors.empty()) {
    console.out << "  SUCCESS: " << checked.count << " rules found\n\n";
    return;
  }
  console.err << "  FAILED:\n";
  for (const auto& error : checked.errors) console.err << error << "\n";
  if (checked.readable) console.out << "\n";
}

}  // namespace

RuleVerdict CheckRuleFiles(const std::vector<std::string>& paths, const RuleCheck& check, Console& console) {
  RuleVerdict verdict;
  for (const auto& path : paths) {
    console.out << "Checking " << path << "\n";
    const auto text = console.files.ReadFile(path);
    CheckedRules checked;
    if (text) {
      checked = CheckOneRuleText(*text, path + ": ", check, verdict);
    } else {
      checked.errors.push_back(text.error().message());
      verdict.errors = true;
    }
    PrintCheckedRules(checked, console);
  }
  return verdict;
}

RuleVerdict CheckRulesFromInput(const RuleCheck& check, Console& console) {
  RuleVerdict verdict;
  console.out << "Checking standard input\n";
  const std::string text{std::istreambuf_iterator<char>(console.in), std::istreambuf_iterator<char>()};
  PrintCheckedRules(CheckOneRuleText(text, "", check, verdict), console);
  return verdict;
}

}  // namespace epi::tool
