// A scrape job from the configuration file.
#pragma once

#include "config/scrape_config.h"
#include "scrape/scrape_job.h"
#include "scrape/scrape_pool.h"

namespace epi::scrape {

// `config` is complete and validated.
ScrapeJob JobFromConfig(const config::ScrapeConfig& config);

}  // namespace epi::scrape
