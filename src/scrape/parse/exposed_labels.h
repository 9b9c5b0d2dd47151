// Labels as a sample exposes them: a name may stand there twice, or with an empty value.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"

namespace epi::scrape {

// As a label set. Of equal names the first counts; a name that is empty anywhere is no label at all.
Labels ExposedLabels(std::vector<LabelView> pairs);
bool HasEmptyLabel(std::span<const LabelView> pairs, std::string_view name);
// The first name, in order, that stands there twice and is among the stored labels; empty when there is none. One that
// relabeling takes away is no mistake, one that is set to something else is.
std::string RepeatedLabel(std::vector<LabelView> pairs, const Labels& stored);

}  // namespace epi::scrape
