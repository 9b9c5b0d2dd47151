#include "scrape/status.h"

#include <optional>

#include "net/url.h"

namespace epi::scrape {
namespace {

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
  const size_t colon = address.rfind(':');
  const bool bracketed = address.starts_with('[');
  const size_t bracket = address.find(']');
  if (colon == std::string_view::npos || (bracketed && bracket != std::string_view::npos && colon < bracket)) {
    error = AddressError(address, "missing port in address");
    return std::nullopt;
  }
  std::string_view host = address.substr(0, colon);
  if (bracketed) {
    if (bracket == std::string_view::npos) {
      error = AddressError(address, "missing ']' in address");
      return std::nullopt;
    }
    host = host.substr(1, bracket - 1);
  } else if (host.find(':') != std::string_view::npos) {
    error = AddressError(address, "too many colons in address");
    return std::nullopt;
  }
  return HostPort{std::string(host), std::string(address.substr(colon + 1))};
}

bool IsLocalhost(std::string_view host) { return host == "127.0.0.1" || host == "localhost" || host == "::1"; }

}  // namespace

std::string_view TargetHealthText(TargetHealth health) {
  static constexpr std::string_view kTexts[] = {"unknown", "up", "down"};
  return kTexts[static_cast<size_t>(health)];
}

GlobalUrlResult GlobalUrl(const std::string& scrape_url, const ExternalAddress& external) {
  auto url = net::ParseUrl(scrape_url);
  if (!url) return {scrape_url, url.error().message()};
  std::string error;
  const auto own = SplitHostPort(url->host, error);
  if (!own) return {scrape_url, error};
  if (!IsLocalhost(own->host)) return {scrape_url, {}};
  const auto listen = SplitHostPort(external.listen_address, error);
  if (!listen) return {scrape_url, error};
  if (own->port == listen->port) {
    url->scheme = external.scheme;
    url->host = external.host;
    return {url->ToString(), {}};
  }
  const auto outside = SplitHostPort(external.host, error);
  if (!outside) return {scrape_url, error};
  url->host = outside->host + ":" + own->port;
  return {url->ToString(), {}};
}

}  // namespace epi::scrape
