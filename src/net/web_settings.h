// How our own HTTP server is secured: the content of --web.config.file as plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http_message.h"
#include "net/http_settings.h"

namespace epi::net {

enum class ClientAuth : unsigned char {
  kNoClientCert,
  kRequestClientCert,
  kRequireAnyClientCert,
  kVerifyClientCertIfGiven,
  kRequireAndVerifyClientCert,
};

// TLS is on when a certificate is set. Files are read again when they change.
struct TlsServerSettings {
  std::string cert, cert_file;
  std::string key, key_file;
  std::string client_ca, client_ca_file;
  std::string client_auth_type;  // as ClientAuthFromName reads it
  // Exact match against DNS, e-mail, IP and URI names of a client's certificate, where one is asked for; an empty list
  // lets nobody in.
  std::optional<std::vector<std::string>> client_allowed_sans;
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  std::vector<std::string> cipher_suites;      // Go's names; empty: Go's default. Which of them are offered, not in
                                               // which order
  bool prefer_server_cipher_suites = true;     // accepted; the server's preference always counts, as in Go
  std::vector<std::string> curve_preferences;  // CurveP256, CurveP384, CurveP521, X25519; empty: default
  bool enabled() const { return !cert.empty() || !cert_file.empty(); }
  bool operator==(const TlsServerSettings&) const = default;
};

// A bearer token: what its holder may do. Not part of Prometheus's file format.
struct AccessToken {
  std::string name;                // for logs; unique
  std::string sha256;              // of the token, 64 lower-case digits: the file holds no secret
  RoleSet roles = 0;               // of kMetrics, kRead, kWrite, kAdmin
  std::vector<std::string> scope;  // series selectors; reads see only series that match all of them. Empty: all series
  double requests_per_second = 0;  // 0: no limit
  int64_t requests_burst = 0;      // 0: one second's worth
  int64_t bytes_per_second = 0;    // of requests and answers; 0: no limit
  int64_t bytes_burst = 0;         // 0: one second's worth
  bool operator==(const AccessToken&) const = default;
};

struct WebSettings {
  TlsServerSettings tls;
  bool http2 = true;                                                  // accepted; HTTP/1.1 is offered
  std::vector<std::pair<std::string, std::string>> headers;           // added to every response
  std::vector<std::pair<std::string, std::string>> basic_auth_users;  // user and bcrypt hash; empty: no authentication
  int64_t rate_limit_interval_ns = 0;                                 // one token each; 0: off. Not reloaded
  int64_t rate_limit_burst = 0;
  std::vector<AccessToken> access_tokens;  // any: every request needs one of them, or a basic-auth user
  std::string audit_log_file;              // one line of JSON for each request to an admin route; empty: the log only
  bool operator==(const WebSettings&) const = default;
};

// Go's names, and "" and RequireClientCert; kInvalid `invalid ClientAuth: x`.
Result<ClientAuth> ClientAuthFromName(std::string_view name);

// kInvalid for what Go's web toolkit refuses: `unknown cipher: x`, `unknown curve: x`, `missing one of cert or
// cert_file`, a hash that is not bcrypt. Does not read files.
Result<void> ValidateWebSettings(const WebSettings& settings);

}  // namespace epi::net
