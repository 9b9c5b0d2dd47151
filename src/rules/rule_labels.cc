#include "rules/rule_labels.h"

#include "base/escaping.h"

namespace epi::rules {

Labels ToLabels(const RuleLabels& pairs) {
  LabelsBuilder builder;
  for (const auto& [name, value] : pairs) builder.Set(name, value);
  return builder.Build();
}

RuleLabels ToRuleLabels(const Labels& labels) {
  RuleLabels out;
  for (const LabelView& label : labels) out.emplace_back(label.name, label.value);
  return out;
}

std::string RuleLabelsText(const RuleLabels& pairs) {
  std::string out = "{";
  for (const auto& [name, value] : pairs) {
    if (out.size() > 1) out += ", ";
    if (IsLegacyLabelName(name)) {
      out += name;
    } else {
      AppendQuoted(out, name);
    }
    out += '=';
    AppendQuoted(out, value);
  }
  return out + "}";
}

}  // namespace epi::rules
