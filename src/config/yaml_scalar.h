// What a plain YAML scalar means, by go-yaml's rules (YAML 1.1's booleans and numbers).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/yaml.h"

namespace epi::config {

// "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!binary", "!!map", "!!seq", or the explicit tag.
std::string YamlTag(const YamlNode& node);
// The same for a text that would be written as a plain scalar.
std::string YamlTagOfPlain(std::string_view text);

// true, True, TRUE, yes, on, y, … and their opposites, when the scalar is not quoted.
std::optional<bool> YamlBool(const YamlNode& node);
// Decimal, 0x, 0o, 0b and octal with a leading 0, with underscores; floats without a fraction too, as go-yaml takes
// them. nullopt for anything else and for what does not fit.
std::optional<int64_t> YamlInt(const YamlNode& node);
std::optional<uint64_t> YamlUint(const YamlNode& node);
// Integers too; .inf, -.inf, .nan.
std::optional<double> YamlFloat(const YamlNode& node);
// Any scalar as text; the empty text for null. nullopt for sequences and mappings.
std::optional<std::string> YamlString(const YamlNode& node);

}  // namespace epi::config
