#include "net/name_lookup.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/ascii.h"
#include "net/resolver_config.h"

namespace epi::net {
namespace {

bool IsNameLetter(char c) { return IsAsciiLetter(c) || c == '_'; }

// RFC 1035, 2.3.4.
constexpr size_t kLongestLabel = 63;
constexpr size_t kLongestName = 253;

bool IsDomainLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return IsNameLetter(c) || IsAsciiDigit(c) || c == '-'; });
}

bool IsDomainName(std::string_view name) {
  if (name == ".") return true;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kLongestName) return false;
  if (std::none_of(name.begin(), name.end(), [](char c) { return IsNameLetter(c) || c == '-'; })) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!IsDomainLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

bool IsLooseAddress(std::string_view host) {
  const std::string text(host);
  in_addr loose{}, strict{};
  return inet_aton(text.c_str(), &loose) == 1 && inet_pton(AF_INET, text.c_str(), &strict) != 1;
}

std::string NoSuchHost(std::string_view host, const std::string& config, FileSystem& files) {
  const std::string lookup = "lookup " + std::string(host);
  if (!IsDomainName(host)) return lookup + ": no such host";
  constexpr uint64_t kMaxConfig = 64u << 10;
  const auto servers = ParseResolverConfig(files.ReadFile(config, kMaxConfig).value_or("")).servers;
  const std::string server = servers.empty() ? "127.0.0.1" : servers.front();
  const bool ipv6 = server.find(':') != std::string::npos;
  return lookup + " on " + (ipv6 ? "[" + server + "]" : server) + ":53: no such host";
}

}  // namespace epi::net
