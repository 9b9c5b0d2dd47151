// check rules: rule files, or standard input.
#include <string>

#include "epitool/command.h"
#include "epitool/query_features.h"
#include "epitool/rule_check.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kCheckRulesFlags[] = {
    {"lint", true, "duplicate-rules",
     "Linting checks to apply. Available options are: all, duplicate-rules, none. Use --lint=none to disable linting"},
    {"lint-fatal", false, "", "Make lint errors exit with exit code 3."},
    {"ignore-unknown-fields", false, "",
     "Ignore unknown fields in the rule files. This is useful when you want to extend rule files with custom "
     "metadata."},
};

int RunCheckRules(const Arguments& arguments, Console& console) {
  const RuleCheck check = {ParseLint(arguments.Value("lint"), console, LintScope::kRules),
                           arguments.On("ignore-unknown-fields"), ReadQueryFeatures(arguments, console).parser};
  const RuleVerdict verdict = arguments.positional().empty() ? CheckRulesFromInput(check, console)
                                                             : CheckRuleFiles(arguments.positional(), check, console);
  if (verdict.errors) return kFailure;
  return verdict.lints && arguments.On("lint-fatal") ? kLintFailure : kSuccess;
}

}  // namespace

const Command kCheckRules = {
    "check rules", "[<rule-files>...]", "Check if the rule files are valid or not.", kCheckRulesFlags, 0, SIZE_MAX,
    SIZE_MAX,      &RunCheckRules,
};

}  // namespace epi::tool
