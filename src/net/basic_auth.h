// Checks passwords against bcrypt hashes, remembering outcomes: bcrypt is slow on purpose.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/web_settings.h"

namespace epi::net {

// Whether a hash has the form that crypt(3) takes for bcrypt: $2a$, $2b$, $2x$ or $2y$, a cost of 04 to 31, and
// 53 characters of its alphabet.
bool IsBcryptHash(std::string_view hash);

// Thread-safe. A first check of a password takes tens of milliseconds: not for the reactor.
class BasicAuthenticator {
 public:
  // `authorization` is the header's value. On success `user` is set.
  bool Check(const WebSettings& settings, std::string_view authorization, std::string& user);

 private:
  bool Verify(const std::string& hash, const std::string& password);

  std::mutex mutex_;
  std::unordered_map<std::string, bool> known_;  // digest of hash and password; guarded by mutex_
};

}  // namespace epi::net
