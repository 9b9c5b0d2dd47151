// YAML values of any shape, turned into JSON text or back into what the writer takes.
#pragma once

#include <string>

#include "config/yaml.h"
#include "config/yaml_writer.h"

namespace epi::config {

// Scalars by their YAML type; keys as text; NaN and infinities, which JSON has not, as null.
std::string YamlToJson(const YamlNode& node);
// The node as it would be written again.
YamlValue YamlFromNode(const YamlNode& node);

}  // namespace epi::config
