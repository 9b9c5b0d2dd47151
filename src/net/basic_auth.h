// Checks passwords against bcrypt hashes, remembering outcomes: bcrypt is slow on purpose.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/web_settings.h"

namespace epi::net {

// What Go's bcrypt demands of a hash, kInvalid in its words: a length, a version, a cost of 4 to 31. A hash that passes
// may be one that no password has.
Result<void> CheckBcryptHash(std::string_view hash);

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
