// The syntax of Kubernetes's field and label selectors, checked when the configuration is loaded.
#pragma once

#include <string_view>

#include "base/result.h"

namespace epi::config {

// "metadata.name=x,status.phase!=Running". kInvalid with Kubernetes's text:
// `invalid selector: 'x'; can't understand 'x'`.
Result<void> CheckFieldSelector(std::string_view selector);
// "app in (a, b), !legacy, tier=web, x > 1".
Result<void> CheckLabelSelector(std::string_view selector);

}  // namespace epi::config
