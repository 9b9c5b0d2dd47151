// The configuration of the system's resolver.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epi::net {

inline constexpr char kResolverConfig[] = "/etc/resolv.conf";

// What of resolv.conf matters here; unknown lines are left out.
struct ResolverConfig {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  int ndots = 1;
  int attempts = 2;
  int timeout_seconds = 5;
};
ResolverConfig ParseResolverConfig(std::string_view text);

}  // namespace epi::net
