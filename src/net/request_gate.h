// Who is let in: what --web.config.file demands of a request before a handler sees it.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "net/access_control.h"
#include "net/basic_auth.h"
#include "net/http_message.h"
#include "net/rate_limit.h"
#include "net/web_settings.h"
#include "telemetry/log.h"

namespace epi::net {

// The current settings; null: none. An error answers 500.
using CurrentWebSettings = std::function<Result<std::shared_ptr<const WebSettings>>()>;

// Thread-safe. Checking a password for the first time takes tens of milliseconds: not for the reactor.
class RequestGate {
 public:
  // The rate limit is that of `first`, which may be null, for good. `clock` outlives the gate.
  RequestGate(CurrentWebSettings source, const WebSettings* first, Clock& clock, Logger logger);

  // Sets the configured headers and the request's identity. False when it has answered instead: broken settings, over a
  // limit, not known. `settings` becomes what the request was judged by; null: nothing.
  bool LetIn(Request& request, ResponseWriter& response, std::shared_ptr<const WebSettings>& settings);
  // Charges the token for what its request and answer took, after the fact.
  void Charge(const WebSettings& settings, const Identity& identity, uint64_t bytes);

 private:
  AccessControl::Outcome WhoAsks(const WebSettings& settings, Request& request);

  const CurrentWebSettings source_;
  Clock& clock_;
  Logger logger_;
  RateLimit rate_limit_;
  BasicAuthenticator authenticator_;
  AccessControl access_;
};

}  // namespace epi::net
