// What this build is called. The version number is that of the Prometheus whose surface it has, because clients decide
// by it what they may ask.
#pragma once

#include <string>

#include "web/services.h"

namespace epi::app {

web::BuildInfo ThisBuild();
// What --version prints, without the last newline.
std::string VersionText(const web::BuildInfo& build, const std::string& platform);

}  // namespace epi::app
