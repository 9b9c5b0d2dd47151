#include "net/access_control.h"

#include <algorithm>

#include "net/digest.h"
#include "net/http_headers.h"

namespace epi::net {
namespace {

constexpr std::string_view kBearer = "Bearer ";

// Looks at every character whatever the first ones say.
bool SameDigest(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

const AccessToken* FindToken(const WebSettings& settings, std::string_view digest) {
  const AccessToken* found = nullptr;
  for (const auto& token : settings.access_tokens) {
    if (SameDigest(token.sha256, digest)) found = &token;
  }
  return found;
}

double BurstOr(int64_t burst, double per_second) {
  return burst > 0 ? static_cast<double>(burst) : std::max(per_second, 1.0);
}

}  // namespace

void AccessControl::Earn(Account& account, double per_second, double burst, MonotonicNs now) {
  if (account.last < 0) {
    account.balance = burst;
  } else {
    const double seconds = static_cast<double>(std::max<MonotonicNs>(now - account.last, 0)) / 1e9;
    account.balance = std::min(burst, account.balance + seconds * per_second);
  }
  account.last = now;
}

AccessControl::Outcome AccessControl::Check(const WebSettings& settings, std::string_view authorization,
                                            Identity& identity) {
  if (authorization.size() < kBearer.size() || !EqualsIgnoreCase(authorization.substr(0, kBearer.size()), kBearer)) {
    return Outcome::kNoToken;
  }
  const AccessToken* token = FindToken(settings, Sha256Hex(authorization.substr(kBearer.size())));
  if (token == nullptr) return Outcome::kUnknown;
  identity.name = token->name;
  identity.roles = token->roles;
  identity.label_scope = token->scope;
  const std::lock_guard lock(mutex_);
  if (token->requests_per_second <= 0 && token->bytes_per_second <= 0) return Outcome::kAllowed;
  Accounts& accounts = accounts_[token->name];
  const MonotonicNs now = clock_.Monotonic();
  if (token->bytes_per_second > 0) {
    const auto rate = static_cast<double>(token->bytes_per_second);
    Earn(accounts.bytes, rate, BurstOr(token->bytes_burst, rate), now);
    if (accounts.bytes.balance <= 0) return Outcome::kOverLimit;
  }
  if (token->requests_per_second > 0) {
    Earn(accounts.requests, token->requests_per_second, BurstOr(token->requests_burst, token->requests_per_second),
         now);
    if (accounts.requests.balance < 1) return Outcome::kOverLimit;
    accounts.requests.balance -= 1;
  }
  return Outcome::kAllowed;
}

void AccessControl::Charge(const WebSettings& settings, const Identity& identity, uint64_t bytes) {
  const auto token = std::find_if(settings.access_tokens.begin(), settings.access_tokens.end(),
                                  [&](const AccessToken& t) { return t.name == identity.name; });
  if (token == settings.access_tokens.end() || token->bytes_per_second <= 0) return;
  const std::lock_guard lock(mutex_);
  accounts_[token->name].bytes.balance -= static_cast<double>(bytes);
}

}  // namespace epi::net
