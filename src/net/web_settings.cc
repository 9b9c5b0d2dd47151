#include "net/web_settings.h"

#include "net/basic_auth.h"
#include "net/tls_names.h"

namespace epi::net {
namespace {

bool AnyTlsKey(const TlsServerSettings& tls) {
  TlsServerSettings none;
  return !(tls == none);
}

}  // namespace

Result<void> ValidateWebSettings(const WebSettings& settings) {
  const TlsServerSettings& tls = settings.tls;
  if (AnyTlsKey(tls)) {
    if (tls.cert.empty() && tls.cert_file.empty()) return Fail(ErrorCode::kInvalid, "missing one of cert or cert_file");
    if (tls.key.empty() && tls.key_file.empty()) return Fail(ErrorCode::kInvalid, "missing one of key or key_file");
    const bool has_ca = !tls.client_ca.empty() || !tls.client_ca_file.empty();
    if (has_ca && tls.client_auth == ClientAuth::kNoClientCert)
      return Fail(ErrorCode::kInvalid, "client CA's have been configured without a Client Auth Policy");
  }
  for (const auto& cipher : tls.cipher_suites)
    if (CipherName(cipher).empty()) return Fail(ErrorCode::kInvalid, "unknown cipher: " + cipher);
  for (const auto& curve : tls.curve_preferences)
    if (CurveName(curve).empty()) return Fail(ErrorCode::kInvalid, "unknown curve: " + curve);
  for (const auto& [user, hash] : settings.basic_auth_users)
    if (!IsBcryptHash(hash)) return Fail(ErrorCode::kInvalid, "the hash of user " + user + " is not a bcrypt hash");
  return {};
}

}  // namespace epi::net
