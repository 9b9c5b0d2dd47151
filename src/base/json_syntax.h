// Why a text is no JSON, in the words of Prometheus's JSON library: people look for them.
#pragma once

#include <string>
#include <string_view>

namespace epi {

// "invalid character 'x' looking for beginning of value", "unexpected end of JSON input"; empty for text that is JSON.
// Takes one pass; nesting takes a byte a level.
std::string JsonSyntaxError(std::string_view text);

}  // namespace epi
