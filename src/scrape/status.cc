#include "scrape/status.h"

#include <optional>

#include "discovery/target_group.h"

namespace epi::scrape {
namespace {

constexpr std::string_view kMissingPort = "missing port in address";
constexpr std::string_view kTooManyColons = "too many colons in address";

struct HostPort {
  std::string host;
  std::string port;
};

std::string AddressError(std::string_view address, std::string_view what) {
  if (address.empty()) return std::string(what);
  return "address " + std::string(address) + ": " + std::string(what);
}

// Go's net.SplitHostPort, for what occurs in URLs and listen addresses.
std::optional<HostPort> SplitHostPort(std::string_view address, std::string& error) {
  const auto failed = [&](std::string_view what) {
    error = AddressError(address, what);
    return std::nullopt;
  };
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return failed(kMissingPort);
  std::string_view host = address.substr(0, colon);
  std::string_view rest = address;
  if (address.front() == '[') {
    const size_t bracket = address.find(']');
    if (bracket == std::string_view::npos) return failed("missing ']' in address");
    if (bracket + 1 != colon) {
      const bool more = bracket + 1 < address.size() && address[bracket + 1] == ':';
      return failed(more ? kTooManyColons : kMissingPort);
    }
    host = address.substr(1, bracket - 1);
    if (address.substr(1).find('[') != std::string_view::npos) return failed("unexpected '[' in address");
    rest = address.substr(bracket + 1);
  } else if (host.find(':') != std::string_view::npos) {
    return failed(kTooManyColons);
  } else if (address.find('[') != std::string_view::npos) {
    return failed("unexpected '[' in address");
  }
  if (rest.find(']') != std::string_view::npos) return failed("unexpected ']' in address");
  return HostPort{std::string(host), std::string(address.substr(colon + 1))};
}

// Of a URL, where the port may be missing.
std::optional<HostPort> SplitOptionalPort(const std::string& address, std::string& error) {
  auto split = SplitHostPort(address, error);
  if (split || !error.ends_with(kMissingPort)) return split;
  std::string other;
  split = SplitHostPort(address + ":80", other);
  if (!split) return std::nullopt;
  split->port.clear();
  return split;
}

bool IsLocalhost(std::string_view host) { return host == "127.0.0.1" || host == "localhost" || host == "::1"; }

}  // namespace

std::string_view TargetHealthText(TargetHealth health) {
  static constexpr std::string_view kTexts[] = {"unknown", "up", "down"};
  return kTexts[static_cast<size_t>(health)];
}

GlobalUrlResult GlobalUrl(const net::Url& scrape_url, const ExternalAddress& external) {
  const auto unchanged = [&](std::string error = {}) {
    return GlobalUrlResult{scrape_url.ToString(), std::move(error)};
  };
  std::string error;
  const auto own = SplitOptionalPort(scrape_url.host, error);
  if (!own) return unchanged(error);
  if (!IsLocalhost(own->host)) return unchanged();
  const auto listen = SplitHostPort(external.listen_address, error);
  if (!listen) return unchanged(error);
  net::Url url = scrape_url;
  if (own->port == listen->port) {
    url.scheme = external.scheme;
    url.host = external.host;
    return {url.ToString(), {}};
  }
  const auto outside = SplitOptionalPort(external.host, error);
  if (!outside) return unchanged(error);
  url.host = own->port.empty() ? outside->host : discovery::JoinHostPort(outside->host, own->port);
  return {url.ToString(), {}};
}

}  // namespace epi::scrape
