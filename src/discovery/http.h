// What of HTTP service discovery is worth testing by itself.
#pragma once

#include <string_view>

namespace epi::discovery {

// application/json, with charset=utf-8 (quoted or not) or without, in any case.
bool IsJsonContentType(std::string_view header);

}  // namespace epi::discovery
