#include "net/request_gate.h"

namespace epi::net {
namespace {

// What Go's http.Error sends.
void PlainAnswer(ResponseWriter& response, int status, std::string_view text) {
  response.SetStatus(status);
  response.headers().Set("Content-Type", "text/plain; charset=utf-8");
  response.headers().Set("X-Content-Type-Options", "nosniff");
  static_cast<void>(response.Write(std::string(text) + "\n"));
}

}  // namespace

RequestGate::RequestGate(CurrentWebSettings source, const WebSettings* first, Clock& clock, Logger logger)
    : source_(std::move(source)),
      clock_(clock),
      logger_(std::move(logger)),
      rate_limit_(first == nullptr ? 0 : first->rate_limit_interval_ns, first == nullptr ? 0 : first->rate_limit_burst),
      access_(clock) {}

bool RequestGate::LetIn(Request& request, ResponseWriter& response, std::shared_ptr<const WebSettings>& settings) {
  if (!source_) return true;
  const auto refuse = [&](int status, std::string_view text) {
    PlainAnswer(response, status, text);
    return false;
  };
  auto current = source_();
  if (!current) {
    logger_.Error("Unable to parse configuration", {{"err", current.error().message()}});
    return refuse(500, "Internal Server Error");
  }
  if (*current == nullptr) return true;
  settings = std::move(*current);
  for (const auto& [name, value] : settings->headers) response.headers().Set(name, value);
  if (!rate_limit_.Take(clock_.Monotonic())) return refuse(429, "Too Many Requests");
  switch (WhoAsks(*settings, request)) {
    case AccessControl::Outcome::kAllowed:
      return true;
    case AccessControl::Outcome::kOverLimit:
      return refuse(429, "Too Many Requests");
    case AccessControl::Outcome::kNoToken:
    case AccessControl::Outcome::kUnknown:
      break;
  }
  response.headers().Set("WWW-Authenticate", settings->access_tokens.empty() ? "Basic" : "Bearer");
  return refuse(401, "Unauthorized");
}

void RequestGate::Charge(const WebSettings& settings, const Identity& identity, uint64_t bytes) {
  access_.Charge(settings, identity, bytes);
}

AccessControl::Outcome RequestGate::WhoAsks(const WebSettings& settings, Request& request) {
  using Outcome = AccessControl::Outcome;
  if (settings.access_tokens.empty() && settings.basic_auth_users.empty()) return Outcome::kAllowed;
  const auto authorization = request.headers.Get("Authorization");
  if (!settings.access_tokens.empty()) {
    const Outcome outcome = access_.Check(settings, authorization, request.identity);
    if (outcome != Outcome::kNoToken) return outcome;
  }
  const bool known =
      !settings.basic_auth_users.empty() && authenticator_.Check(settings, authorization, request.identity.name);
  return known ? Outcome::kAllowed : Outcome::kUnknown;
}

}  // namespace epi::net
