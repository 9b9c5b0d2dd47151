// One request of the HTTP client under way: what libcurl is told of it, and what it tells.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/dial_metrics.h"
#include "net/http_client.h"
#include "net/http_profile.h"
#include "net/peer_check.h"

struct curl_slist;

namespace epi::net {

struct CurlListDeleter {
  void operator()(curl_slist* list) const;
};
using CurlList = std::unique_ptr<curl_slist, CurlListDeleter>;

// One request under way, over all its redirects.
struct Transfer {
  HttpClient::RequestId id = 0;
  HttpRequest request;
  HttpCallback done;
  std::shared_ptr<const CompiledProfile> profile;
  std::shared_ptr<const TlsMaterial> tls;
  Credentials credentials;
  std::optional<Error> early_error;  // found before the client's thread had it
  MonotonicNs started = 0;
  MonotonicNs deadline = 0;  // 0: none

  std::string url;
  std::string method;
  std::string referer;
  int redirects = 0;
  bool with_credentials = true;
  bool with_body = true;
  std::string token;

  void* easy = nullptr;  // of libcurl, in its multi handle; null while none runs
  CurlList headers, connect_to, proxy_headers;
  std::array<char, 256> error_text{};  // CURL_ERROR_SIZE
  HttpResponse response;
  size_t head_bytes = 0;
  bool head_done = false;
  bool over_limit = false;
  bool head_too_long = false;
  bool is_http1 = false;
  std::optional<Error> head_error;
  bool through_proxy = false;
  std::string dialed_address;
  PeerCheck peer_check;
  DialMetrics* dials = nullptr;
  std::vector<int> dialing;  // sockets of the connection that is being made; none when an idle one is used
  std::optional<Error> sink_error;

  // Whether the answer that is arriving leads elsewhere and will be followed.
  bool following() const;
};

// What every request of a client shares.
struct HopContext {
  const HttpClient::Options& options;
  Clock& clock;
  DialMetrics& dials;
};

// Makes `transfer.easy`, a fresh handle, ask for `transfer.url`. `remaining_ms` 0: no deadline. The transfer stays
// where it is until the handle is reset.
void PrepareHop(Transfer& transfer, const HopContext& hop, int64_t remaining_ms);
// Why the handle ended with this code of libcurl, in Go's words.
Error FailureOf(Transfer& transfer, int code);
// When no request got onto a connection.
void CountFailedDial(const Transfer& transfer, int code);

}  // namespace epi::net
