// Base64 as HTTP uses it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epi::net {

std::string Base64Encode(std::string_view bytes);     // with padding
std::string Base64UrlEncode(std::string_view bytes);  // URL alphabet, without padding
// Standard alphabet with padding; nothing when malformed.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace epi::net
