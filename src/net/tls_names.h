// Go's names of cipher suites and curves, OpenSSL's for the same, and what Go offers by default.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace epi::net {

// Of any TLS version.
bool IsKnownCipher(std::string_view go_name);
// OpenSSL's names of those that are for versions before TLS 1.3, in the order in which Go prefers them; of all of them
// when there are no names.
std::vector<std::string_view> CiphersByPreference(std::span<const std::string> go_names);
std::vector<std::string_view> Tls13Ciphers();
// OpenSSL's name; empty when Go has no such name.
std::string_view CurveName(std::string_view go_name);
std::vector<std::string_view> DefaultCurves();

}  // namespace epi::net
