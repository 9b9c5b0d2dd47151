// How relabeling rules are read and written; see schema.h.
#pragma once

#include "config/schema.h"
#include "model/relabel.h"

namespace epi::config {

template <>
struct Schema<RelabelConfig> {
  static constexpr std::string_view kGoType = "relabel.plain";
  static constexpr std::string_view kGoListType = "[]*relabel.Config";
  static std::span<const FieldSpec> Fields();
};

// A list of rules by itself, as in relabeling tests and tools. Not validated.
Result<std::vector<RelabelConfig>> ParseRelabelConfigs(std::string_view yaml);
std::string RelabelConfigToYaml(const RelabelConfig& config);

// Gives each rule the scheme and validates it.
Result<void> CompleteRelabelConfigs(std::vector<RelabelConfig>& configs, NameScheme scheme);

}  // namespace epi::config
