// Bearer tokens: who asks, what they may do, and how much of it.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "net/http_message.h"
#include "net/web_settings.h"

namespace epi::net {

// Thread-safe. Remembers per token how much it may still ask for; what is remembered follows a token's name, so that a
// changed file keeps the account of tokens that stay.
class AccessControl {
 public:
  explicit AccessControl(Clock& clock) : clock_(clock) {}

  enum class Outcome : unsigned char {
    kAllowed,    // `identity` is filled in
    kNoToken,    // no bearer token in the request: another kind of authentication may follow
    kUnknown,    // a token that is not configured
    kOverLimit,  // of requests or bytes
  };
  // `authorization` is the header's value. Compares digests in time that does not depend on them.
  Outcome Check(const WebSettings& settings, std::string_view authorization, Identity& identity);
  // Charges a token for what its request and answer took, after the fact: the next request is refused while it is in
  // debt.
  void Charge(const WebSettings& settings, const Identity& identity, uint64_t bytes);

 private:
  // Earned by time, spent by use; may go below zero.
  struct Account {
    double balance = 0;
    MonotonicNs last = -1;  // when it was looked at; -1: never
  };
  struct Accounts {
    Account requests, bytes;
  };
  static void Earn(Account& account, double per_second, double burst, MonotonicNs now);

  Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Accounts> accounts_;  // by token name; guarded by mutex_
};

}  // namespace epi::net
