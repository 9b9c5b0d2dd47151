// The forms of keys, identifiers and addresses that Scaleway's client insists on.
#pragma once

#include "base/result.h"
#include "config/sd_other_configs.h"

namespace epi::config {

// kInvalid with the client's sentence for the first that is wrong.
Result<void> CheckScalewayProfile(const ScalewaySdConfig& config);

}  // namespace epi::config
