// Go's names of cipher suites and curves, and OpenSSL's for the same.
#pragma once

#include <string_view>

namespace epi::net {

// OpenSSL's name; empty when Go has no such name.
std::string_view CipherName(std::string_view go_name);
bool IsTls13Cipher(std::string_view go_name);
std::string_view CurveName(std::string_view go_name);

}  // namespace epi::net
