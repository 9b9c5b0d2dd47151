// Labels and annotations as rule files have them: unlike the labels of series they may have empty values, which delete
// a label, or are shown as empty annotations.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/labels.h"

namespace epi::rules {

using RuleLabels = std::vector<std::pair<std::string, std::string>>;  // sorted by name, each once

Labels ToLabels(const RuleLabels& pairs);  // without the empty ones
RuleLabels ToRuleLabels(const Labels& labels);
std::string RuleLabelsText(const RuleLabels& pairs);  // {a="b", c=""}

}  // namespace epi::rules
