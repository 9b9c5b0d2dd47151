#include "rules/rule_file.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/escaping.h"
#include "config/schema.h"
#include "config/yaml.h"
#include "config/yaml_reader.h"
#include "model/labels.h"
#include "rules/template/template.h"
#include "rules/template/template_functions.h"

namespace epi::rules {
namespace {

using config::YamlEntry;
using config::YamlNode;
using config::YamlReader;

FilePosition PositionOf(const YamlNode& node) { return {node.line(), node.column()}; }

std::string QuotedInRules(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

// Prometheus reads a file twice, into its rules and, for the places that errors name, into nodes, and shows what was
// wrong both times. The second time unknown fields are taken, and so is anything for a name or an expression.
struct GoTypes {
  bool nodes = false;
  std::string_view file = "rulefmt.RuleGroups";
  std::string_view groups = "[]rulefmt.RuleGroup";
  std::string_view group = "rulefmt.RuleGroup";
  std::string_view rules = "[]rulefmt.Rule";
  std::string_view rule = "rulefmt.Rule";
};
constexpr GoTypes kNodeTypes = {true,
                                "rulefmt.ruleGroups",
                                "[]rulefmt.RuleGroupNode",
                                "rulefmt.RuleGroupNode",
                                "[]rulefmt.RuleNode",
                                "rulefmt.RuleNode"};

// Reads the tree into structs; go-yaml's texts for what does not fit.
class FileReader {
 public:
  FileReader(YamlReader& reader, bool ignore_unknown, const GoTypes& types)
      : reader_(reader), ignore_unknown_(ignore_unknown || types.nodes), types_(types) {}

  void Read(const YamlNode& root, RuleFile& out) {
    if (root.IsNull()) return;
    ForEachField(root, types_.file, [&](std::string_view key, const YamlNode& value) {
      if (key != "groups") return false;
      ForEachItem(value, types_.groups, [&](const YamlNode& item) { ReadGroup(item, out.groups.emplace_back()); });
      return true;
    });
  }

 private:
  // Calls visit(key, value) for every entry; false from it means that there is no such field.
  template <typename Visit>
  void ForEachField(const YamlNode& node, std::string_view go_type, const Visit& visit) {
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader_.WrongType(node, go_type);
      return;
    }
    for (const YamlEntry& entry : node.entries()) {
      if (!visit(entry.key.text(), entry.value) && !ignore_unknown_) reader_.UnknownField(entry.key, go_type);
    }
  }

  template <typename Visit>
  void ForEachItem(const YamlNode& node, std::string_view go_type, const Visit& visit) {
    if (node.IsNull()) return;
    if (!node.IsSequence()) {
      reader_.WrongType(node, go_type);
      return;
    }
    // Go leaves nulls out of lists of structs.
    for (const YamlNode& item : node.items()) {
      if (!item.IsNull()) visit(item);
    }
  }

  void ReadGroup(const YamlNode& node, RuleGroupSpec& out) {
    ForEachField(node, types_.group, [&](std::string_view key, const YamlNode& value) {
      if (key == "name") {
        reader_.ReadString(value, out.name);
      } else if (key == "interval") {
        config::DurationCodec::Read(reader_, value, out.interval_ms);
      } else if (key == "query_offset") {
        if (!value.IsNull()) config::DurationCodec::Read(reader_, value, out.query_offset_ms.emplace(0));
      } else if (key == "limit") {
        reader_.ReadInt(value, out.limit);
      } else if (key == "labels") {
        config::Codec<config::StringMap>::Read(reader_, value, out.labels);
      } else if (key == "rules") {
        ForEachItem(value, types_.rules, [&](const YamlNode& item) { ReadRule(item, out.rules.emplace_back()); });
      } else {
        return false;
      }
      return true;
    });
  }

  void ReadRule(const YamlNode& node, RuleSpec& out) {
    ForEachField(node, types_.rule, [&](std::string_view key, const YamlNode& value) {
      if (key == "record") {
        ReadText(value, out.record);
        out.record_at = PositionOf(value);
      } else if (key == "alert") {
        ReadText(value, out.alert);
        out.alert_at = PositionOf(value);
      } else if (key == "expr") {
        ReadText(value, out.expr);
        out.expr_at = PositionOf(value);
      } else if (key == "for") {
        config::DurationCodec::Read(reader_, value, out.for_ms);
      } else if (key == "keep_firing_for") {
        config::DurationCodec::Read(reader_, value, out.keep_firing_for_ms);
      } else if (key == "labels") {
        config::Codec<config::StringMap>::Read(reader_, value, out.labels);
      } else if (key == "annotations") {
        config::Codec<config::StringMap>::Read(reader_, value, out.annotations);
      } else {
        return false;
      }
      return true;
    });
  }

  void ReadText(const YamlNode& node, std::string& out) {
    if (!types_.nodes) reader_.ReadString(node, out);
  }

  YamlReader& reader_;
  const bool ignore_unknown_;
  const GoTypes& types_;
};

class FileChecker {
 public:
  FileChecker(const RuleFileOptions& options, std::vector<std::string>& errors) : options_(options), errors_(errors) {}

  void Check(const RuleFile& file) {
    std::set<std::string> names;
    for (const RuleGroupSpec& group : file.groups) {
      // Prometheus does not know where a group is either.
      const std::string at = At({});
      if (group.name.empty()) errors_.push_back(at + "Groupname must not be empty");
      if (!names.insert(group.name).second) {
        errors_.push_back(at + "groupname: \"" + group.name + "\" is repeated in the same file");
      }
      CheckLabels(group.labels, "");
      for (size_t i = 0; i < group.rules.size(); ++i) CheckRule(group, group.rules[i], i + 1);
    }
  }

 private:
  static std::string At(FilePosition at) { return std::to_string(at.line) + ":" + std::to_string(at.column) + ": "; }

  void CheckLabels(const RuleLabels& labels, const std::string& prefix) {
    for (const auto& [name, value] : labels) {
      if (!IsValidLabelName(name, options_.scheme) || name == kMetricName)
        errors_.push_back(prefix + "invalid label name: " + name);
      if (!IsValidUtf8(value)) errors_.push_back(prefix + "invalid label value: " + value);
    }
  }

  void CheckRule(const RuleGroupSpec& group, const RuleSpec& rule, size_t number) {
    const std::string where = "group " + QuotedInRules(group.name) + ", rule " + std::to_string(number) + ", " +
                              QuotedInRules(rule.name()) + ": ";
    const auto add = [&](FilePosition at, std::string_view what) {
      errors_.push_back(At(at) + where + std::string(what));
    };
    const std::string both = At(rule.record_at) + At(rule.alert_at);
    if (!rule.record.empty() && !rule.alert.empty()) {
      errors_.push_back(both + where + "only one of 'record' and 'alert' must be set");
    }
    if (rule.record.empty() && rule.alert.empty()) {
      errors_.push_back(both + where + "one of 'record' or 'alert' must be set");
    }
    if (rule.expr.empty()) {
      add(rule.expr_at, "field 'expr' must be set in rule");
    } else if (const auto parsed = promql::ParseExpr(rule.expr, options_.parser); !parsed) {
      add(rule.expr_at, "could not parse expression: " + parsed.error().message());
    }
    if (!rule.record.empty()) CheckRecording(rule, add);
    CheckLabels(rule.labels, where);
    for (const auto& annotation : rule.annotations) {
      if (!IsValidLabelName(annotation.first, options_.scheme)) {
        errors_.push_back(where + "invalid annotation name: " + annotation.first);
      }
    }
    if (!rule.alert.empty()) {
      CheckTemplates(rule, rule.labels, where + "label ");
      CheckTemplates(rule, rule.annotations, where + "annotation ");
    }
  }

  template <typename Add>
  void CheckRecording(const RuleSpec& rule, const Add& add) {
    if (!rule.annotations.empty()) add(rule.record_at, "invalid field 'annotations' in recording rule");
    if (rule.for_ms != 0) add(rule.record_at, "invalid field 'for' in recording rule");
    if (rule.keep_firing_for_ms != 0) add(rule.record_at, "invalid field 'keep_firing_for' in recording rule");
    if (!IsValidMetricName(rule.record, options_.scheme))
      add(rule.record_at, "invalid recording rule name: " + rule.record);
    // Valid as a name, but a mistake for an expression.
    if (rule.record.find_first_of("{}") != std::string::npos) {
      add(rule.record_at, "braces present in the recording rule name; should it be in expr?: " + rule.record);
    }
  }

  void CheckTemplates(const RuleSpec& rule, const RuleLabels& texts, const std::string& prefix) {
    for (const auto& [name, text] : texts) {
      const auto has_function = [](std::string_view function) {
        const TemplateFunction* found = FindTemplateFunction(function);
        return found != nullptr && !found->html_only;
      };
      const auto parsed =
          ParseTemplate("__alert_" + rule.alert, std::string(kAlertTemplatePrefix) + text, has_function);
      if (!parsed) errors_.push_back(prefix + QuotedInRules(name) + ": " + parsed.error().message());
    }
  }

  const RuleFileOptions& options_;
  std::vector<std::string>& errors_;
};

}  // namespace

RuleFileOutcome ParseRuleFile(std::string_view text, const RuleFileOptions& options) {
  RuleFileOutcome out;
  auto document = config::YamlDocument::Parse(text, config::DuplicateKeys::kReject);
  if (!document) {
    out.errors.assign(2, document.error().message());
    return out;
  }
  out.file.has_more_documents = document->has_more_documents();
  const auto read = [&](const GoTypes& types, RuleFile& file) {
    YamlReader reader;
    FileReader(reader, options.ignore_unknown_fields, types).Read(document->root(), file);
    if (auto finished = reader.Finish(); !finished) out.errors.push_back(finished.error().message());
  };
  RuleFile nodes;
  read({}, out.file);
  read(kNodeTypes, nodes);
  if (!out.errors.empty()) return out;
  FileChecker(options, out.errors).Check(out.file);
  return out;
}

RuleLabels MergedLabels(const RuleGroupSpec& group, const RuleSpec& rule) {
  std::map<std::string, std::string> merged(group.labels.begin(), group.labels.end());
  for (const auto& [name, value] : rule.labels) merged[name] = value;
  return {merged.begin(), merged.end()};
}

std::vector<DuplicateRule> FindDuplicateRules(const RuleFile& file) {
  std::map<std::pair<std::string, RuleLabels>, int> counts;
  for (const RuleGroupSpec& group : file.groups) {
    for (const RuleSpec& rule : group.rules) ++counts[{rule.name(), MergedLabels(group, rule)}];
  }
  std::vector<DuplicateRule> out;
  for (const auto& [key, count] : counts) {
    if (count > 1) out.push_back({key.first, key.second});
  }
  return out;
}

}  // namespace epi::rules
