// Where the server is reachable from outside, and the path prefix its routes live under: --web.external-url and
// --web.route-prefix (cmd/prometheus/main.go names the rules).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::app {

struct ExternalUrl {
  std::string url;           // without a trailing '/', e.g. "http://host:9090" or "https://example.org/prom"
  std::string path;          // its path part, "" or "/prom"
  std::string route_prefix;  // "/" or "/prom"
};

// `external` and `prefix` are the flags as given, empty when not; `listen_address` ("0.0.0.0:9090") and `hostname` make
// the default. kInvalid for an external URL in quotes or one that does not parse.
Result<ExternalUrl> DeriveExternalUrl(std::string_view external, std::string_view prefix,
                                      std::string_view listen_address, std::string_view hostname);

}  // namespace epi::app
