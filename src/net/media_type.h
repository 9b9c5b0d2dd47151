// Media types in headers.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::net {

struct MediaType {
  std::string type;                               // with subtype, in lower case
  std::map<std::string, std::string> parameters;  // names in lower case
};

// Of Content-Type and of Content-Disposition, which has the same form. kInvalid with the texts of Go's
// mime.ParseMediaType: "mime: no media type", "mime: duplicate parameter name", ….
Result<MediaType> ParseMediaType(std::string_view header);

}  // namespace epi::net
