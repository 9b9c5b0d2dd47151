#include "net/http_profile.h"

#include "base/trim.h"
#include "net/base64.h"
#include "net/url.h"

namespace epi::net {
namespace {

constexpr uint64_t kMaxSecretFile = 1u << 20;
constexpr uint64_t kMaxCertificateFile = 64u << 20;

Result<std::string> ReadSecretFile(FileSystem& files, const std::string& path) {
  auto text = files.ReadFile(path, kMaxSecretFile);
  if (!text) return Fail(ErrorCode::kInvalid, "unable to read file " + path + ": " + text.error().message());
  return std::string(Trimmed(*text, kSpaces));
}

// The text, or the trimmed content of the file.
Result<std::string> Secret(FileSystem& files, const std::string& text, const std::string& file, std::string_view what) {
  if (file.empty()) return text;
  auto secret = ReadSecretFile(files, file);
  if (!secret) return Fail(secret.error().WithContext("unable to read " + std::string(what)));
  return secret;
}

bool UsesReference(const TlsSettings& tls) {
  return !tls.ca_ref.empty() || !tls.cert_ref.empty() || !tls.key_ref.empty();
}

bool UsesReference(const HttpClientSettings& s) {
  return (s.basic_auth && (!s.basic_auth->username_ref.empty() || !s.basic_auth->password_ref.empty())) ||
         (s.authorization && !s.authorization->credentials_ref.empty()) ||
         (s.oauth2 && (!s.oauth2->client_secret_ref.empty() || !s.oauth2->client_certificate_key_ref.empty() ||
                       UsesReference(s.oauth2->tls_config))) ||
         UsesReference(s.tls_config);
}

Result<void> CheckProxy(const ProxySettings& proxy) {
  const std::string text = proxy.proxy_url.value_or("");
  if (text.empty()) return {};
  EPI_ASSIGN(const Url url, ParseUrl(text));
  for (const std::string_view scheme : {"http", "https", "socks5", "socks5h"})
    if (url.scheme == scheme) return {};
  return Fail(ErrorCode::kInvalid, "unsupported proxy scheme in " + text);
}

Result<std::string> Pem(FileSystem& files, const std::string& text, const std::string& file, const char* what) {
  if (file.empty()) return text;
  auto read = files.ReadFile(file, kMaxCertificateFile);
  if (!read) {
    return Fail(ErrorCode::kInvalid, std::string("unable to read ") + what + ": unable to read file " + file + ": " +
                                         read.error().message());
  }
  return read;
}

}  // namespace

Result<std::shared_ptr<const CompiledProfile>> CompiledProfile::Compile(const HttpClientSettings& settings,
                                                                        FileSystem& files, const DialCounters* dialer) {
  if (UsesReference(settings)) return Fail(ErrorCode::kInvalid, "cannot use secret ref without manager");
  const TlsSettings& tls = settings.tls_config;
  if (tls.min_version != TlsVersion::kDefault && tls.max_version != TlsVersion::kDefault &&
      tls.max_version < tls.min_version) {
    return Fail(ErrorCode::kInvalid,
                "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified");
  }
  EPI_TRY(CheckProxy(settings.proxy));
  auto profile = std::shared_ptr<CompiledProfile>(new CompiledProfile(settings, files, dialer));
  EPI_TRY(profile->Tls());
  if (settings.oauth2) {
    HttpClientSettings token_settings;
    token_settings.tls_config = settings.oauth2->tls_config;
    token_settings.proxy = settings.oauth2->proxy;
    EPI_ASSIGN(profile->token_profile_, Compile(token_settings, files, dialer));
    profile->tokens_ = std::make_unique<OAuth2TokenSource>(*settings.oauth2);
  }
  return std::shared_ptr<const CompiledProfile>(std::move(profile));
}

Result<Credentials> CompiledProfile::ReadCredentials() const {
  Credentials out;
  if (settings_.basic_auth) {
    const auto& basic = *settings_.basic_auth;
    EPI_ASSIGN(const std::string user, Secret(files_, basic.username, basic.username_file, "basic auth username"));
    EPI_ASSIGN(const std::string password, Secret(files_, basic.password, basic.password_file, "basic auth password"));
    out.authorization = "Basic " + Base64Encode(user + ":" + password);
  } else if (settings_.authorization) {
    const auto& a = *settings_.authorization;
    EPI_ASSIGN(const std::string secret,
               Secret(files_, a.credentials, a.credentials_file, "authorization credentials"));
    // Without credentials the header is still sent, with the type alone.
    out.authorization = (a.type.empty() ? "Bearer" : a.type) + " " + secret;
  } else if (settings_.oauth2) {
    const auto& o = *settings_.oauth2;
    const bool jwt = !o.client_certificate_key.empty() || !o.client_certificate_key_file.empty();
    EPI_ASSIGN(out.oauth2_secret,
               Secret(files_, jwt ? o.client_certificate_key : o.client_secret,
                      jwt ? o.client_certificate_key_file : o.client_secret_file, "oauth2 client secret"));
  }
  static const std::vector<HttpHeaderSettings> kNone;
  for (const auto& header : settings_.http_headers ? *settings_.http_headers : kNone) {
    for (const auto& value : header.values) out.headers.emplace_back(header.name, value);
    for (const auto& value : header.secrets) out.headers.emplace_back(header.name, value);
    for (const auto& file : header.files) {
      auto text = files_.ReadFile(file, kMaxSecretFile);
      if (!text)
        return Fail(ErrorCode::kInvalid, "unable to read headers file " + file + ": " + text.error().message());
      out.headers.emplace_back(header.name, Trimmed(*text, kSpaces));
    }
  }
  return out;
}

std::string CompiledProfile::TlsFileStamp() const {
  std::string stamp = "read";
  for (const auto* file :
       {&settings_.tls_config.ca_file, &settings_.tls_config.cert_file, &settings_.tls_config.key_file}) {
    if (file->empty()) continue;
    const auto info = files_.Stat(*file);
    stamp += info ? " " + std::to_string(info->size) + "/" + std::to_string(info->modified_ns) : " none";
  }
  return stamp;
}

Result<std::shared_ptr<const TlsMaterial>> CompiledProfile::Tls() const {
  const std::string stamp = TlsFileStamp();
  const std::lock_guard lock(mutex_);
  if (stamp == tls_stamp_) return tls_;
  const TlsSettings& tls = settings_.tls_config;
  auto material = std::make_shared<TlsMaterial>();
  EPI_ASSIGN(material->ca, Pem(files_, tls.ca, tls.ca_file, "CA cert"));
  EPI_ASSIGN(material->cert, Pem(files_, tls.cert, tls.cert_file, "specified client cert"));
  EPI_ASSIGN(material->key, Pem(files_, tls.key, tls.key_file, "specified client cert"));
  if (!material->ca.empty() && material->ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    return Fail(ErrorCode::kInvalid,
                "unable to use specified CA cert " + (tls.ca_file.empty() ? "inline" : tls.ca_file));
  tls_ = std::move(material);
  tls_stamp_ = stamp;
  return tls_;
}

}  // namespace epi::net
