#include "net/basic_auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <charconv>
#include <cstring>
#include <memory>

#include "base/escaping.h"
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

// A hash as Go's bcrypt reads it: "$", a major version up to 2, any minor version or none, "$", two characters of cost,
// one more, 22 of salt, and the rest.
struct BcryptParts {
  int cost = 0;
  std::string_view salt;
  std::string_view hash;
};

Result<BcryptParts> ReadBcryptHash(std::string_view text) {
  constexpr size_t kLeast = 59, kSaltSize = 22;
  constexpr int kLeastCost = 4, kMostCost = 31;
  if (text.size() < kLeast) {
    return Fail(ErrorCode::kInvalid, "crypto/bcrypt: hashedSecret too short to be a bcrypted password");
  }
  if (text[0] != '$') {
    return Fail(ErrorCode::kInvalid,
                "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with '" +
                    std::string(text.substr(0, 1)) + "'");
  }
  if (text[1] > '2') {
    return Fail(ErrorCode::kInvalid, "crypto/bcrypt: bcrypt algorithm version '" + std::string(text.substr(1, 1)) +
                                         "' requested is newer than current version '2'");
  }
  text.remove_prefix(text[2] == '$' ? 3 : 4);
  BcryptParts out;
  const auto digits = text.substr(0, 2);
  const auto number = digits.substr(digits.front() == '+' ? 1 : 0);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.cost);
  if (error != std::errc() || end != number.data() + number.size()) {
    std::string quoted;
    AppendQuoted(quoted, digits);
    return Fail(ErrorCode::kInvalid, "strconv.Atoi: parsing " + quoted + ": invalid syntax");
  }
  if (out.cost < kLeastCost || out.cost > kMostCost) {
    return Fail(ErrorCode::kInvalid,
                "crypto/bcrypt: cost " + std::to_string(out.cost) + " is outside allowed inclusive range 4..31");
  }
  out.salt = text.substr(3, kSaltSize);
  out.hash = text.substr(3 + kSaltSize);
  return out;
}

// Whatever the version says, Go computes what crypt(3) calls 2b.
bool CryptMatches(const std::string& text, const std::string& password) {
  const auto parts = ReadBcryptHash(text);
  if (!parts) return false;
  const std::string setting = std::string("$2b$") + (parts->cost < 10 ? "0" : "") + std::to_string(parts->cost) + "$" +
                              std::string(parts->salt);
  const auto data = std::make_unique<crypt_data>();
  std::memset(data.get(), 0, sizeof(crypt_data));
  const char* const result = crypt_r(password.c_str(), setting.c_str(), data.get());
  if (result == nullptr || std::strlen(result) != setting.size() + parts->hash.size()) return false;
  return CRYPTO_memcmp(result + setting.size(), parts->hash.data(), parts->hash.size()) == 0;
}

}  // namespace

Result<void> CheckBcryptHash(std::string_view text) {
  if (const auto parts = ReadBcryptHash(text); !parts) return Fail(parts.error());
  return {};
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
