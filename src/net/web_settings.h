// How our own HTTP server is secured: the content of --web.config.file as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
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
  ClientAuth client_auth = ClientAuth::kNoClientCert;
  std::vector<std::string> client_allowed_sans;  // exact match against DNS, e-mail, IP and URI names
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  std::vector<std::string> cipher_suites;  // Go's names; empty: default
  bool prefer_server_cipher_suites = true;
  std::vector<std::string> curve_preferences;  // CurveP256, CurveP384, CurveP521, X25519; empty: default
  bool enabled() const { return !cert.empty() || !cert_file.empty(); }
  bool operator==(const TlsServerSettings&) const = default;
};

struct WebSettings {
  TlsServerSettings tls;
  bool http2 = true;                                                  // accepted; HTTP/1.1 is offered
  std::vector<std::pair<std::string, std::string>> headers;           // added to every response
  std::vector<std::pair<std::string, std::string>> basic_auth_users;  // user and bcrypt hash; empty: no authentication
  int64_t rate_limit_interval_ns = 0;                                 // one token each; 0: off. Not reloaded
  int64_t rate_limit_burst = 0;
  bool operator==(const WebSettings&) const = default;
};

// kInvalid for what Go's web toolkit refuses: `unknown cipher: x`, `unknown curve: x`, `missing one of cert or
// cert_file`, a hash that is not bcrypt. Does not read files.
Result<void> ValidateWebSettings(const WebSettings& settings);

}  // namespace epi::net
