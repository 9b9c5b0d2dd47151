// Media types in the Content-Type header.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::net {

// The type and subtype of a Content-Type, in lower case; parameters are checked and left out. kInvalid with the texts
// of Go's mime.ParseMediaType: "mime: no media type", "mime: duplicate parameter name", ….
Result<std::string> ParseMediaType(std::string_view header);

}  // namespace epi::net
