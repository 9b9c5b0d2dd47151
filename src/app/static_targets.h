// Targets that stand in the configuration itself.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/scrape_config.h"
#include "scrape/scrape_pool.h"

namespace epi::app {

// The static_configs of every job, a group an item.
std::map<std::string, scrape::TargetGroups> StaticTargets(const std::vector<config::ScrapeConfig>& jobs);

}  // namespace epi::app
