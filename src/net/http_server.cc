#include "net/http_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "net/http_connection.h"
#include "net/http_listener.h"
#include "net/request_gate.h"
#include "net/request_head.h"
#include "net/worker_pool.h"

namespace epi::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kAcceptRetry{50};
constexpr int64_t kServerMsNs = 1'000'000;
// A connection that is idle for so long may be closed when somebody else waits for a place: a client that has just
// connected, or that sends one request after another, keeps its own.
constexpr int64_t kIdleBeforeEvictionNs = 250 * kServerMsNs;
constexpr int64_t kFreshBeforeEvictionNs = 1'000 * kServerMsNs;  // one that has not asked anything yet
// A connection that has not finished its head for this long may be closed when somebody else waits for a place.
constexpr int64_t kSlowHeadNs = 5'000 * kServerMsNs;

class Server final : public HttpServer, private ConnectionOwner {
 public:
  Server(HttpServerOptions options, Dispatcher& dispatcher, FileSystem& files, Clock& clock, MetricRegistry& metrics,
         Logger logger)
      : options_(std::move(options)),
        dispatcher_(dispatcher),
        clock_(clock),
        logger_(std::move(logger)),
        accepted_(metrics.AddCounter("net_conntrack_listener_conn_accepted_total",
                                     "Total number of connections opened to the listener of a given name.",
                                     {{"listener_name", "http"}})),
        closed_(metrics.AddCounter("net_conntrack_listener_conn_closed_total",
                                   "Total number of connections closed that were made to the listener of a given name.",
                                   {{"listener_name", "http"}})),
        tls_cache_(files),
        retry_timer_(io_) {}

  ~Server() override { Stop(0); }

  Result<void> Init() {
    EPI_ASSIGN(const auto settings, Settings());
    if (settings != nullptr && settings->tls.enabled()) {
      EPI_TRY(tls_cache_.Get(settings->tls));
      tls_on_ = true;
    }
    gate_.emplace(options_.settings, settings.get(), clock_, logger_);
    for (const auto& address : options_.listen_addresses) {
      EPI_TRY(ListenOn(acceptors_.emplace_back(io_), address));
      error_code ignored;
      bound_.push_back(EndpointText(acceptors_.back().local_endpoint(ignored)));
    }
    workers_.emplace(WorkerPool::Limits{options_.quick_workers, options_.max_workers, options_.max_streams,
                                        options_.max_queued_requests});
    work_.emplace(io_.get_executor());
    for (auto& acceptor : acceptors_) Accept(acceptor);
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  void Stop(int64_t grace_ms) override;
  std::vector<std::string> bound_addresses() const override { return bound_; }
  size_t open_connections() const override { return open_.load(); }

 private:
  bool Submit(const std::shared_ptr<Exchange>& exchange, const std::shared_ptr<Connection>& connection) override;
  void Closed(const std::shared_ptr<Connection>& connection) override;
  bool accepting() const override { return accepting_; }

  // Null settings: none.
  Result<std::shared_ptr<const WebSettings>> Settings() const {
    if (!options_.settings) return std::shared_ptr<const WebSettings>();
    return options_.settings();
  }
  void ExchangeEnded();
  void Accept(tcp::acceptor& acceptor);
  void Accepted(tcp::acceptor& acceptor, tcp::socket socket);
  void AwaitPlace(tcp::acceptor& acceptor);
  bool Evict();
  void Run(Exchange& exchange, Connection& connection);

  const HttpServerOptions options_;
  Dispatcher& dispatcher_;
  Clock& clock_;
  Logger logger_;
  asio::io_context io_{1};
  const ConnectionContext context_{options_, dispatcher_, clock_, io_, *this};

  Counter& accepted_;
  Counter& closed_;
  TlsContextCache tls_cache_;
  std::optional<RequestGate> gate_;
  bool tls_on_ = false;
  std::deque<tcp::acceptor> acceptors_;
  asio::steady_timer retry_timer_;
  std::vector<std::string> bound_;
  std::set<std::shared_ptr<Connection>> connections_;  // the reactor alone
  std::atomic<size_t> open_{0};
  bool accepting_ = true;  // the reactor alone
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::optional<WorkerPool> workers_;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable quiet_;
  size_t exchanges_ = 0;  // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
};

void Server::Accept(tcp::acceptor& acceptor) {
  if (!accepting_) return;
  if (connections_.size() >= options_.max_connections) return AwaitPlace(acceptor);
  acceptor.async_accept([this, &acceptor](const error_code& error, tcp::socket socket) {
    if (!accepting_) return;
    if (!error) {
      Accepted(acceptor, std::move(socket));
      return Accept(acceptor);
    }
    // Out of descriptors or the client left meanwhile; trying again at once could spin.
    logger_.Debug("accept failed", {{"err", error.message()}});
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this, &acceptor](const error_code&) { Accept(acceptor); });
  });
}

void Server::Accepted(tcp::acceptor&, tcp::socket socket) {
  accepted_.Increment();
  auto connection = Connection::Make(context_, std::move(socket));
  connections_.insert(connection);
  open_.store(connections_.size());
  TlsContext tls;
  TlsServerSettings settings;
  if (tls_on_) {
    const auto current = Settings();
    if (!current || *current == nullptr) return connection->Close();
    settings = (*current)->tls;
    auto context = tls_cache_.Get(settings);
    if (!context) {
      logger_.Warn("TLS settings cannot be used", {{"err", context.error().message()}});
      return connection->Close();
    }
    tls = std::move(*context);
  }
  connection->Start(tls, settings);
}

// All places are taken: when somebody knocks, one that does nothing is closed for him.
void Server::AwaitPlace(tcp::acceptor& acceptor) {
  acceptor.async_wait(tcp::acceptor::wait_read, [this, &acceptor](const error_code& error) {
    if (error || !accepting_) return;
    if (connections_.size() < options_.max_connections || Evict()) return Accept(acceptor);
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this, &acceptor](const error_code&) { Accept(acceptor); });
  });
}

bool Server::Evict() {
  using Stage = Connection::Stage;
  const MonotonicNs now = clock_.Monotonic();
  std::shared_ptr<Connection> idle, slow;
  for (const auto& connection : connections_) {
    const Stage stage = connection->stage();
    auto& oldest = stage == Stage::kIdle ? idle : slow;
    const int64_t age = now - connection->stage_since();
    const int64_t patience = connection->used() ? kIdleBeforeEvictionNs : kFreshBeforeEvictionNs;
    const bool waits = stage == Stage::kIdle || stage == Stage::kLinger;
    const bool slow_head = stage == Stage::kHead || stage == Stage::kHandshake;
    const bool closable = (waits && age > patience) || (slow_head && age > kSlowHeadNs);
    const bool older = !oldest || connection->stage_since() < oldest->stage_since();
    // A request that has arrived but was not read yet, because we are busy accepting, is not idleness.
    if (closable && older && !(waits && connection->HasInput())) oldest = connection;
  }
  const auto victim = idle ? idle : slow;
  if (victim) victim->Close();
  return victim != nullptr;
}

void Server::Closed(const std::shared_ptr<Connection>& connection) {
  if (connections_.erase(connection) > 0) closed_.Increment();
  {
    const std::lock_guard lock(mutex_);
    open_.store(connections_.size());
  }
  quiet_.notify_all();
}

bool Server::Submit(const std::shared_ptr<Exchange>& exchange, const std::shared_ptr<Connection>& connection) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    ++exchanges_;
  }
  if (workers_->Submit(exchange->admission.lane, [this, exchange, connection] { Run(*exchange, *connection); }))
    return true;
  ExchangeEnded();
  return false;
}

void Server::ExchangeEnded() {
  {
    const std::lock_guard lock(mutex_);
    --exchanges_;
  }
  quiet_.notify_all();
}

void Server::Run(Exchange& exchange, Connection& connection) {
  Request& request = exchange.request;
  DecodeParameters(request);
  ResponseStream response(exchange, request,
                          {exchange.admission.compression, options_.write_buffer_bytes, exchange.keep_alive}, clock_);
  try {
    if (gate_->LetIn(request, response, exchange.settings)) dispatcher_.Serve(exchange.admission, request, response);
  } catch (const std::exception& failure) {
    logger_.Error("A handler failed", {{"path", request.path}, {"err", failure.what()}});
    if (response.Reset()) {
      response.SetStatus(500);
    } else {
      response.Abort();
    }
  }
  response.Finish();
  if (exchange.settings != nullptr) {
    gate_->Charge(*exchange.settings, request.identity, request.body.size() + response.body_bytes());
  }
  exchange.body_charge.Reset();
  connection.HandlerDone(response.keep_alive(), response.aborted());
  ExchangeEnded();
}

void Server::Stop(int64_t grace_ms) {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    accepting_ = false;
    error_code ignored;
    retry_timer_.cancel();
    for (auto& acceptor : acceptors_) acceptor.close(ignored);
    const auto connections = connections_;
    for (const auto& connection : connections)
      if (connection->stage() != Connection::Stage::kHandling) connection->Close();
  });
  {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    clock_.WaitUntil(lock, quiet_, clock_.Monotonic() + grace_ms * kServerMsNs, [&] { return exchanges_ == 0; });
  }
  asio::post(io_, [this] {
    const auto connections = connections_;
    for (const auto& connection : connections) connection->Cancel();
  });
  constexpr int64_t kLastChanceMs = 2'000;
  {
    std::unique_lock lock(mutex_);
    clock_.WaitUntil(lock, quiet_, clock_.Monotonic() + kLastChanceMs * kServerMsNs, [&] { return exchanges_ == 0; });
  }
  // A handler that still runs may wait for a client that does not read: closing that client frees it.
  asio::post(io_, [this] {
    const auto connections = connections_;
    for (const auto& connection : connections)
      if (!connection->LastAnswer()) connection->Close();
  });
  workers_.reset();
  {  // The last answers go out.
    std::unique_lock lock(mutex_);
    clock_.WaitUntil(lock, quiet_, clock_.Monotonic() + kLastChanceMs * kServerMsNs, [&] { return open_.load() == 0; });
  }
  asio::post(io_, [this] {
    const auto connections = connections_;
    for (const auto& connection : connections) connection->Close();
    work_.reset();
  });
  thread_.join();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, Dispatcher& dispatcher,
                                                      FileSystem& files, Clock& clock, MetricRegistry& metrics,
                                                      Logger logger) {
  try {
    auto server = std::make_unique<Server>(std::move(options), dispatcher, files, clock, metrics, std::move(logger));
    EPI_TRY(server->Init());
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& failure) {
    return Fail(ErrorCode::kIo, std::string("the HTTP server cannot start: ") + failure.what());
  }
}

}  // namespace epi::net
