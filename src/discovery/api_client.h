// Questions to a JSON API, the way most discoveries ask them.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "discovery/discoverer.h"
#include "discovery/json.h"
#include "discovery/json_shape.h"
#include "net/http_client.h"

namespace epi::discovery {

struct ApiResponse {
  Json json;
  net::HttpHeaders headers;
  uint64_t bytes = 0;  // of the body, inflated
};

// Not thread-safe; a copy may be used by another thread. Must not outlive the HTTP client.
class ApiClient {
 public:
  // `base` is the URL in front of every path, without a slash at its end. kInvalid when the settings can never work.
  static Result<ApiClient> Make(net::HttpClient& http, std::string base, const net::HttpClientSettings& settings,
                                const std::string& dialer);
  // The same over a socket in the file system.
  void UseUnixSocket(std::string path) { unix_socket_ = std::move(path); }
  void AddHeader(std::string name, std::string value) { headers_.emplace_back(std::move(name), std::move(value)); }
  void SetTimeoutMs(int64_t timeout_ms) { timeout_ms_ = timeout_ms; }

  // Tells of an answer with another status than 200, of which `body` is the beginning, in the words of the API's
  // client.
  using Complaint = std::string (*)(const net::HttpResponse& response, std::string_view body);
  void set_complaint(Complaint complaint) { complaint_ = complaint; }

  // Tells of a server that no connection could be made to, `error` being the HTTP client's.
  using Unreachable = std::string (*)(const std::string& host, const Error& error);
  // `host` as the configuration names it.
  void set_unreachable(Unreachable unreachable, std::string host) {
    unreachable_ = unreachable;
    host_ = std::move(host);
  }

  // kUnavailable for any status but 200: "404 Not Found: what the body begins with", or the complaint. kInvalid for an
  // answer of another shape.
  Result<ApiResponse> Get(const std::string& path_and_query, const JsonShape& shape, std::stop_token stop) const;
  // The two halves of Get, for who does not wait: the request, and what becomes of the HTTP client's answer to it.
  net::HttpRequest MakeGet(const std::string& path_and_query) const;
  Result<ApiResponse> Read(const Result<net::HttpResponse>& answer, const JsonShape& shape) const;
  // The same request for streams: ready to be sent with an on_bytes.
  net::HttpRequest MakeRequest(const std::string& path_and_query) const;
  net::HttpClient& http() const { return *http_; }

 private:
  net::HttpClient* http_ = nullptr;
  std::string base_;
  std::shared_ptr<const net::HttpProfile> profile_;
  std::string unix_socket_;
  std::vector<std::pair<std::string, std::string>> headers_;
  int64_t timeout_ms_ = 60'000;
  Complaint complaint_ = nullptr;
  Unreachable unreachable_ = nullptr;
  std::string host_;
};

// Without the white space around it.
std::string_view TrimSpace(std::string_view text);
// Of the API clients of Consul and Nomad: "Unexpected response code: 404 (no such thing)".
std::string UnexpectedResponseCode(const net::HttpResponse& response, std::string_view body);

// Sets `prefix` + the name, sanitised, to the value, for every member of a JSON object of strings.
void SetPrefixed(LabelsBuilder& labels, std::string_view prefix, const Json& members);

}  // namespace epi::discovery
