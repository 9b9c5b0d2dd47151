// Checking rule files, for the commands that come across them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "epitool/command.h"
#include "promql/parser/parser.h"

namespace epi::tool {

struct LintSettings {
  bool duplicate_rules = false;
  bool too_long_scrape_interval = false;
};
enum class LintScope : unsigned char { kRules, kConfig };
// A comma-separated list of all, none, duplicate-rules and, for configurations, too-long-scrape-interval; other names
// are warned of.
LintSettings ParseLint(std::string_view list, Console& console, LintScope scope = LintScope::kConfig);

struct RuleCheck {
  LintSettings lint;
  bool ignore_unknown_fields = false;
  promql::ParseOptions parser;
};

struct RuleVerdict {
  bool errors = false;
  bool lints = false;
};
// Prints what promtool prints for each file.
RuleVerdict CheckRuleFiles(const std::vector<std::string>& paths, const RuleCheck& check, Console& console);
// The same for one text from standard input.
RuleVerdict CheckRulesFromInput(const RuleCheck& check, Console& console);

}  // namespace epi::tool
