#include "net/peer_check.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <vector>

namespace epi::net {
namespace {

// More names than this are counted in the sentence instead of listed.
constexpr size_t kMaxListedNames = 100;

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Names = std::unique_ptr<GENERAL_NAMES, FreeNames>;

std::string TimeText(const std::tm& tm) {
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
  return text;
}

std::string TimeText(const ASN1_TIME* time) {
  std::tm tm{};
  return ASN1_TIME_to_tm(time, &tm) == 1 ? TimeText(tm) : std::string();
}

// Why the certificate is not valid at this time, or nothing.
std::string OutOfTime(const X509* cert, std::time_t now) {
  std::tm tm{};
  gmtime_r(&now, &tm);
  const std::string sentence = "x509: certificate has expired or is not yet valid: current time " + TimeText(tm);
  if (ASN1_TIME_cmp_time_t(X509_get0_notBefore(cert), now) > 0)
    return sentence + " is before " + TimeText(X509_get0_notBefore(cert));
  if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(cert), now) < 0)
    return sentence + " is after " + TimeText(X509_get0_notAfter(cert));
  return {};
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int length = ASN1_STRING_length(address);
  if (length == 4 || length == 16)
    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text);
  return text;
}

std::vector<std::string> NamesOf(const Names& names, bool addresses) {
  std::vector<std::string> out;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (addresses && name->type == GEN_IPADD) out.push_back(AddressText(name->d.iPAddress));
    if (!addresses && name->type == GEN_DNS) {
      const auto* const text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
      out.emplace_back(text, static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    }
  }
  return out;
}

// Why the certificate is not for this host, or nothing. The common name counts for nothing.
std::string WrongHost(X509* cert, const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  const bool address = inet_pton(AF_INET, host.c_str(), buffer) == 1 || inet_pton(AF_INET6, host.c_str(), buffer) == 1;
  constexpr unsigned kFlags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  const int match = address ? X509_check_ip_asc(cert, host.c_str(), kFlags)
                            : X509_check_host(cert, host.data(), host.size(), kFlags, nullptr);
  if (match == 1) return {};
  const Names all(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)));
  if (all == nullptr &&
      X509_check_host(cert, host.data(), host.size(), X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT, nullptr) == 1)
    return "x509: certificate relies on legacy Common Name field, use SANs instead";
  const auto names = NamesOf(all, address);
  if (address && names.empty())
    return "x509: cannot validate certificate for " + host + " because it doesn't contain any IP SANs";
  if (names.empty()) return "x509: certificate is not valid for any names, but wanted to match " + host;
  if (names.size() >= kMaxListedNames) {
    return "x509: certificate is valid for " + std::to_string(names.size()) + (address ? " IP SANs" : " names") +
           ", but none matched " + host;
  }
  std::string out = "x509: certificate is valid for ";
  for (const auto& name : names) out += name + ", ";
  return out + "not " + host;
}

std::string ChainRefusal(X509_STORE_CTX* chain, std::time_t now) {
  switch (X509_STORE_CTX_get_error(chain)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return OutOfTime(X509_STORE_CTX_get_current_cert(chain), now);
    case X509_V_ERR_INVALID_PURPOSE:
      if (X509_STORE_CTX_get_error_depth(chain) == 0) return "x509: certificate specifies an incompatible key usage";
      [[fallthrough]];
    default:
      return "x509: certificate signed by unknown authority";
  }
}

int Verify(X509_STORE_CTX* chain, void* context) {
  auto& check = *static_cast<PeerCheck*>(context);
  constexpr int64_t kSecondNs = 1'000'000'000;
  const std::time_t now = check.clock->NowNs() / kSecondNs;
  X509* const cert = X509_STORE_CTX_get0_cert(chain);
  check.refusal = OutOfTime(cert, now);
  if (check.refusal.empty()) check.refusal = WrongHost(cert, check.host);
  if (check.refusal.empty() && X509_verify_cert(chain) != 1) check.refusal = ChainRefusal(chain, now);
  if (check.refusal.empty()) return 1;
  if (X509_STORE_CTX_get_error(chain) == X509_V_OK)
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// Of what comes in, its first header alone: the check may be gone before the connection.
void OnRecord(int written, int, int content_type, const void* data, size_t size, SSL* ssl, void* context) {
  if (written != 0 || content_type != SSL3_RT_HEADER) return;
  static_cast<PeerCheck*>(context)->first_record.assign(static_cast<const char*>(data), size);
  SSL_set_msg_callback(ssl, nullptr);
}

}  // namespace

void InstallPeerCheck(void* ssl_ctx, PeerCheck& check) {
  auto* const context = static_cast<SSL_CTX*>(ssl_ctx);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_msg_callback(context, &OnRecord);
  SSL_CTX_set_msg_callback_arg(context, &check);
  if (!check.any_is_good) SSL_CTX_set_cert_verify_callback(context, &Verify, &check);
}

}  // namespace epi::net
