// OAuth2 access tokens: the request for one, its answer, and how long it is kept. The client sends; this decides what.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_client.h"

namespace epi::net {

// Not thread-safe: lives on the client's thread.
class OAuth2TokenSource {
 public:
  explicit OAuth2TokenSource(const OAuth2Settings& settings) : settings_(settings) {}

  // "Bearer xyz" when there is a token that still lives for ten seconds and was fetched with this secret; else empty.
  std::string Current(std::string_view secret, int64_t now_ns) const;
  // The request that fetches one. kInvalid when a key cannot be used.
  Result<HttpRequest> MakeRequest(std::string_view secret, int64_t now_ns);
  // Takes the answer. True when the other way to send client credentials is worth a try: MakeRequest again.
  Result<bool> Accept(const HttpResponse& response, std::string_view secret, int64_t now_ns);

  // Requests that wait for the fetch under way.
  std::vector<HttpClient::RequestId> waiting;
  bool fetching = false;

 private:
  Result<void> AddJwtGrant(std::string_view key, int64_t now_ns, std::string& body) const;

  OAuth2Settings settings_;
  enum class Style : unsigned char { kUnknown, kHeader, kParams };
  Style style_ = Style::kUnknown;
  Style tried_ = Style::kHeader;
  std::string authorization_;
  std::string secret_;
  int64_t expires_ns_ = 0;  // 0: never
};

}  // namespace epi::net
