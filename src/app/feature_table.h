// What this server can do, for /api/v1/features.
#pragma once

#include "config/features.h"
#include "config/flags.h"
#include "web/services.h"

namespace epi::app {

// By the flags and features in force. Categories and names are Prometheus's; what is only parsed is false.
web::FeatureTable MakeFeatureTable(const config::Flags& flags, const config::Features& features);

}  // namespace epi::app
