// Rules that store what their expression gives under a new name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rules/rule.h"

namespace epi::rules {

class RecordingRule final : public Rule {
 public:
  RecordingRule(std::string name, RuleLabels labels, std::shared_ptr<const promql::ParsedQuery> query)
      : Rule(std::move(name), std::move(labels), std::move(query)) {}
  bool alerting() const override { return false; }
  Result<std::vector<RuleSample>> Evaluate(const RuleContext& context) override;
};

}  // namespace epi::rules
