// Rule files: groups of recording and alerting rules as plain structs, with everything Prometheus checks in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/label_names.h"
#include "promql/parser/parser.h"
#include "rules/rule_labels.h"

namespace epi::rules {

// Where something stands in a file; zero when it is not there.
struct FilePosition {
  int line = 0;
  int column = 0;
};

struct RuleSpec {
  std::string record;  // exactly one of record and alert is set
  std::string alert;
  std::string expr;
  int64_t for_ms = 0;
  int64_t keep_firing_for_ms = 0;
  RuleLabels labels;
  RuleLabels annotations;
  FilePosition record_at;
  FilePosition alert_at;
  FilePosition expr_at;
  const std::string& name() const { return alert.empty() ? record : alert; }
};

struct RuleGroupSpec {
  std::string name;
  int64_t interval_ms = 0;  // 0: the global evaluation interval
  std::optional<int64_t> query_offset_ms;
  int64_t limit = 0;  // of series or alerts a rule; 0: none
  RuleLabels labels;  // of every rule, unless it has its own
  std::vector<RuleSpec> rules;
};

struct RuleFile {
  std::vector<RuleGroupSpec> groups;
  bool has_more_documents = false;  // only the first of several was read; worth a warning
};

struct RuleFileOptions {
  bool ignore_unknown_fields = false;
  NameScheme scheme = NameScheme::kUtf8;
  promql::ParseOptions parser;
};

// What is wrong with a file: whole sentences in Prometheus's words, all of them, in the order of the file.
struct RuleFileOutcome {
  RuleFile file;
  std::vector<std::string> errors;
  bool ok() const { return errors.empty(); }
};
RuleFileOutcome ParseRuleFile(std::string_view text, const RuleFileOptions& options);

// Rules that have the same name and labels, each once: what a lint reports.
struct DuplicateRule {
  std::string metric;
  RuleLabels labels;
};
std::vector<DuplicateRule> FindDuplicateRules(const RuleFile& file);

// The labels a rule has in a group: the group's, overridden by its own.
RuleLabels MergedLabels(const RuleGroupSpec& group, const RuleSpec& rule);

}  // namespace epi::rules
