#include "net/basic_auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>
#include <memory>

#include "net/base64.h"
#include "net/http_headers.h"

namespace epi::net {
namespace {

constexpr size_t kMaxRemembered = 1000;
// Checked for unknown users, so that an answer takes as long as for a known one. Nobody knows a password for it.
constexpr const char* kNobodysHash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

std::string Digest(const std::string& hash, const std::string& password) {
  const std::string text = hash + '\0' + password;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), sizeof digest);
}

bool CryptMatches(const std::string& hash, const std::string& password) {
  const auto data = std::make_unique<crypt_data>();
  std::memset(data.get(), 0, sizeof(crypt_data));
  const char* const result = crypt_r(password.c_str(), hash.c_str(), data.get());
  if (result == nullptr || std::strlen(result) != hash.size()) return false;
  return CRYPTO_memcmp(result, hash.data(), hash.size()) == 0;
}

}  // namespace

bool IsBcryptHash(std::string_view hash) {
  constexpr std::string_view kVariants = "abxy", kDigits = "0123456789";
  constexpr std::string_view kAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  if (hash.size() != 60 || hash[0] != '$' || hash[1] != '2' || hash[3] != '$' || hash[6] != '$') return false;
  if (kVariants.find(hash[2]) == std::string_view::npos) return false;
  const auto cost = hash.substr(4, 2);
  if (cost.find_first_not_of(kDigits) != std::string_view::npos || cost < "04" || cost > "31") return false;
  return hash.substr(7).find_first_not_of(kAlphabet) == std::string_view::npos;
}

bool BasicAuthenticator::Verify(const std::string& hash, const std::string& password) {
  const std::string digest = Digest(hash, password);
  {
    const std::lock_guard lock(mutex_);
    const auto at = known_.find(digest);
    if (at != known_.end()) return at->second;
  }
  const bool matches = CryptMatches(hash, password);
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMaxRemembered) known_.clear();
  known_.emplace(digest, matches);
  return matches;
}

bool BasicAuthenticator::Check(const WebSettings& settings, std::string_view authorization, std::string& user) {
  constexpr std::string_view kScheme = "Basic ";
  if (authorization.size() < kScheme.size() || !EqualsIgnoreCase(authorization.substr(0, kScheme.size()), kScheme))
    return false;
  const auto decoded = Base64Decode(authorization.substr(kScheme.size()));
  if (!decoded) return false;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) return false;
  user = decoded->substr(0, colon);
  const std::string password = decoded->substr(colon + 1);
  if (password.find('\0') != std::string::npos) return false;  // crypt(3) would stop there
  for (const auto& [name, hash] : settings.basic_auth_users)
    if (name == user) return Verify(hash, password);
  Verify(kNobodysHash, password);
  return false;
}

}  // namespace epi::net
