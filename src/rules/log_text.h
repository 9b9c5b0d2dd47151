// How Prometheus's log lines print rules and what they give.
#pragma once

#include <string>

#include "rules/rule.h"

namespace epi::rules {

// The rule as a rule file would have it, with the group's labels among its own: the field `rule`.
std::string RuleYaml(const Rule& rule);
// {__name__="x"} => 2 @[1700000000000]: the field `sample`.
std::string SampleText(const RuleSample& sample);

}  // namespace epi::rules
