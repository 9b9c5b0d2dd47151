// From the labels that a sample exposes to those it is stored under.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "model/labels.h"
#include "scrape/parse/exposition.h"
#include "scrape/sample_rules.h"

namespace epi::scrape {

// How exposed labels and target labels are brought together, before relabeling.
Labels AttachTargetLabels(const Labels& exposed, const Labels& target_labels, bool honor_labels,
                          const ExpositionParser& parser);

// kLimit when one of the rules' limits on labels is passed. `repeated`: how many labels the sample carries beyond
// these, under a name that another has.
Result<void> CheckLabelLimits(const Labels& labels, size_t repeated, const SampleRules& rules);

}  // namespace epi::scrape
