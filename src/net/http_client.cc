#include "net/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/buffer_pool.h"
#include "net/curl_error_text.h"
#include "net/dial_metrics.h"
#include "net/http_profile.h"
#include "net/peer_check.h"
#include "net/redirect_policy.h"
#include "net/response_head.h"
#include "net/url.h"

namespace epi::net {
namespace {

constexpr size_t kMaxResponseHead = 1u << 20;  // far more than any peer of ours sends
constexpr long kDnsCacheSeconds = 5;           // Go caches nothing; a burst of requests to one host asks once
constexpr int64_t kMsNs = 1'000'000;

struct SlistDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, SlistDeleter>;

void AppendHeader(HeaderList& list, const std::string& line) {
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
  long low = kMin[static_cast<unsigned>(tls.min_version)];
  if (tls.min_version == TlsVersion::kDefault && tls.max_version != TlsVersion::kDefault)
    low = std::min(low, kMin[static_cast<unsigned>(tls.max_version)]);
  return low | kMax[static_cast<unsigned>(tls.max_version)];
}

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

  CURL* easy = nullptr;  // in the multi handle, or null
  HeaderList headers, connect_to, proxy_headers;
  char error_text[CURL_ERROR_SIZE] = "";
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

  bool following() const {
    return profile->settings().follow_redirects && IsRedirect(response.status) &&
           !response.headers.Get("Location").empty();
  }
};

CURLcode OnTlsContext(CURL*, void* ssl_ctx, void* check) {
  InstallPeerCheck(ssl_ctx, *static_cast<PeerCheck*>(check));
  return CURLE_OK;
}

size_t OnHeader(char* data, size_t size, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  std::string_view line(data, size * count);
  transfer.head_bytes += line.size();
  if (transfer.head_bytes > kMaxResponseHead) {
    transfer.head_too_long = true;
    return 0;
  }
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // also after 100 Continue
    transfer.response.headers.clear();
    const auto space = line.find(' ');
    auto rest = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    transfer.is_http1 = line.starts_with("HTTP/1");
    transfer.response.status = std::atoi(std::string(rest.substr(0, 3)).c_str());
    // The text is the server's own; HTTP/2 has none.
    transfer.response.status_text =
        transfer.is_http1 ? std::string(rest) : StatusText(transfer.response.status, std::string_view());
    return size * count;
  }
  if (transfer.is_http1) {
    const auto checked =
        line.empty() ? CheckFraming(transfer.response.headers, transfer.response.status) : CheckHeaderLine(line);
    if (!checked) {
      transfer.head_error = checked.error();
      return 0;
    }
  }
  if (line.empty()) {
    transfer.head_done = transfer.response.status >= 200;
    return size * count;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  auto value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  transfer.response.headers.Add(std::string(line.substr(0, colon)), std::string(value));
  return size * count;
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

class CurlClient final : public HttpClient {
 public:
  CurlClient(Options options, FileSystem& files, Clock& clock, Logger logger)
      : options_(std::move(options)),
        files_(files),
        clock_(clock),
        logger_(std::move(logger)),
        buffers_(std::make_shared<BufferPool>(options_.max_pooled_buffers, options_.max_pooled_bytes)),
        dials_(options_.metrics) {}

  Result<void> Init() {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_ALL);
    if (global != CURLE_OK) return Fail(ErrorCode::kInternal, "libcurl cannot be initialised");
    auto plain = CompiledProfile::Compile(HttpClientSettings(), files_, dials_.For("default"));
    if (!plain) return Fail(std::move(plain).error());
    default_profile_ = std::move(*plain);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    multi_ = curl_multi_init();
    if (epoll_ < 0 || wake_ < 0 || multi_ == nullptr) return Fail(ErrorCode::kIo, "out of file descriptors");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) return Fail(ErrorCode::kIo, "epoll_ctl failed");
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlClient::OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlClient::OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_idle_connections));
    if (options_.max_connections_per_host > 0)
      curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(options_.max_connections_per_host));
    thread_ = std::thread([this] { Run(); });
    return {};
  }

  ~CurlClient() override {
    stopping_.store(true);
    Wake();
    if (thread_.joinable()) thread_.join();
    for (CURL* easy : idle_handles_) curl_easy_cleanup(easy);
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
    if (epoll_ >= 0) ::close(epoll_);
    if (wake_ >= 0) ::close(wake_);
  }

  Result<std::shared_ptr<const HttpProfile>> Prepare(const HttpClientSettings& settings,
                                                     const std::string& dialer) override {
    EPI_ASSIGN(auto profile, CompiledProfile::Compile(settings, files_, dials_.For(dialer)));
    return std::shared_ptr<const HttpProfile>(std::move(profile));
  }

  RequestId Send(HttpRequest request, HttpCallback done) override {
    auto transfer = MakeTransfer(std::move(request), std::move(done));
    const RequestId id = transfer->id;
    {
      const std::lock_guard lock(mutex_);
      incoming_.push_back(std::move(transfer));
    }
    Wake();
    return id;
  }

  void Cancel(RequestId id) override {
    {
      const std::lock_guard lock(mutex_);
      canceled_.push_back(id);
    }
    Wake();
  }

 private:
  // Reads credentials on the caller's thread, so that slow disks do not hold up other transfers.
  std::unique_ptr<Transfer> MakeTransfer(HttpRequest request, HttpCallback done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->id = next_id_.fetch_add(1);
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    transfer->url = transfer->request.url;
    transfer->method = transfer->request.method;
    transfer->started = clock_.Monotonic();
    if (transfer->request.timeout_ms > 0) transfer->deadline = transfer->started + transfer->request.timeout_ms * kMsNs;
    transfer->profile = transfer->request.profile
                            ? std::static_pointer_cast<const CompiledProfile>(transfer->request.profile)
                            : default_profile_;
    if (auto credentials = transfer->profile->ReadCredentials()) {
      transfer->credentials = std::move(*credentials);
    } else {
      transfer->early_error = std::move(credentials).error();
    }
    if (auto tls = transfer->profile->Tls()) {
      transfer->tls = std::move(*tls);
    } else if (!transfer->early_error) {
      transfer->early_error = std::move(tls).error();
    }
    return transfer;
  }

  void Wake() {
    const uint64_t one = 1;
    while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }

  // ---- The client's thread. ----

  void Run() {
    constexpr int kMaxEvents = 256;
    std::vector<epoll_event> events(kMaxEvents);
    while (!stopping_.load()) {
      const int count = ::epoll_wait(epoll_, events.data(), kMaxEvents, WaitMs());
      for (int i = 0; i < std::max(count, 0); ++i) HandleEvent(events[static_cast<size_t>(i)]);
      FireTimer();
      TakeIncoming();
      Reap();
      ExpireWaiting();
    }
    Reap();
    while (!transfers_.empty()) Finish(transfers_.begin()->first, Fail(ErrorCode::kCanceled, "context canceled"));
    TakeIncoming();  // what came while stopping
    while (!transfers_.empty()) Finish(transfers_.begin()->first, Fail(ErrorCode::kCanceled, "context canceled"));
  }

  // Until libcurl's timer or the first deadline of a request that waits for a token.
  int WaitMs() const {
    constexpr int64_t kLongest = 60'000;
    int64_t wait = kLongest;
    const MonotonicNs now = clock_.Monotonic();
    if (timer_armed_) wait = std::min(wait, (timer_at_ - now + kMsNs - 1) / kMsNs);
    if (waiting_for_token_ > 0) wait = std::min<int64_t>(wait, 100);
    return static_cast<int>(std::max<int64_t>(wait, 0));
  }

  void HandleEvent(const epoll_event& event) {
    if (event.data.fd == wake_) {
      uint64_t count = 0;
      while (::read(wake_, &count, sizeof count) < 0 && errno == EINTR) {
      }
      return;
    }
    int flags = 0;
    if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) flags |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
    if ((event.events & EPOLLERR) != 0) flags |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, event.data.fd, flags, &running);
  }

  void FireTimer() {
    if (!timer_armed_ || clock_.Monotonic() < timer_at_) return;
    timer_armed_ = false;
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }

  static int OnSocket(CURL*, curl_socket_t socket, int what, void* context, void* known) {
    auto& self = *static_cast<CurlClient*>(context);
    epoll_event event{};
    event.data.fd = socket;
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, &event);
      curl_multi_assign(self.multi_, socket, nullptr);
      return 0;
    }
    if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
    // A number may have been closed and opened again without our hearing of it: the other operation is then the right
    // one.
    const int operation = known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (::epoll_ctl(self.epoll_, operation, socket, &event) != 0)
      ::epoll_ctl(self.epoll_, operation == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(self.multi_, socket, &self);
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* context) {
    auto& self = *static_cast<CurlClient*>(context);
    self.timer_armed_ = timeout_ms >= 0;
    if (self.timer_armed_) self.timer_at_ = self.clock_.Monotonic() + timeout_ms * kMsNs;
    return 0;
  }

  void TakeIncoming() {
    std::vector<std::unique_ptr<Transfer>> incoming;
    std::vector<RequestId> canceled;
    {
      const std::lock_guard lock(mutex_);
      incoming.swap(incoming_);
      canceled.swap(canceled_);
    }
    for (auto& transfer : incoming) Begin(std::move(transfer));
    for (const RequestId id : canceled) Finish(id, Fail(ErrorCode::kCanceled, "context canceled"));
  }

  void Begin(std::unique_ptr<Transfer> owned) {
    Transfer& transfer = *owned;
    transfers_.emplace(transfer.id, std::move(owned));
    transfer.response.body = buffers_->Take();
    if (transfer.early_error) return FailWith(transfer, *transfer.early_error);
    // There is no operation yet for the error to name.
    if (const auto url = ParseUrl(transfer.url); !url) return Finish(transfer.id, Fail(url.error()));
    if (auto checked = CheckUrl(transfer.url); !checked) return FailWith(transfer, checked.error());
    StartOrAwaitToken(transfer);
  }

  static Result<void> CheckUrl(const std::string& text) {
    EPI_ASSIGN(const Url url, ParseUrl(text));
    if (url.scheme != "http" && url.scheme != "https")
      return Fail(ErrorCode::kInvalid, "unsupported protocol scheme \"" + url.scheme + "\"");
    if (url.host.empty()) return Fail(ErrorCode::kInvalid, "http: no Host in request URL");
    return {};
  }

  void StartOrAwaitToken(Transfer& transfer) {
    OAuth2TokenSource* const tokens = transfer.profile->tokens();
    if (tokens == nullptr || !transfer.with_credentials) return StartHop(transfer);
    transfer.token = tokens->Current(transfer.credentials.oauth2_secret, clock_.NowNs());
    if (!transfer.token.empty()) return StartHop(transfer);
    tokens->waiting.push_back(transfer.id);
    ++waiting_for_token_;
    if (!tokens->fetching) FetchToken(transfer.profile, transfer.credentials.oauth2_secret);
  }

  void FetchToken(const std::shared_ptr<const CompiledProfile>& profile, const std::string& secret) {
    OAuth2TokenSource& tokens = *profile->tokens();
    auto request = tokens.MakeRequest(secret, clock_.NowNs());
    if (!request) return ReleaseWaiting(tokens, request.error());
    tokens.fetching = true;
    request->profile = profile->token_profile();
    Begin(MakeTransfer(std::move(*request), [this, profile, secret](Result<HttpResponse> response) {
      OAuth2TokenSource& source = *profile->tokens();
      source.fetching = false;
      if (!response) return ReleaseWaiting(source, response.error());
      const auto again = source.Accept(*response, secret, clock_.NowNs());
      if (!again) return ReleaseWaiting(source, again.error());
      if (*again) return FetchToken(profile, secret);
      ReleaseWaiting(source, std::nullopt);
    }));
  }

  void ReleaseWaiting(OAuth2TokenSource& tokens, const std::optional<Error>& error) {
    std::vector<RequestId> waiting;
    waiting.swap(tokens.waiting);
    waiting_for_token_ -= waiting.size();
    for (const RequestId id : waiting) {
      const auto at = transfers_.find(id);
      if (at == transfers_.end()) continue;
      Transfer& transfer = *at->second;
      if (error) {
        FailWith(transfer, *error);
      } else {
        transfer.token = tokens.Current(transfer.credentials.oauth2_secret, clock_.NowNs());
        StartHop(transfer);
      }
    }
  }

  // libcurl times those that it has; these it has not.
  void ExpireWaiting() {
    if (waiting_for_token_ == 0) return;
    const MonotonicNs now = clock_.Monotonic();
    std::vector<RequestId> late;
    for (const auto& [id, transfer] : transfers_)
      if (transfer->easy == nullptr && transfer->deadline != 0 && now >= transfer->deadline) late.push_back(id);
    for (const RequestId id : late)
      FailWith(*transfers_.at(id), Error(ErrorCode::kTimeout, "context deadline exceeded"));
  }

  void StartHop(Transfer& transfer) {
    int64_t remaining_ms = 0;
    if (transfer.deadline != 0) {
      remaining_ms = (transfer.deadline - clock_.Monotonic()) / kMsNs;
      if (remaining_ms <= 0) return FailWith(transfer, Error(ErrorCode::kTimeout, "context deadline exceeded"));
    }
    transfer.easy = TakeHandle();
    transfer.response.headers.clear();
    transfer.response.status = 0;
    transfer.response.body.mutable_string().clear();
    transfer.head_bytes = 0;
    transfer.head_done = false;
    transfer.head_error.reset();
    transfer.dialed_address.clear();
    transfer.dials = &dials_;
    transfer.dialing.clear();
    transfer.error_text[0] = '\0';
    SetTarget(transfer, remaining_ms);
    SetTls(transfer);
    SetProxy(transfer);
    SetMethod(transfer);
    SetHeaders(transfer);
    curl_multi_add_handle(multi_, transfer.easy);
  }

  void SetTarget(Transfer& transfer, int64_t remaining_ms) {
    CURL* const easy = transfer.easy;
    curl_easy_setopt(easy, CURLOPT_URL, transfer.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error_text);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnCloseSocket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &dials_);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &OnConnected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, kDnsCacheSeconds);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options_.idle_timeout_ms / 1000));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(remaining_ms));
    if (remaining_ms == 0)
      curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.handshake_timeout_ms));
    curl_easy_setopt(
        easy, CURLOPT_HTTP_VERSION,
        static_cast<long>(transfer.profile->settings().enable_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (!transfer.request.unix_socket.empty())
      curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transfer.request.unix_socket.c_str());
  }

  void SetTls(Transfer& transfer) {
    CURL* const easy = transfer.easy;
    const TlsSettings& tls = transfer.profile->settings().tls_config;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, CurlTlsRange(tls));
    if (tls.insecure_skip_verify) {
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else {
      transfer.peer_check = {&clock_, tls.server_name, {}};
      if (const auto url = ParseUrl(transfer.url); url && tls.server_name.empty())
        transfer.peer_check.host = url->Hostname();
      curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
      curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &transfer.peer_check);
    }
    const auto blob = [&](CURLoption option, const std::string& pem) {
      if (pem.empty()) return;
      curl_blob data{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
      curl_easy_setopt(easy, option, &data);
    };
    blob(CURLOPT_CAINFO_BLOB, transfer.tls->ca);
    blob(CURLOPT_SSLCERT_BLOB, transfer.tls->cert);
    blob(CURLOPT_SSLKEY_BLOB, transfer.tls->key);
    UseServerName(transfer, tls.server_name);
  }

  // libcurl has no option for the name alone: the URL gets the name, the connection the real host, Host: the real one.
  void UseServerName(Transfer& transfer, const std::string& server_name) {
    transfer.connect_to.reset();
    if (server_name.empty()) return;
    auto url = ParseUrl(transfer.url);
    if (!url || url->scheme != "https") return;
    const std::string port = url->EffectivePort();
    AppendHeader(transfer.connect_to,
                 server_name + ":" + port + ":" +
                     url->host.substr(0, url->host.size() - (url->Port().empty() ? 0 : url->Port().size() + 1)) + ":" +
                     port);
    url->host = server_name + ":" + port;
    curl_easy_setopt(transfer.easy, CURLOPT_URL, url->ToString().c_str());
    curl_easy_setopt(transfer.easy, CURLOPT_CONNECT_TO, transfer.connect_to.get());
  }

  void SetProxy(Transfer& transfer) {
    CURL* const easy = transfer.easy;
    const ProxySettings& proxy = transfer.profile->settings().proxy;
    std::string url = proxy.proxy_url.value_or(""), exceptions = proxy.no_proxy;
    if (proxy.proxy_from_environment) {
      url = transfer.url.starts_with("https:") ? Environment("HTTPS_PROXY", "https_proxy")
                                               : Environment("HTTP_PROXY", "http_proxy");
      exceptions = Environment("NO_PROXY", "no_proxy");
    }
    transfer.through_proxy = !url.empty();
    transfer.proxy_headers.reset();
    curl_easy_setopt(easy, CURLOPT_PROXY, url.c_str());  // empty: none, whatever the environment says
    curl_easy_setopt(easy, CURLOPT_NOPROXY, exceptions.c_str());
    if (url.empty()) return;
    // The check would be asked of the proxy's certificate too.
    if (url.starts_with("https:")) curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, nullptr);
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
    for (const auto& [name, values] : proxy.proxy_connect_header)
      for (const auto& value : values) AppendHeader(transfer.proxy_headers, name + ": " + value);
    if (transfer.proxy_headers) curl_easy_setopt(easy, CURLOPT_PROXYHEADER, transfer.proxy_headers.get());
  }

  void SetMethod(Transfer& transfer) {
    CURL* const easy = transfer.easy;
    const std::string& body = transfer.request.body;
    const bool send_body =
        transfer.with_body && (!body.empty() || transfer.method == "POST" || transfer.method == "PUT");
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

  void SetHeaders(Transfer& transfer) {
    transfer.headers.reset();
    const HttpHeaders& own = transfer.request.headers;
    const auto add = [&](const std::string& name, const std::string& value) {
      // "Name;" is how libcurl is told to send an empty value.
      AppendHeader(transfer.headers, value.empty() ? name + ";" : name + ": " + value);
    };
    // What libcurl would add by itself and Go would not.
    for (const char* name : {"Accept", "Expect", "Content-Type"})
      if (!own.Has(name)) AppendHeader(transfer.headers, std::string(name) + ":");
    if (!own.Has("User-Agent")) add("User-Agent", options_.user_agent);
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
    if (transfer.connect_to && !own.Has("Host")) {
      if (const auto url = ParseUrl(transfer.url)) add("Host", url->host);
    }
    curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  }

  CURL* TakeHandle() {
    if (idle_handles_.empty()) {
      CURL* const easy = curl_easy_init();
      EPI_CHECK(easy != nullptr);  // out of memory
      return easy;
    }
    CURL* const easy = idle_handles_.back();
    idle_handles_.pop_back();
    return easy;
  }

  void ReleaseHandle(Transfer& transfer) {
    constexpr size_t kMaxIdleHandles = 256;
    if (transfer.easy == nullptr) return;
    curl_multi_remove_handle(multi_, transfer.easy);
    curl_easy_reset(transfer.easy);
    if (idle_handles_.size() < kMaxIdleHandles) {
      idle_handles_.push_back(transfer.easy);
    } else {
      curl_easy_cleanup(transfer.easy);
    }
    transfer.easy = nullptr;
  }

  void Reap() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* context = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
      Complete(*reinterpret_cast<Transfer*>(context), message->data.result);
    }
  }

  void Complete(Transfer& transfer, CURLcode code) {
    const bool unfinished_redirect_body = code != CURLE_OK && transfer.head_done && transfer.following();
    // A connection that ends within the head is no end of it.
    const bool cut_head = code == CURLE_OK && !transfer.head_done;
    if (cut_head) transfer.head_error = Error(ErrorCode::kUnavailable, "unexpected EOF");
    if (cut_head || (code != CURLE_OK && !unfinished_redirect_body)) {
      const Error error = FailureOf(transfer, code);
      CountFailedDial(transfer, code);
      ReleaseHandle(transfer);
      return FailWith(transfer, error);
    }
    ReleaseHandle(transfer);
    if (transfer.following()) return Follow(transfer);
    transfer.response.final_url = transfer.url;
    transfer.response.elapsed_ns = clock_.Monotonic() - transfer.started;
    Finish(transfer.id, std::move(transfer.response));
  }

  // When no request got onto a connection.
  static void CountFailedDial(const Transfer& transfer, CURLcode code) {
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

  void Follow(Transfer& transfer) {
    auto step =
        NextStep(transfer.response.status, transfer.method, transfer.url, transfer.response.headers.Get("Location"));
    if (!step) return FailWith(transfer, step.error());
    if (++transfer.redirects >= kMaxRedirects) {
      // Go's text shows the header as it came.
      transfer.url = transfer.response.headers.Get("Location");
      return FailWith(transfer, Error(ErrorCode::kUnavailable, "stopped after 10 redirects"));
    }
    const bool downgrade = transfer.url.starts_with("https:") && step->url.starts_with("http:");
    transfer.referer = downgrade || transfer.url.find('@') != std::string::npos ? "" : transfer.url;
    transfer.url = step->url;
    transfer.method = step->method;
    transfer.with_body = transfer.with_body && step->keep_body;
    transfer.with_credentials = transfer.with_credentials && MaySendCredentials(transfer.request.url, step->url);
    if (!transfer.with_credentials) transfer.token.clear();
    if (auto checked = CheckUrl(transfer.url); !checked) return FailWith(transfer, checked.error());
    StartOrAwaitToken(transfer);
  }

  Error FailureOf(Transfer& transfer, CURLcode code) {
    if (transfer.sink_error) return *transfer.sink_error;
    if (transfer.over_limit) return Error(ErrorCode::kLimit, "body size limit exceeded");
    if (transfer.head_too_long)
      return Error(ErrorCode::kLimit, "net/http: server response headers exceeded " + std::to_string(kMaxResponseHead) +
                                          " bytes; aborted");
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
      if (failure.dialed_address.empty()) failure.dialed_address = failure.host + ":" + url->EffectivePort();
    }
    failure.detail = transfer.error_text;
    failure.peer_refusal = transfer.peer_check.refusal;
    return DescribeFailure(failure);
  }

  // Errors after the head are those of reading the body, which Go reports without the operation.
  void FailWith(Transfer& transfer, const Error& error) {
    if (transfer.head_done && !transfer.following()) return Finish(transfer.id, Fail(error));
    Finish(transfer.id, Fail(error.WithContext(OperationText(transfer.request.method, transfer.url))));
  }

  void Finish(RequestId id, Result<HttpResponse> result) {
    const auto at = transfers_.find(id);
    if (at == transfers_.end()) return;
    const std::unique_ptr<Transfer> transfer = std::move(at->second);
    transfers_.erase(at);
    // Given up while its connection was being made.
    if (transfer->easy != nullptr) CountFailedDial(*transfer, CURLE_ABORTED_BY_CALLBACK);
    ReleaseHandle(*transfer);
    transfer->done(std::move(result));
  }

  const Options options_;
  FileSystem& files_;
  Clock& clock_;
  Logger logger_;
  const std::shared_ptr<BufferPool> buffers_;
  DialMetrics dials_;  // For by any thread, the rest by the client's
  std::shared_ptr<const CompiledProfile> default_profile_;
  int epoll_ = -1;
  int wake_ = -1;
  CURLM* multi_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::atomic<RequestId> next_id_{1};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> incoming_;  // guarded by mutex_
  std::vector<RequestId> canceled_;                  // guarded by mutex_

  // The client's thread alone.
  std::unordered_map<RequestId, std::unique_ptr<Transfer>> transfers_;
  std::vector<CURL*> idle_handles_;
  size_t waiting_for_token_ = 0;
  bool timer_armed_ = false;
  MonotonicNs timer_at_ = 0;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::Start(Options options, FileSystem& files, Clock& clock, Logger logger) {
  auto client = std::make_unique<CurlClient>(std::move(options), files, clock, std::move(logger));
  EPI_TRY(client->Init());
  return std::unique_ptr<HttpClient>(std::move(client));
}

Result<HttpResponse> HttpClient::Call(HttpRequest request) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Result<HttpResponse>> result;
  Send(std::move(request), [&](Result<HttpResponse> response) {
    const std::lock_guard lock(mutex);
    result.emplace(std::move(response));
    arrived.notify_one();
  });
  std::unique_lock lock(mutex);
  arrived.wait(lock, [&] { return result.has_value(); });
  return std::move(*result);
}

}  // namespace epi::net
