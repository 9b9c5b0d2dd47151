// How the sections of the configuration file are read and written; see schema.h.
#pragma once

#include "config/config.h"
#include "config/schema.h"

namespace epi::config {

// The content of a file named in scrape_config_files.
struct ScrapeConfigsFile {
  std::vector<ScrapeConfig> scrape_configs;
};

template <>
struct Schema<ScrapeConfigsFile> {
  static constexpr std::string_view kGoType = "config.ScrapeConfigs";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<Config> {
  static constexpr std::string_view kGoType = "config.plain";
  static std::span<const FieldSpec> Fields();
};

}  // namespace epi::config
