// How to reach and authenticate against an HTTP peer, as plain data: the http_client configuration of scrape configs,
// Alertmanagers, remote endpoints and service discovery. `config` fills it; HttpClient acts on it.
// Fields are named as the keys of the configuration file; empty means not set.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace epi::net {

enum class TlsVersion : unsigned char { kDefault, kTls10, kTls11, kTls12, kTls13 };

struct TlsSettings {
  std::string ca, ca_file, ca_ref;  // PEM text, or a file of it; replaces the system's roots
  std::string cert, cert_file, cert_ref;
  std::string key, key_file, key_ref;
  std::string server_name;  // for SNI and verification in place of the URL's host
  bool insecure_skip_verify = false;
  TlsVersion min_version = TlsVersion::kDefault;
  TlsVersion max_version = TlsVersion::kDefault;
  bool operator==(const TlsSettings&) const = default;
};

struct BasicAuthSettings {
  std::string username, username_file, username_ref;
  std::string password, password_file, password_ref;
  bool operator==(const BasicAuthSettings&) const = default;
};

struct AuthorizationSettings {
  std::string type = "Bearer";
  std::string credentials, credentials_file, credentials_ref;
  bool operator==(const AuthorizationSettings&) const = default;
};

struct ProxySettings {
  std::optional<std::string> proxy_url;
  std::string no_proxy;  // comma-separated hosts, domains and CIDR blocks
  bool proxy_from_environment = false;
  std::vector<std::pair<std::string, std::vector<std::string>>> proxy_connect_header;  // sorted by name
  bool operator==(const ProxySettings&) const = default;
};

struct OAuth2Settings {
  std::string client_id;
  std::string client_secret, client_secret_file, client_secret_ref;
  std::string token_url;
  std::string grant_type;  // empty or client_credentials, or urn:ietf:params:oauth:grant-type:jwt-bearer
  // The next ones are for the jwt-bearer grant.
  std::string client_certificate_key, client_certificate_key_file, client_certificate_key_ref;
  std::string client_certificate_key_id;
  std::string signature_algorithm;  // RS256 (also when empty), RS384, RS512
  std::string iss;                  // empty: client_id
  std::string audience;             // empty: token_url
  std::string claims_json;          // a JSON object of additional claims; empty for none
  std::vector<std::string> scopes;
  std::vector<std::pair<std::string, std::string>> endpoint_params;  // sorted by name
  TlsSettings tls_config;
  ProxySettings proxy;
  bool operator==(const OAuth2Settings&) const = default;
};

// One entry of http_headers: every value is sent.
struct HttpHeaderSettings {
  std::string name;
  std::vector<std::string> values;
  std::vector<std::string> secrets;  // as values, but masked when printed
  std::vector<std::string> files;
  bool operator==(const HttpHeaderSettings&) const = default;
};

// At most one of basic_auth, authorization and oauth2 is set. The *_ref fields can be parsed and printed, but a client
// refuses them: there is no secret manager.
struct HttpClientSettings {
  std::optional<BasicAuthSettings> basic_auth;
  std::optional<AuthorizationSettings> authorization;
  std::optional<OAuth2Settings> oauth2;
  TlsSettings tls_config;
  ProxySettings proxy;
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::optional<std::vector<HttpHeaderSettings>> http_headers;  // sorted by name
  bool operator==(const HttpClientSettings&) const = default;
};

}  // namespace epi::net
