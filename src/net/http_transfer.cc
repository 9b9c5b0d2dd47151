#include "net/http_transfer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "net/curl_error_text.h"
#include "net/name_lookup.h"
#include "net/proxy_exceptions.h"
#include "net/redirect_policy.h"
#include "net/resolver_config.h"
#include "net/response_head.h"

namespace epi::net {
namespace {

constexpr size_t kMaxResponseHead = 1u << 20;  // far more than any peer of ours sends
constexpr size_t kMaxPeeked = 4u << 10;        // heads are shorter
constexpr int kFirstFinalStatus = 200;
constexpr long kDnsCacheSeconds = 5;  // Go caches nothing; a burst of requests to one host asks once
static_assert(std::tuple_size_v<decltype(Transfer::error_text)> >= CURL_ERROR_SIZE);

void AppendHeader(CurlList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  EPI_CHECK(longer != nullptr);  // out of memory
  static_cast<void>(list.release());
  list.reset(longer);
}

std::string AddressText(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  return "";
}

// The variables that Go's ProxyFromEnvironment reads.
std::string Environment(const char* upper, const char* lower) {
  for (const char* name : {upper, lower})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return "";
}

long CurlTlsRange(const TlsSettings& tls) {
  static constexpr long kMin[] = {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
                                  CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
  static constexpr long kMax[] = {CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
                                  CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
  return kMin[static_cast<unsigned>(tls.min_version)] | kMax[static_cast<unsigned>(tls.max_version)];
}

// What Go offers up to TLS 1.2: no key exchange without forward secrecy.
constexpr char kOfferedCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA";

CURLcode OnTlsContext(CURL*, void* ssl_ctx, void* check) {
  InstallPeerCheck(ssl_ctx, *static_cast<PeerCheck*>(check));
  return CURLE_OK;
}

void UseHead(Transfer& transfer, ResponseHead head) {
  transfer.response.status = head.status;
  transfer.response.status_text = std::move(head.status_text);
  transfer.response.headers = std::move(head.headers);
  transfer.head_done = true;
}

// The head is whole. False when it is no head, or there is nothing to wait for behind it.
bool TakeHead(Transfer& transfer) {
  std::string_view bytes = transfer.head;
  const bool translated = bytes.starts_with("HTTP/2 ") && transfer.url.starts_with("https:");
  auto head = translated ? ReadTranslatedHead(bytes) : ReadResponseHead(bytes);
  if (!head) {
    transfer.head_error = std::move(head).error();
    return false;
  }
  transfer.head.clear();
  if (IsInformational(head->status)) return true;
  UseHead(transfer, std::move(*head));
  transfer.head_is_all = transfer.response.status < kFirstFinalStatus;
  return !transfer.head_is_all;
}

size_t OnHeader(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size * count);
  if (transfer.head_done) return line.size();  // behind the body: nobody asks for it
  std::string& head = transfer.makes_tunnel() ? transfer.tunnel_head : transfer.head;
  transfer.head_bytes += line.size();
  if (transfer.head_bytes > kMaxResponseHead) {
    transfer.head_too_long = true;
    return 0;
  }
  head += line;
  const bool last = &head == &transfer.head && (line.starts_with('\r') || line.starts_with('\n'));
  return last && !TakeHead(transfer) ? 0 : line.size();
}

size_t OnBody(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view bytes(data, size * count);
  if (transfer.following()) return bytes.size();  // nobody reads the body of a redirect
  if (transfer.request.on_bytes) {
    auto taken = transfer.request.on_bytes(transfer.response, bytes);
    if (taken) return bytes.size();
    transfer.sink_error = std::move(taken).error();
    return 0;
  }
  std::string& body = transfer.response.body.mutable_string();
  const uint64_t limit = transfer.request.max_body_bytes;
  if (limit != 0 && body.size() + bytes.size() > limit) {
    transfer.over_limit = true;
    return 0;
  }
  body.append(bytes);
  return bytes.size();
}

curl_socket_t OnOpenSocket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.dialed_address.empty()) transfer.dialed_address = AddressText(&address->addr);
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  if (socket >= 0) {
    transfer.dials->Opened(socket, transfer.profile->dialer());
    transfer.dialing.push_back(socket);
  }
  return socket;
}

int OnCloseSocket(void* context, curl_socket_t socket) {
  static_cast<DialMetrics*>(context)->Closed(socket);
  return ::close(socket);
}

// A connection stands and the request is about to be sent. Of several sockets that were tried only its own is left.
int OnConnected(void* context, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(context);
  for (const int socket : transfer.dialing) {
    if (transfer.dials->Established(socket)) break;
  }
  transfer.dialing.clear();
  return CURL_PREREQFUNC_OK;
}

void SetTargetOptions(Transfer& transfer, const HopContext& hop, int64_t remaining_ms) {
  CURL* const easy = transfer.easy;
  curl_easy_setopt(easy, CURLOPT_URL, transfer.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error_text.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnCloseSocket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &hop.dials);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &OnConnected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, kDnsCacheSeconds);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(hop.options.idle_timeout_ms / 1000));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(remaining_ms));
  if (remaining_ms == 0)
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(hop.options.handshake_timeout_ms));
  curl_easy_setopt(
      easy, CURLOPT_HTTP_VERSION,
      static_cast<long>(transfer.profile->settings().enable_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  if (!transfer.request.unix_socket.empty())
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transfer.request.unix_socket.c_str());
}

// A server name of TLS goes into the URL, and the real host where the connection is made: libcurl has no option for the
// name alone. Without a host it is this machine, as it is for Go, and not for libcurl. `Host:` stays the real one.
void UseOtherName(Transfer& transfer, const Url& url, const std::string& server_name) {
  transfer.connect_to.reset();
  const std::string host = url.Hostname(), port = url.EffectivePort();
  const bool named = !server_name.empty() && url.scheme == "https";
  transfer.host_header = named || host.empty() ? url.host : "";
  if (transfer.host_header.empty()) return;
  const std::string where = host.empty() ? "localhost" : host.find(':') == std::string::npos ? host : "[" + host + "]";
  Url other = url;
  other.host = (named ? server_name : where) + ":" + port;
  AppendHeader(transfer.connect_to, other.host + ":" + where + ":" + port);
  curl_easy_setopt(transfer.easy, CURLOPT_URL, other.ToString().c_str());
  curl_easy_setopt(transfer.easy, CURLOPT_CONNECT_TO, transfer.connect_to.get());
}

void SetTlsOptions(Transfer& transfer, const HopContext& hop, const Url& url) {
  CURL* const easy = transfer.easy;
  const TlsSettings& tls = transfer.profile->settings().tls_config;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, CurlTlsRange(tls));
  curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, kOfferedCiphers);
  if (!transfer.profile->settings().enable_http2) curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
  const std::string name = tls.server_name.empty() ? url.Hostname() : tls.server_name;
  transfer.peer_check = {&hop.clock, name, tls.insecure_skip_verify, {}, {}};
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &transfer.peer_check);
  if (tls.insecure_skip_verify) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const auto blob = [&](CURLoption option, const std::string& pem) {
    if (pem.empty()) return;
    curl_blob data{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, option, &data);
  };
  blob(CURLOPT_CAINFO_BLOB, transfer.tls->ca);
  blob(CURLOPT_SSLCERT_BLOB, transfer.tls->cert);
  blob(CURLOPT_SSLKEY_BLOB, transfer.tls->key);
  UseOtherName(transfer, url, tls.server_name);
}

void SetProxyOptions(Transfer& transfer, const Url& target) {
  CURL* const easy = transfer.easy;
  const ProxySettings& proxy = transfer.profile->settings().proxy;
  std::string url = proxy.proxy_url.value_or(""), exceptions = proxy.no_proxy;
  if (proxy.proxy_from_environment) {
    url = transfer.url.starts_with("https:") ? Environment("HTTPS_PROXY", "https_proxy")
                                             : Environment("HTTP_PROXY", "http_proxy");
    exceptions = Environment("NO_PROXY", "no_proxy");
  }
  const bool has_exceptions = proxy.proxy_from_environment || !exceptions.empty();
  if (!url.empty() && has_exceptions && IsProxyException(target.Hostname(), target.EffectivePort(), exceptions))
    url.clear();
  transfer.through_proxy = !url.empty();
  transfer.under_tls = url.starts_with("https:") || transfer.url.starts_with("https:");
  transfer.proxy_headers.reset();
  curl_easy_setopt(easy, CURLOPT_PROXY, url.c_str());  // empty: none, whatever the environment says
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (url.empty()) return;
  // The check would be asked of the proxy's certificate too.
  if (url.starts_with("https:")) curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, nullptr);
  curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  for (const auto& [name, values] : proxy.proxy_connect_header)
    for (const auto& value : values) AppendHeader(transfer.proxy_headers, name + ": " + value);
  if (transfer.proxy_headers) curl_easy_setopt(easy, CURLOPT_PROXYHEADER, transfer.proxy_headers.get());
}

void SetMethodOptions(Transfer& transfer) {
  CURL* const easy = transfer.easy;
  const std::string& body = transfer.request.body;
  const bool send_body = transfer.with_body && (!body.empty() || transfer.method == "POST" || transfer.method == "PUT");
  if (transfer.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (send_body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    if (transfer.method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer.method.c_str());
  } else if (transfer.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer.method.c_str());
  }
}

void SetHeaderOptions(Transfer& transfer, const HopContext& hop) {
  transfer.headers.reset();
  const HttpHeaders& own = transfer.request.headers;
  const auto add = [&](const std::string& name, const std::string& value) {
    // "Name;" is how libcurl is told to send an empty value.
    AppendHeader(transfer.headers, value.empty() ? name + ";" : name + ": " + value);
  };
  // What libcurl would add by itself and Go would not.
  for (const char* name : {"Accept", "Expect", "Content-Type"})
    if (!own.Has(name)) AppendHeader(transfer.headers, std::string(name) + ":");
  if (!own.Has("User-Agent")) add("User-Agent", hop.options.user_agent);
  for (const auto& [name, value] : own.fields()) {
    const bool of_body = name.size() > 8 && EqualsIgnoreCase(std::string_view(name).substr(0, 8), "Content-");
    if ((!transfer.with_credentials && IsSensitiveHeader(name)) || (!transfer.with_body && of_body)) continue;
    add(name, value);
  }
  for (const auto& [name, value] : transfer.credentials.headers)
    if (transfer.with_credentials || !IsSensitiveHeader(name)) add(name, value);
  if (transfer.with_credentials && !own.Has("Authorization")) {
    const std::string& authorization = transfer.token.empty() ? transfer.credentials.authorization : transfer.token;
    if (!authorization.empty()) add("Authorization", authorization);
  }
  if (!transfer.referer.empty() && !own.Has("Referer")) add("Referer", transfer.referer);
  if (!transfer.host_header.empty() && !own.Has("Host")) add("Host", transfer.host_header);
  curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, transfer.headers.get());
}

}  // namespace

void CurlListDeleter::operator()(curl_slist* list) const { curl_slist_free_all(list); }

bool Transfer::makes_tunnel() const { return through_proxy && url.starts_with("https:") && !dialing.empty(); }

bool Transfer::following() const {
  return profile->settings().follow_redirects && IsRedirect(response.status) &&
         !response.headers.Get("Location").empty();
}

void PrepareHop(Transfer& transfer, const HopContext& hop, const Url& url, int64_t remaining_ms) {
  transfer.response.headers.clear();
  transfer.response.status = 0;
  transfer.response.body.mutable_string().clear();
  transfer.head.clear();
  transfer.peeked.clear();
  transfer.tunnel_head.clear();
  transfer.head_bytes = 0;
  transfer.head_done = false;
  transfer.head_is_all = false;
  transfer.head_error.reset();
  transfer.tunnel_error.reset();
  transfer.dialed_address.clear();
  transfer.dials = &hop.dials;
  transfer.dialing.clear();
  transfer.error_text[0] = '\0';
  SetTargetOptions(transfer, hop, remaining_ms);
  SetTlsOptions(transfer, hop, url);
  SetProxyOptions(transfer, url);
  SetMethodOptions(transfer);
  SetHeaderOptions(transfer, hop);
}

void PeekHead(Transfer& transfer, int socket) {
  if (transfer.under_tls || transfer.head_done || transfer.peeked.size() >= kMaxPeeked) return;
  char buffer[kMaxPeeked];
  const ssize_t size = ::recv(socket, buffer, kMaxPeeked - transfer.peeked.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size > 0) transfer.peeked.append(buffer, static_cast<size_t>(size));
}

// What a proxy said when it was asked for a tunnel, unless it made one.
void JudgeTunnel(Transfer& transfer) {
  std::string_view bytes = transfer.tunnel_head;
  const auto answer = ReadResponseHead(bytes);
  if (!answer) {
    transfer.tunnel_error = answer.error();
  } else if (answer->status != kFirstFinalStatus) {
    const size_t space = answer->status_text.find(' ');
    transfer.tunnel_error =
        Error(ErrorCode::kUnavailable,
              space == std::string::npos ? "unknown status code" : answer->status_text.substr(space + 1));
  }
}

void JudgeHead(Transfer& transfer, int code) {
  if (transfer.head_done || transfer.head_error || code == CURLE_OPERATION_TIMEDOUT) return;
  if (!transfer.tunnel_head.empty()) return JudgeTunnel(transfer);
  if (transfer.peeked.empty()) return;
  // More than was looked at: only whole lines tell.
  const bool partial = transfer.peeked.size() >= kMaxPeeked;
  auto head = ReadFinalHead(
      std::string_view(transfer.peeked).substr(0, partial ? transfer.peeked.rfind('\n') + 1 : std::string::npos));
  if (!head && partial && head.error().message() == kEndsEarly) return;
  if (!head) {
    transfer.head_error = std::move(head).error();
    return;
  }
  UseHead(transfer, std::move(*head));
  transfer.head_is_all = true;
}

Error FailureOf(Transfer& transfer, int code, FileSystem& files) {
  if (transfer.sink_error) return *transfer.sink_error;
  if (transfer.over_limit) return Error(ErrorCode::kLimit, "body size limit exceeded");
  const bool too_long_for_libcurl =
      code == CURLE_OUT_OF_MEMORY ||
      std::string_view(transfer.error_text.data()).starts_with("Too large response headers");
  if (transfer.head_too_long || (too_long_for_libcurl && !transfer.head_done))
    return Error(ErrorCode::kLimit,
                 "net/http: server response headers exceeded " + std::to_string(kMaxResponseHead) + " bytes; aborted");
  if (transfer.tunnel_error) return *transfer.tunnel_error;
  if (transfer.head_error) return transfer.head_error->WithContext(std::string(kBrokenTransport));
  TransferFailure failure;
  failure.code = code;
  long os_error = 0, local_port = 0;
  char* local_ip = nullptr;
  curl_easy_getinfo(transfer.easy, CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(transfer.easy, CURLINFO_SSL_VERIFYRESULT, &failure.verify_result);
  curl_easy_getinfo(transfer.easy, CURLINFO_LOCAL_PORT, &local_port);
  if (curl_easy_getinfo(transfer.easy, CURLINFO_LOCAL_IP, &local_ip) == CURLE_OK && local_ip != nullptr)
    failure.local_address = std::string(local_ip) + ":" + std::to_string(local_port);
  failure.os_error = static_cast<int>(os_error);
  failure.head_received = transfer.head_done;
  failure.through_proxy = transfer.through_proxy;
  failure.dialed_address = transfer.dialed_address;
  if (const auto url = ParseUrl(transfer.url)) {
    failure.host = url->Hostname();
    if (failure.host.empty() && code == CURLE_COULDNT_CONNECT) failure.dialed_address.clear();  // Go knows of none
    if (failure.dialed_address.empty()) failure.dialed_address = failure.host + ":" + url->EffectivePort();
  }
  failure.detail = transfer.error_text.data();
  failure.first_record = transfer.peer_check.first_record;
  if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_URL_MALFORMAT)
    failure.no_such_host = NoSuchHost(failure.host, kResolverConfig, files);
  failure.peer_refusal = transfer.peer_check.refusal;
  return DescribeFailure(failure);
}

void CountFailedDial(const Transfer& transfer, int code) {
  if (transfer.dialing.empty() && code != CURLE_COULDNT_RESOLVE_HOST) return;
  curl_off_t connected = 0;
  long os_error = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_CONNECT_TIME_T, &connected);
  curl_easy_getinfo(transfer.easy, CURLINFO_OS_ERRNO, &os_error);
  const DialCounters* const dialer = transfer.profile->dialer();
  if (connected > 0) return DialMetrics::EstablishedAndClosed(dialer);
  const DialFailure reason = code == CURLE_COULDNT_RESOLVE_HOST                          ? DialFailure::kResolution
                             : code == CURLE_OPERATION_TIMEDOUT || os_error == ETIMEDOUT ? DialFailure::kTimeout
                             : os_error == ECONNREFUSED                                  ? DialFailure::kRefused
                                                                                         : DialFailure::kUnknown;
  DialMetrics::Failed(dialer, reason);
}

}  // namespace epi::net
