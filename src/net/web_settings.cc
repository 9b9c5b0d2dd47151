#include "net/web_settings.h"

#include <set>

#include "net/basic_auth.h"
#include "net/tls_names.h"

namespace epi::net {
namespace {

struct ClientAuthName {
  std::string_view name;
  ClientAuth value;
};
constexpr ClientAuthName kClientAuthNames[] = {
    {"", ClientAuth::kNoClientCert},
    {"NoClientCert", ClientAuth::kNoClientCert},
    {"RequestClientCert", ClientAuth::kRequestClientCert},
    {"RequireAnyClientCert", ClientAuth::kRequireAnyClientCert},
    {"RequireClientCert", ClientAuth::kRequireAnyClientCert},
    {"VerifyClientCertIfGiven", ClientAuth::kVerifyClientCertIfGiven},
    {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerifyClientCert},
};

// Versions and suites alone turn nothing on.
Result<void> ValidateTls(const TlsServerSettings& tls) {
  const bool has_cert = !tls.cert.empty() || !tls.cert_file.empty();
  const bool has_key = !tls.key.empty() || !tls.key_file.empty();
  const bool has_ca = !tls.client_ca.empty() || !tls.client_ca_file.empty();
  if (!has_cert && !has_key && !has_ca && tls.client_auth_type.empty()) return {};
  if (!has_cert) return Fail(ErrorCode::kInvalid, "missing one of cert or cert_file");
  if (!has_key) return Fail(ErrorCode::kInvalid, "missing one of key or key_file");
  EPI_ASSIGN(const ClientAuth auth, ClientAuthFromName(tls.client_auth_type));
  if (has_ca && auth == ClientAuth::kNoClientCert) {
    return Fail(ErrorCode::kInvalid, "client CA's have been configured without a Client Auth Policy");
  }
  return {};
}

Result<void> ValidateTokens(const std::vector<AccessToken>& tokens) {
  constexpr size_t kDigits = 64;
  std::set<std::string_view> names, digests;
  for (const auto& token : tokens) {
    if (token.name.empty()) return Fail(ErrorCode::kInvalid, "an access token has no name");
    const std::string what = "access token " + token.name;
    if (!names.insert(token.name).second) return Fail(ErrorCode::kInvalid, what + " is there twice");
    if (token.sha256.size() != kDigits || token.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return Fail(ErrorCode::kInvalid, what + ": sha256 is not 64 lower-case hexadecimal digits");
    }
    if (!digests.insert(token.sha256).second) return Fail(ErrorCode::kInvalid, what + ": sha256 is there twice");
    if (token.roles == 0) return Fail(ErrorCode::kInvalid, what + " has no roles");
    if (token.requests_per_second < 0 || token.requests_burst < 0 || token.bytes_per_second < 0 ||
        token.bytes_burst < 0) {
      return Fail(ErrorCode::kInvalid, what + " has a negative limit");
    }
  }
  return {};
}

}  // namespace

Result<ClientAuth> ClientAuthFromName(std::string_view name) {
  for (const auto& row : kClientAuthNames) {
    if (row.name == name) return row.value;
  }
  return Fail(ErrorCode::kInvalid, "invalid ClientAuth: " + std::string(name));
}

Result<void> ValidateWebSettings(const WebSettings& settings) {
  const TlsServerSettings& tls = settings.tls;
  for (const auto& cipher : tls.cipher_suites)
    if (!IsKnownCipher(cipher)) return Fail(ErrorCode::kInvalid, "unknown cipher: " + cipher);
  for (const auto& curve : tls.curve_preferences)
    if (CurveName(curve).empty()) return Fail(ErrorCode::kInvalid, "unknown curve: " + curve);
  for (const auto& user : settings.basic_auth_users) EPI_TRY(CheckBcryptHash(user.second));
  EPI_TRY(ValidateTls(tls));
  return ValidateTokens(settings.access_tokens);
}

}  // namespace epi::net
