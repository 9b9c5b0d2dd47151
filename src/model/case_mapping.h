// Upper and lower case of whole Unicode texts, as Go's strings.ToUpper and ToLower give them.
#pragma once

#include <string>
#include <string_view>

namespace epi {

// One character for one (simple mappings); a byte that is no UTF-8 becomes U+FFFD, as in Go.
std::string ToLowerUtf8(std::string_view text);
std::string ToUpperUtf8(std::string_view text);

}  // namespace epi
