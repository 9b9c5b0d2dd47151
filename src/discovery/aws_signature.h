// AWS Signature Version 4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epi::discovery {

struct AwsCredentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // of temporary ones
  int64_t expires_ms = 0;     // since the Unix epoch; 0: never
};

struct AwsRequest {
  std::string_view method;
  std::string_view host;   // with its port when it is not the scheme's
  std::string_view path;   // in canonical form: "/", or what CanonicalAwsPath gives
  std::string_view query;  // in canonical form
  std::string_view body;
  std::vector<std::pair<std::string, std::string>>
      headers;  // to be signed besides host and date; names in lower case, in order
};

// The path of a URL, as it goes over the wire, in canonical form: without empty and dot segments, encoded once more.
std::string CanonicalAwsPath(std::string_view path);
// The query of a URL in canonical form: parameters sorted by name and value, encoded the one way.
std::string CanonicalAwsQuery(std::string_view query);

// The headers to add: X-Amz-Date, X-Amz-Security-Token for temporary credentials, Authorization.
std::vector<std::pair<std::string, std::string>> SignAwsRequest(const AwsRequest& request,
                                                                const AwsCredentials& credentials,
                                                                std::string_view region, std::string_view service,
                                                                int64_t now_ms);

}  // namespace epi::discovery
