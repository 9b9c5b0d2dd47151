// SHA-256, where a protocol asks for it.
#pragma once

#include <string>
#include <string_view>

namespace epi::net {

std::string Sha256Hex(std::string_view bytes);  // 64 lower-case digits

}  // namespace epi::net
