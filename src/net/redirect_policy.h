// What Go's http.Client does with a 3xx answer: where to, with which method and which headers.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_headers.h"

namespace epi::net {

constexpr int kMaxRedirects = 10;

struct RedirectStep {
  std::string url;
  std::string method;
  bool keep_body = false;
};

// True for 301, 302, 303, 307 and 308.
bool IsRedirect(int status);
// Where the answer leads. kInvalid for a Location that cannot be parsed; an empty url when there is none to follow.
Result<RedirectStep> NextStep(int status, std::string_view method, std::string_view url, std::string_view location);
// Whether credentials meant for `initial` may be sent to `target`: the same host or one below it.
bool MaySendCredentials(std::string_view initial_url, std::string_view target_url);
// Headers that are stripped when credentials may not be sent.
bool IsSensitiveHeader(std::string_view name);

}  // namespace epi::net
