#include "rules/rule.h"

#include <unordered_set>

#include "promql/engine/engine.h"
#include "promql/parser/printer.h"

namespace epi::rules {

std::string_view RuleHealthName(RuleHealth health) {
  switch (health) {
    case RuleHealth::kOk:
      return "ok";
    case RuleHealth::kErr:
      return "err";
    case RuleHealth::kUnknown:
      break;
  }
  return "unknown";
}

Rule::Rule(std::string name, RuleLabels labels, std::shared_ptr<const promql::ParsedQuery> query)
    : name_(std::move(name)),
      labels_(std::move(labels)),
      query_(std::move(query)),
      query_text_(promql::ToString(query_->expr())) {}

Rule::Outcome Rule::outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_;
}

void Rule::SetHealth(RuleHealth health, std::string error) {
  const std::lock_guard lock(mutex_);
  outcome_.health = health;
  outcome_.last_error = std::move(error);
}

void Rule::SetEvaluation(double seconds, int64_t at_ns) {
  const std::lock_guard lock(mutex_);
  outcome_.evaluation_seconds = seconds;
  outcome_.evaluated_ns = at_ns;
}

bool HasDuplicates(const std::vector<RuleSample>& samples) {
  std::unordered_set<Labels> seen;
  for (const RuleSample& sample : samples) {
    if (!seen.insert(sample.labels).second) return true;
  }
  return false;
}

}  // namespace epi::rules
