// How a scrape job is read and written; see schema.h.
#pragma once

#include "config/schema.h"
#include "config/scrape_config.h"

namespace epi::config {

template <>
struct Schema<ScrapeConfig> {
  static constexpr std::string_view kGoType = "config.ScrapeConfig";
  static constexpr std::string_view kGoListType = "[]*config.ScrapeConfig";
  static std::span<const FieldSpec> Fields();
  static bool ReadExtra(YamlReader& reader, const YamlEntry& entry, ScrapeConfig& config);
  static void WriteExtra(const ScrapeConfig& config, const WriteOptions& options, YamlValue& mapping);
  static Result<void> Validate(ScrapeConfig& config);
};

}  // namespace epi::config
