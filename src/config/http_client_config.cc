#include "config/http_client_config.h"

#include <algorithm>

#include "base/escaping.h"
#include "base/file_system.h"
#include "base/trim.h"
#include "config/http_client_schema.h"
#include "config/yaml_json.h"
#include "model/case_mapping.h"
#include "model/labels.h"

namespace epi::config {
namespace {

using net::AuthorizationSettings;
using net::BasicAuthSettings;
using net::HttpClientSettings;
using net::HttpHeaderSettings;
using net::OAuth2Settings;
using net::ProxySettings;
using net::TlsSettings;
using net::TlsVersion;

constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";

// Headers that the connection or Prometheus itself sets; in canonical form.
constexpr std::string_view kReservedHeaders[] = {
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
};

struct VersionName {
  std::string_view name;
  TlsVersion version;
};
constexpr VersionName kTlsVersions[] = {{"TLS10", TlsVersion::kTls10},
                                        {"TLS11", TlsVersion::kTls11},
                                        {"TLS12", TlsVersion::kTls12},
                                        {"TLS13", TlsVersion::kTls13}};

tl::unexpected<Error> InvalidClient(std::string_view text) { return Fail(ErrorCode::kInvalid, std::string(text)); }

bool MoreThanOne(std::initializer_list<const std::string*> texts) {
  return std::count_if(texts.begin(), texts.end(), [](const std::string* text) { return !text->empty(); }) > 1;
}

// Go's http.CanonicalHeaderKey.
std::string CanonicalHeader(std::string_view name) {
  std::string out(name);
  bool upper = true;
  for (char& c : out) {
    if (c == ' ' || static_cast<unsigned char>(c) >= 0x80) return std::string(name);
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c ^ 0x20);
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    upper = c == '-';
  }
  return out;
}

struct TlsVersionCodec {
  static void Read(YamlReader& reader, const YamlNode& node, TlsVersion& out) {
    out = TlsVersion::kDefault;
    std::string text;
    if (node.IsNull() || !reader.ReadString(node, text)) return;
    for (const auto& row : kTlsVersions) {
      if (row.name == text) out = row.version;
    }
    if (out == TlsVersion::kDefault) reader.Refuse(Error(ErrorCode::kInvalid, "unknown TLS version: " + text));
  }
  static YamlValue Write(TlsVersion value, const WriteOptions&) {
    for (const auto& row : kTlsVersions) {
      if (row.version == value) return YamlValue::String(std::string(row.name));
    }
    return YamlValue::Null();
  }
  static bool IsEmpty(TlsVersion value) { return value == TlsVersion::kDefault; }
};

// Free-form claims, kept as a JSON object.
struct ClaimsCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::string& out) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "map[string]interface {}");
      return;
    }
    if (!node.entries().empty()) out = YamlToJson(node);
  }
  static YamlValue Write(const std::string& value, const WriteOptions&) {
    const auto document = YamlDocument::Parse(value);
    return document ? YamlFromNode(document->root()) : YamlValue::Null();
  }
  static bool IsEmpty(const std::string& value) { return value.empty(); }
};

using HeaderLists = std::vector<std::pair<std::string, std::vector<std::string>>>;

struct ProxyHeaderCodec {
  static void Read(YamlReader& reader, const YamlNode& node, HeaderLists& out) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "config.ProxyHeader");
      return;
    }
    for (const auto& entry : node.entries()) {
      std::pair<std::string, std::vector<std::string>> header;
      if (!reader.ReadString(entry.key, header.first)) continue;
      reader.ReadStrings(entry.value, header.second, "[]config.Secret", "config.plain");
      out.push_back(std::move(header));
    }
    std::sort(out.begin(), out.end());
  }
  static YamlValue Write(const HeaderLists& value, const WriteOptions& options) {
    YamlValue out = YamlValue::Mapping();
    for (const auto& [name, secrets] : value) {
      YamlValue list = YamlValue::Sequence();
      for (const auto& secret : secrets) list.Add(SecretCodec::Write(secret, options));
      out.Set(name, std::move(list));
    }
    return std::move(out.Sorted());
  }
  static bool IsEmpty(const HeaderLists& value) { return value.empty(); }
};

struct SecretListCodec {
  static void Read(YamlReader& reader, const YamlNode& node, std::vector<std::string>& out) {
    out.clear();
    reader.ReadStrings(node, out, "[]config.Secret", "config.plain");
  }
  static YamlValue Write(const std::vector<std::string>& value, const WriteOptions& options) {
    YamlValue out = YamlValue::Sequence();
    for (const auto& secret : value) out.Add(SecretCodec::Write(secret, options));
    return out;
  }
  static bool IsEmpty(const std::vector<std::string>& value) { return value.empty(); }
};

constexpr FieldSpec kHeaderFields[] = {
    Key<HttpHeaderSettings, &HttpHeaderSettings::values>("values", Omit::kEmpty),
    Key<HttpHeaderSettings, &HttpHeaderSettings::secrets, SecretListCodec>("secrets", Omit::kEmpty),
    Key<HttpHeaderSettings, &HttpHeaderSettings::files>("files", Omit::kEmpty),
};

struct HeadersCodec {
  using Headers = std::vector<HttpHeaderSettings>;
  static void Read(YamlReader& reader, const YamlNode& node, Headers& out) {
    out.clear();
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      reader.WrongType(node, "config.Headers");
      return;
    }
    for (const auto& entry : node.entries()) {
      HttpHeaderSettings header;
      if (!reader.ReadString(entry.key, header.name)) continue;
      const auto same = [&](const HttpHeaderSettings& other) { return other.name == header.name; };
      if (std::any_of(out.begin(), out.end(), same)) {
        reader.DuplicateKey(entry.key);
      } else if (entry.value.IsMapping()) {
        ReadFields(reader, entry.value, &header, kHeaderFields, "config.Header");
        out.push_back(std::move(header));
      } else if (entry.value.IsNull()) {
        out.push_back(std::move(header));
      } else {
        reader.WrongType(entry.value, "config.Header");
      }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  }
  static YamlValue Write(const Headers& value, const WriteOptions& options) {
    YamlValue out = YamlValue::Mapping();
    for (const auto& header : value) {
      YamlValue block = YamlValue::Mapping();
      WriteFields(&header, kHeaderFields, options, block);
      out.Set(header.name, std::move(block));
    }
    return std::move(out.Sorted());
  }
  static bool IsEmpty(const Headers& value) { return value.empty(); }
};

Result<void> ValidateProxy(const ProxySettings& proxy) {
  const bool has_url = !proxy.proxy_url.value_or("").empty();
  if (!proxy.proxy_connect_header.empty() && !proxy.proxy_from_environment && !has_url) {
    return InvalidClient(
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured");
  }
  if (proxy.proxy_from_environment && has_url) {
    return InvalidClient("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxy.proxy_from_environment && !proxy.no_proxy.empty()) {
    return InvalidClient("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (!has_url && !proxy.no_proxy.empty()) {
    return InvalidClient("if no_proxy is configured, proxy_url must also be configured");
  }
  return {};
}

Result<void> ValidateAuthorization(HttpClientConfig& config) {
  AuthorizationSettings& authorization = *config.authorization;
  if (!config.bearer_token.empty() || !config.bearer_token_file.empty()) {
    return InvalidClient("authorization is not compatible with bearer_token & bearer_token_file");
  }
  if (MoreThanOne({&authorization.credentials, &authorization.credentials_file, &authorization.credentials_ref})) {
    return InvalidClient("at most one of authorization credentials & credentials_file must be configured");
  }
  authorization.type = std::string(Trimmed(authorization.type, kSpaces));
  if (authorization.type.empty()) authorization.type = "Bearer";
  if (ToLowerUtf8(authorization.type) == "basic") {
    return InvalidClient("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
  }
  if (config.basic_auth || config.oauth2)
    return InvalidClient("at most one of basic_auth, oauth2 & authorization must be configured");
  return {};
}

Result<void> ValidateOAuth2(const OAuth2Settings& oauth2) {
  if (oauth2.client_id.empty()) return InvalidClient("oauth2 client_id must be configured");
  if (oauth2.token_url.empty()) return InvalidClient("oauth2 token_url must be configured");
  if (oauth2.grant_type != kJwtBearer) {
    if (!MoreThanOne({&oauth2.client_secret, &oauth2.client_secret_file, &oauth2.client_secret_ref})) return {};
    return InvalidClient(
        "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using "
        "grant-type=client_credentials");
  }
  if (MoreThanOne(
          {&oauth2.client_certificate_key, &oauth2.client_certificate_key_file, &oauth2.client_certificate_key_ref})) {
    return InvalidClient(
        "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must "
        "be "
        "configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer");
  }
  const std::string& algorithm = oauth2.signature_algorithm;
  if (!algorithm.empty() && algorithm != "RS256" && algorithm != "RS384" && algorithm != "RS512") {
    return InvalidClient("valid signature algorithms are RS256, RS384 and RS512");
  }
  return {};
}

void MoveBearerToken(HttpClientConfig& config) {
  if (config.bearer_token.empty() && config.bearer_token_file.empty()) return;
  config.authorization.emplace();
  config.authorization->credentials = std::move(config.bearer_token);
  config.authorization->credentials_file = std::move(config.bearer_token_file);
  config.bearer_token.clear();
  config.bearer_token_file.clear();
}

}  // namespace

std::span<const FieldSpec> Schema<TlsSettings>::Fields() {
  using T = TlsSettings;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::ca>("ca", Omit::kEmpty),
      Key<T, &T::cert>("cert", Omit::kEmpty),
      Key<T, &T::key, SecretCodec>("key", Omit::kEmpty),
      Key<T, &T::ca_file>("ca_file", Omit::kEmpty),
      Key<T, &T::cert_file>("cert_file", Omit::kEmpty),
      Key<T, &T::key_file>("key_file", Omit::kEmpty),
      Key<T, &T::ca_ref>("ca_ref", Omit::kEmpty),
      Key<T, &T::cert_ref>("cert_ref", Omit::kEmpty),
      Key<T, &T::key_ref>("key_ref", Omit::kEmpty),
      Key<T, &T::server_name>("server_name", Omit::kEmpty),
      Key<T, &T::insecure_skip_verify>("insecure_skip_verify"),
      Key<T, &T::min_version, TlsVersionCodec>("min_version", Omit::kEmpty),
      Key<T, &T::max_version, TlsVersionCodec>("max_version", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<BasicAuthSettings>::Fields() {
  using T = BasicAuthSettings;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::username>("username", Omit::kEmpty),
      Key<T, &T::username_file>("username_file", Omit::kEmpty),
      Key<T, &T::username_ref>("username_ref", Omit::kEmpty),
      Key<T, &T::password, SecretCodec>("password", Omit::kEmpty),
      Key<T, &T::password_file>("password_file", Omit::kEmpty),
      Key<T, &T::password_ref>("password_ref", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<AuthorizationSettings>::Fields() {
  using T = AuthorizationSettings;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::type>("type", Omit::kEmpty),
      Key<T, &T::credentials, SecretCodec>("credentials", Omit::kEmpty),
      Key<T, &T::credentials_file>("credentials_file", Omit::kEmpty),
      Key<T, &T::credentials_ref>("credentials_ref", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<ProxySettings>::Fields() {
  using T = ProxySettings;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::proxy_url, Given<UrlCodec>>("proxy_url", Omit::kEmpty),
      Key<T, &T::no_proxy>("no_proxy", Omit::kEmpty),
      Key<T, &T::proxy_from_environment>("proxy_from_environment", Omit::kEmpty),
      Key<T, &T::proxy_connect_header, ProxyHeaderCodec>("proxy_connect_header", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<OAuth2Settings>::Fields() {
  using T = OAuth2Settings;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::client_id>("client_id", Omit::kEmpty),
      Key<T, &T::client_secret, SecretCodec>("client_secret", Omit::kEmpty),
      Key<T, &T::client_secret_file>("client_secret_file", Omit::kEmpty),
      Key<T, &T::client_secret_ref>("client_secret_ref", Omit::kEmpty),
      Key<T, &T::client_certificate_key_id>("client_certificate_key_id", Omit::kEmpty),
      Key<T, &T::client_certificate_key, SecretCodec>("client_certificate_key", Omit::kEmpty),
      Key<T, &T::client_certificate_key_file>("client_certificate_key_file", Omit::kEmpty),
      Key<T, &T::client_certificate_key_ref>("client_certificate_key_ref", Omit::kEmpty),
      Key<T, &T::grant_type>("grant_type", Omit::kEmpty),
      Key<T, &T::signature_algorithm>("signature_algorithm", Omit::kEmpty),
      Key<T, &T::iss>("iss", Omit::kEmpty),
      Key<T, &T::audience>("audience", Omit::kEmpty),
      Key<T, &T::claims_json, ClaimsCodec>("claims", Omit::kEmpty),
      Key<T, &T::scopes>("scopes", Omit::kEmpty),
      Key<T, &T::token_url>("token_url", Omit::kEmpty),
      Key<T, &T::endpoint_params>("endpoint_params", Omit::kEmpty),
      Key<T, &T::tls_config>("tls_config", Omit::kEmpty),
      Inline<T, &T::proxy>(),
  };
  return kFields;
}

Result<void> Schema<OAuth2Settings>::Validate(OAuth2Settings& config) { return ValidateProxy(config.proxy); }

std::span<const FieldSpec> Schema<HttpClientConfig>::Fields() {
  using T = HttpClientConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::basic_auth>("basic_auth", Omit::kEmpty),
      Key<T, &T::authorization>("authorization", Omit::kEmpty),
      Key<T, &T::oauth2>("oauth2", Omit::kEmpty),
      Key<T, &T::bearer_token, SecretCodec>("bearer_token", Omit::kEmpty),
      Key<T, &T::bearer_token_file>("bearer_token_file", Omit::kEmpty),
      Key<T, &T::tls_config>("tls_config", Omit::kEmpty),
      Key<T, &T::follow_redirects>("follow_redirects"),
      Key<T, &T::enable_http2>("enable_http2"),
      Inline<T, &T::proxy>(),
      Key<T, &T::http_headers, Given<HeadersCodec>>("http_headers", Omit::kEmpty),
  };
  return kFields;
}

Result<void> ValidateTlsConfig(const TlsSettings& config) {
  if (MoreThanOne({&config.ca, &config.ca_file, &config.ca_ref})) {
    return InvalidClient("at most one of ca, ca_file & ca_ref must be configured");
  }
  if (MoreThanOne({&config.cert, &config.cert_file, &config.cert_ref})) {
    return InvalidClient("at most one of cert, cert_file & cert_ref must be configured");
  }
  if (MoreThanOne({&config.key, &config.key_file, &config.key_ref})) {
    return InvalidClient("at most one of key and key_file must be configured");
  }
  const bool has_cert = !config.cert.empty() || !config.cert_file.empty() || !config.cert_ref.empty();
  const bool has_key = !config.key.empty() || !config.key_file.empty() || !config.key_ref.empty();
  if (has_cert && !has_key) {
    return InvalidClient("exactly one of key or key_file must be configured when a client certificate is configured");
  }
  if (has_key && !has_cert)
    return InvalidClient("exactly one of cert or cert_file must be configured when a client key is configured");
  return {};
}

Result<void> CheckTlsVersions(const TlsSettings& config) {
  const bool both = config.min_version != TlsVersion::kDefault && config.max_version != TlsVersion::kDefault;
  if (!both || config.max_version >= config.min_version) return {};
  return InvalidClient(
      "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified");
}

Result<void> ValidateHttpClientConfig(HttpClientConfig& config) {
  const bool has_bearer = !config.bearer_token.empty() || !config.bearer_token_file.empty();
  if (!config.bearer_token.empty() && !config.bearer_token_file.empty()) {
    return InvalidClient("at most one of bearer_token & bearer_token_file must be configured");
  }
  if ((config.basic_auth || config.oauth2) && has_bearer) {
    return InvalidClient("at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (config.basic_auth) {
    const BasicAuthSettings& basic = *config.basic_auth;
    if (MoreThanOne({&basic.username, &basic.username_file, &basic.username_ref})) {
      return InvalidClient("at most one of basic_auth username, username_file & username_ref must be configured");
    }
    if (MoreThanOne({&basic.password, &basic.password_file, &basic.password_ref})) {
      return InvalidClient("at most one of basic_auth password, password_file & password_ref must be configured");
    }
  }
  if (config.authorization) {
    EPI_TRY(ValidateAuthorization(config));
  } else {
    MoveBearerToken(config);
  }
  if (config.oauth2) {
    if (config.basic_auth) return InvalidClient("at most one of basic_auth, oauth2 & authorization must be configured");
    EPI_TRY(ValidateOAuth2(*config.oauth2));
  }
  EPI_TRY(ValidateProxy(config.proxy));
  for (const auto& header : config.http_headers.value_or(HeadersCodec::Headers())) {
    const std::string canonical = CanonicalHeader(header.name);
    if (std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders), canonical) == std::end(kReservedHeaders))
      continue;
    std::string text = "setting header ";
    AppendQuoted(text, canonical);
    return InvalidClient(text + " is not allowed");
  }
  return {};
}

std::string JoinDirectory(std::string_view directory, std::string_view path) {
  if (path.empty() || path.starts_with('/')) return std::string(path);
  std::string joined(directory);
  if (!joined.empty()) joined += '/';
  joined += path;
  // Go's filepath.Clean: no double slashes, no ".", and ".." eats what stands before it.
  const bool absolute = joined.starts_with('/');
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= joined.size();) {
    const size_t end = std::min(joined.find('/', begin), joined.size());
    const std::string_view part = std::string_view(joined).substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string out = absolute ? "/" : "";
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += '/';
    out += parts[i];
  }
  return out.empty() ? "." : out;
}

void SetDirectory(TlsSettings& config, std::string_view directory) {
  for (std::string* path : {&config.ca_file, &config.cert_file, &config.key_file})
    *path = JoinDirectory(directory, *path);
}

void SetDirectory(HttpClientConfig& config, std::string_view directory) {
  const auto join = [&](std::string& path) { path = JoinDirectory(directory, path); };
  SetDirectory(config.tls_config, directory);
  if (config.basic_auth) {
    join(config.basic_auth->password_file);
    join(config.basic_auth->username_file);
  }
  if (config.authorization) join(config.authorization->credentials_file);
  if (config.oauth2) {
    join(config.oauth2->client_secret_file);
    SetDirectory(config.oauth2->tls_config, directory);
  }
  if (config.http_headers) {
    for (auto& header : *config.http_headers) {
      for (auto& file : header.files) join(file);
    }
  }
  join(config.bearer_token_file);
}

Result<HttpClientConfig> ParseHttpClientConfig(std::string_view text) {
  HttpClientConfig out;
  EPI_TRY(ReadDocument(text, out));
  return out;
}

Result<TlsSettings> ParseTlsConfig(std::string_view text) {
  TlsSettings out;
  EPI_TRY(ReadDocument(text, out));
  return out;
}

Result<HttpClientConfig> LoadHttpClientConfig(FileSystem& files, const std::string& path) {
  EPI_ASSIGN(const std::string text, files.ReadFile(path));
  EPI_ASSIGN(auto out, ParseHttpClientConfig(text));
  SetDirectory(out, DirectoryName(path));
  return out;
}

}  // namespace epi::config
