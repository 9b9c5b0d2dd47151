#include "net/tls_names.h"

#include <algorithm>
#include <iterator>

namespace epi::net {
namespace {

struct NameRow {
  std::string_view go;
  std::string_view openssl;
};

// Those that Go calls secure, in the order of its preference on a machine with AES in hardware.
constexpr NameRow kCiphers[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
};
constexpr std::string_view kTls13Ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                              "TLS_CHACHA20_POLY1305_SHA256"};

constexpr NameRow kCurves[] = {
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};

}  // namespace

bool IsKnownCipher(std::string_view go_name) {
  const auto named = [&](const NameRow& row) { return row.go == go_name; };
  return std::any_of(std::begin(kCiphers), std::end(kCiphers), named) ||
         std::find(std::begin(kTls13Ciphers), std::end(kTls13Ciphers), go_name) != std::end(kTls13Ciphers);
}

std::vector<std::string_view> CiphersByPreference(std::span<const std::string> go_names) {
  std::vector<std::string_view> out;
  for (const auto& row : kCiphers) {
    const bool named = std::find(go_names.begin(), go_names.end(), row.go) != go_names.end();
    if (named || go_names.empty()) out.push_back(row.openssl);
  }
  return out;
}

std::vector<std::string_view> Tls13Ciphers() { return {std::begin(kTls13Ciphers), std::end(kTls13Ciphers)}; }

std::string_view CurveName(std::string_view go_name) {
  for (const auto& row : kCurves) {
    if (row.go == go_name) return row.openssl;
  }
  return {};
}

std::vector<std::string_view> DefaultCurves() { return {"X25519", "P-256", "P-384", "P-521"}; }

}  // namespace epi::net
