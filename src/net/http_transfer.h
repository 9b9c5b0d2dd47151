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
#include "net/url.h"

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
  std::string host_header;             // where it is not what libcurl's URL says
  std::array<char, 256> error_text{};  // CURL_ERROR_SIZE
  HttpResponse response;
  std::string head;         // the lines of it that have come
  std::string tunnel_head;  // those of the proxy's answer before
  std::string peeked;       // the first bytes of the answer, whatever libcurl makes of them
  size_t head_bytes = 0;
  bool head_done = false;
  bool head_is_all = false;  // no body will come
  bool over_limit = false;
  bool head_too_long = false;
  std::optional<Error> head_error;
  std::optional<Error> tunnel_error;  // of the proxy that was to connect us
  bool through_proxy = false;
  bool under_tls = false;  // to the server or to a proxy
  std::string dialed_address;
  PeerCheck peer_check;
  DialMetrics* dials = nullptr;
  std::vector<int> dialing;  // sockets of the connection that is being made; none when an idle one is used
  std::optional<Error> sink_error;

  // Whether the answer that is arriving leads elsewhere and will be followed.
  bool following() const;
  // Whether what arrives is a proxy's answer to being asked for a tunnel.
  bool makes_tunnel() const;
};

// What every request of a client shares.
struct HopContext {
  const HttpClient::Options& options;
  Clock& clock;
  DialMetrics& dials;
};

// Makes `transfer.easy`, a fresh handle, ask for `transfer.url`, which `url` is. `remaining_ms` 0: no deadline. The
// transfer stays where it is until the handle is reset.
void PrepareHop(Transfer& transfer, const HopContext& hop, const Url& url, int64_t remaining_ms);
// Looks at what waits on the transfer's socket without taking it: libcurl does not show an answer that it refuses.
void PeekHead(Transfer& transfer, int socket);
// When the handle ended within the head: what Go makes of the bytes that came. Go takes some heads that libcurl
// refuses; `head_done` then.
void JudgeHead(Transfer& transfer, int code);
// Why the handle ended with this code of libcurl, in Go's words.
Error FailureOf(Transfer& transfer, int code, FileSystem& files);
// When no request got onto a connection.
void CountFailedDial(const Transfer& transfer, int code);

}  // namespace epi::net
