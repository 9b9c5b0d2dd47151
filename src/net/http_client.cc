#include "net/http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/buffer_pool.h"
#include "net/curl_error_text.h"
#include "net/http_transfer.h"
#include "net/name_lookup.h"
#include "net/redirect_policy.h"
#include "net/resolver_config.h"
#include "net/url.h"

namespace epi::net {
namespace {

constexpr int64_t kMsNs = 1'000'000;

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
    // Not where an error waits: looking would take it.
    if ((event.events & (EPOLLIN | EPOLLERR)) == EPOLLIN && dials_.IsOpen(event.data.fd)) {
      if (const auto at = watched_.find(event.data.fd); at != watched_.end()) PeekHead(*at->second, event.data.fd);
    }
    int flags = 0;
    if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) flags |= CURL_CSELECT_IN;
    if ((event.events & EPOLLOUT) != 0) flags |= CURL_CSELECT_OUT;
    if ((event.events & EPOLLERR) != 0) flags |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_, event.data.fd, flags, &running);
  }

  // Nothing is seen under TLS, where HTTP/2 lets several transfers share a connection and outlive each other on it.
  void Watch(int socket, CURL* easy) {
    char* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    if (auto* const owner = reinterpret_cast<Transfer*>(transfer); owner->under_tls) {
      watched_.erase(socket);
    } else {
      watched_[socket] = owner;
    }
  }

  void FireTimer() {
    if (!timer_armed_ || clock_.Monotonic() < timer_at_) return;
    timer_armed_ = false;
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* context, void* known) {
    auto& self = *static_cast<CurlClient*>(context);
    epoll_event event{};
    event.data.fd = socket;
    if (what == CURL_POLL_REMOVE) {
      self.watched_.erase(socket);
      ::epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, &event);
      curl_multi_assign(self.multi_, socket, nullptr);
      return 0;
    }
    self.Watch(socket, easy);
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
    const auto url = ParseUrl(transfer.url);
    if (!url) return Finish(transfer.id, Fail(url.error()));
    if (auto checked = CheckUrl(*url); !checked) return FailWith(transfer, checked.error());
    StartOrAwaitToken(transfer);
  }

  static Result<void> CheckUrl(const Url& url) {
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
    const auto url = ParseUrl(transfer.url);
    if (!url) return FailWith(transfer, url.error());
    transfer.easy = TakeHandle();
    PrepareHop(transfer, {options_, clock_, dials_}, *url, remaining_ms);
    if (const std::string host = url->Hostname(); !transfer.through_proxy && IsLooseAddress(host)) {
      ReleaseHandle(transfer);
      return FailWith(transfer,
                      Error(ErrorCode::kUnavailable, "dial tcp: " + NoSuchHost(host, kResolverConfig, files_)));
    }
    curl_multi_add_handle(multi_, transfer.easy);
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

  // A handle that has failed is not used again: it would still tell of the failure's system error after the next.
  void ReleaseHandle(Transfer& transfer, bool failed = false) {
    constexpr size_t kMaxIdleHandles = 256;
    if (transfer.easy == nullptr) return;
    curl_multi_remove_handle(multi_, transfer.easy);
    curl_easy_reset(transfer.easy);
    if (!failed && idle_handles_.size() < kMaxIdleHandles) {
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
    if (code != CURLE_OK || !transfer.head_done) JudgeHead(transfer, code);
    if (transfer.head_is_all) code = CURLE_OK;
    const bool unfinished_redirect_body = code != CURLE_OK && transfer.head_done && transfer.following();
    // A connection that ends within the head is no end of it.
    const bool cut_head = code == CURLE_OK && !transfer.head_done;
    if (cut_head && !transfer.head_error) transfer.head_error = Error(ErrorCode::kUnavailable, "unexpected EOF");
    if (cut_head || (code != CURLE_OK && !unfinished_redirect_body)) {
      const Error error = FailureOf(transfer, code, files_);
      CountFailedDial(transfer, code);
      ReleaseHandle(transfer, true);
      return FailWith(transfer, error);
    }
    ReleaseHandle(transfer);
    if (transfer.following()) return Follow(transfer);
    transfer.response.final_url = transfer.url;
    transfer.response.elapsed_ns = clock_.Monotonic() - transfer.started;
    Finish(transfer.id, std::move(transfer.response));
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
    const auto url = ParseUrl(transfer.url);
    if (!url) return FailWith(transfer, url.error());
    if (auto checked = CheckUrl(*url); !checked) return FailWith(transfer, checked.error());
    StartOrAwaitToken(transfer);
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
  std::unordered_map<int, Transfer*> watched_;  // whose socket without TLS it is, while libcurl waits for it
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
