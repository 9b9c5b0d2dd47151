#include "net/http_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "net/curl_error_text.h"
#include "net/request_gate.h"
#include "net/request_head.h"
#include "net/response_stream.h"
#include "net/tls_server.h"
#include "net/worker_pool.h"

namespace epi::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr size_t kReadBytes = 16u << 10;
// While nothing has come: a head mostly fits, and hundreds of connections that wait hold little.
constexpr size_t kIdleReadBytes = 1u << 10;
constexpr milliseconds kHandshakeTimeout{10'000};
constexpr milliseconds kLingerTime{2'000};
constexpr size_t kLingerBytes = 512u << 10;
constexpr milliseconds kAcceptRetry{50};
constexpr milliseconds kGoneCheck{500};
constexpr int64_t kServerMsNs = 1'000'000;
// A connection that is idle for so long may be closed when somebody else waits for a place: a client that has just
// connected, or that sends one request after another, keeps its own.
constexpr int64_t kIdleBeforeEvictionNs = 250 * kServerMsNs;
constexpr int64_t kFreshBeforeEvictionNs = 1'000 * kServerMsNs;  // one that has not asked anything yet
// A connection that has not finished its head for this long may be closed when somebody else waits for a place.
constexpr int64_t kSlowHeadNs = 5'000 * kServerMsNs;

std::string EndpointText(const tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  const std::string text = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return text + ":" + std::to_string(endpoint.port());
}

class Connection;

// One request between the connection that read it and the worker that answers it.
class Exchange final : public ByteSink, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Connection> connection, Budget* parent)
      : budget("request", Budget::kUnlimited, parent), body_charge(budget), connection_(std::move(connection)) {}
  Result<void> Push(std::string bytes) override;

  Budget budget;
  BudgetCharge body_charge;
  Request request;
  Admission admission;
  std::stop_source stop;
  std::shared_ptr<const WebSettings> settings;  // as they were when the request was let in
  bool keep_alive = true;

 private:
  std::shared_ptr<Connection> connection_;
};

class Server;

// One client. Everything runs on the reactor, except Push() and HandlerDone(), which workers call.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  enum class Stage : unsigned char { kHandshake, kIdle, kHead, kBody, kHandling, kLinger, kClosed };

  Connection(Server& server, tcp::socket socket);
  void Start(const TlsContext& tls, const TlsServerSettings& settings);
  void Close();
  // Ends what runs: stop token fired, writers woken.
  void Cancel();
  // While stopping: makes the answer under way the last one of this connection. False when its handler still runs.
  bool LastAnswer();
  // Whether bytes have arrived that were not read yet.
  bool HasInput();
  bool used() const { return used_; }  // a request has come
  Stage stage() const { return stage_; }
  MonotonicNs stage_since() const { return stage_since_; }

  Result<void> Push(std::string bytes);
  void HandlerDone(bool keep_alive, bool abort);

 private:
  using Parser = http::request_parser<http::string_body>;

  void Enter(Stage stage);
  template <typename Handler>
  void ReadSome(asio::mutable_buffer into, Handler handler);
  void Handshaken(const error_code& error, const TlsServerSettings& settings);
  void NextRequest();
  void ReadMore();
  void Parse();
  void HeadRead();
  bool ChargeInput();
  void ParseProblem(const error_code& error);
  void SendContinue();
  void Dispatch();
  void Refuse(int status, std::string_view text);
  void RefuseLargeBody();
  void AnswerAndClose(int status, const std::string& body);
  void WatchForGone();
  void CheckGone();
  void StartWrite();
  void WriteSome();
  void ResponseDone();
  void Linger();
  void LingerRead();

  Server& server_;
  beast::tcp_stream stream_;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;
  asio::steady_timer watch_timer_;
  Stage stage_ = Stage::kHandshake;
  MonotonicNs stage_since_ = 0;
  std::string remote_address_, local_address_;

  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bool head_seen_ = false;
  bool used_ = false;
  uint64_t body_limit_ = 0;
  BudgetCharge head_charge_;
  std::shared_ptr<Exchange> exchange_;
  size_t lingered_ = 0;

  std::mutex mutex_;
  std::condition_variable drained_;
  std::deque<std::string> queue_;  // guarded by mutex_
  size_t queued_bytes_ = 0;        // guarded by mutex_; what is being written included
  bool dead_ = false;              // guarded by mutex_; nothing can be written any more
  bool done_ = false;              // guarded by mutex_; the handler has returned
  // The reactor alone.
  bool writing_ = false;
  std::string current_;
  size_t written_ = 0;
  bool keep_alive_ = true;
  bool abort_ = false;
};

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions server_options, Dispatcher& server_dispatcher, FileSystem& files, Clock& server_clock,
         MetricRegistry& metrics, Logger server_logger)
      : options(std::move(server_options)),
        dispatcher(server_dispatcher),
        clock(server_clock),
        logger(std::move(server_logger)),
        accepted_(metrics.AddCounter("net_conntrack_listener_conn_accepted_total",
                                     "Total number of connections opened to the listener of a given name.",
                                     {{"listener_name", "http"}})),
        closed_(metrics.AddCounter("net_conntrack_listener_conn_closed_total",
                                   "Total number of connections closed that were made to the listener of a given name.",
                                   {{"listener_name", "http"}})),
        tls_cache_(files),
        retry_timer_(io) {}

  ~Server() override { Stop(0); }

  Result<void> Init() {
    EPI_ASSIGN(const auto settings, Settings());
    if (settings != nullptr && settings->tls.enabled()) {
      EPI_TRY(tls_cache_.Get(settings->tls));
      tls_on_ = true;
    }
    gate_.emplace(options.settings, settings.get(), clock, logger);
    for (const auto& address : options.listen_addresses) EPI_TRY(Listen(address));
    workers_.emplace(WorkerPool::Limits{options.quick_workers, options.max_workers, options.max_streams,
                                        options.max_queued_requests});
    work_.emplace(io.get_executor());
    for (auto& acceptor : acceptors_) Accept(acceptor);
    thread_ = std::thread([this] { io.run(); });
    return {};
  }

  void Stop(int64_t grace_ms) override;
  std::vector<std::string> bound_addresses() const override { return bound_; }
  size_t open_connections() const override { return open_.load(); }

  // Null settings: none.
  Result<std::shared_ptr<const WebSettings>> Settings() const {
    if (!options.settings) return std::shared_ptr<const WebSettings>();
    return options.settings();
  }
  bool Submit(const std::shared_ptr<Exchange>& exchange, const std::shared_ptr<Connection>& connection);
  void Closed(const std::shared_ptr<Connection>& connection);
  void ExchangeEnded();
  bool accepting() const { return accepting_; }

  const HttpServerOptions options;
  Dispatcher& dispatcher;
  Clock& clock;
  Logger logger;
  asio::io_context io{1};

 private:
  Result<void> Listen(const std::string& address);
  void Accept(tcp::acceptor& acceptor);
  void Accepted(tcp::acceptor& acceptor, tcp::socket socket);
  void AwaitPlace(tcp::acceptor& acceptor);
  bool Evict();
  void Run(Exchange& exchange, Connection& connection);

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

// ---- Exchange ----

Result<void> Exchange::Push(std::string bytes) { return connection_->Push(std::move(bytes)); }

// ---- Connection: reading ----

Connection::Connection(Server& server, tcp::socket socket)
    : server_(server),
      stream_(std::move(socket)),
      watch_timer_(server.io),
      stage_since_(server.clock.Monotonic()),
      buffer_(server.options.max_head_bytes + kReadBytes) {
  error_code error;
  const auto remote = stream_.socket().remote_endpoint(error);
  if (!error) remote_address_ = EndpointText(remote);
  const auto local = stream_.socket().local_endpoint(error);
  if (!error) local_address_ = EndpointText(local);
  stream_.socket().set_option(tcp::no_delay(true), error);
  if (server.options.budget != nullptr) head_charge_ = BudgetCharge(*server.options.budget);
}

void Connection::Enter(Stage stage) {
  stage_ = stage;
  stage_since_ = server_.clock.Monotonic();
}

template <typename Handler>
void Connection::ReadSome(asio::mutable_buffer into, Handler handler) {
  if (tls_) {
    tls_->async_read_some(into, std::move(handler));
  } else {
    stream_.async_read_some(into, std::move(handler));
  }
}

void Connection::Start(const TlsContext& tls, const TlsServerSettings& settings) {
  if (!tls) return NextRequest();
  SSL_CTX_up_ref(tls.get());
  asio::ssl::context context(tls.get());  // takes that reference
  tls_.emplace(stream_, context);
  stream_.expires_after(kHandshakeTimeout);
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this(), settings](const error_code& error) {
    self->Handshaken(error, settings);
  });
}

void Connection::Handshaken(const error_code& error, const TlsServerSettings& settings) {
  if (stage_ == Stage::kClosed) return;
  if (!error && ClientNameAllowed(tls_->native_handle(), settings)) return NextRequest();
  const bool plain_http =
      error.category() == asio::error::get_ssl_category() && ERR_GET_REASON(error.value()) == SSL_R_HTTP_REQUEST;
  if (!plain_http) return Close();
  tls_.reset();
  queue_.push_back("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
  keep_alive_ = false;
  done_ = true;
  StartWrite();
}

void Connection::NextRequest() {
  head_seen_ = false;
  exchange_.reset();
  {
    const std::lock_guard lock(mutex_);
    done_ = false;
  }
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(server_.options.max_head_bytes));
  parser_->body_limit(boost::none);  // set when the route is known
  parser_->eager(false);
  if (buffer_.size() > 0) {  // pipelined
    Enter(Stage::kHead);
    stream_.expires_after(milliseconds(server_.options.head_timeout_ms));
    return Parse();
  }
  buffer_.clear();
  buffer_.shrink_to_fit();  // an idle connection holds no buffer
  head_charge_.Reset();
  Enter(Stage::kIdle);
  stream_.expires_after(milliseconds(server_.options.read_timeout_ms));
  ReadMore();
}

void Connection::ReadMore() {
  // The buffer holds heads and the unparsed rest of bodies; it is full only when a head passes its limit.
  if (buffer_.size() >= server_.options.max_head_bytes) return Refuse(431, "");
  const size_t wanted = stage_ == Stage::kIdle ? kIdleReadBytes : kReadBytes;
  const size_t size = std::min(wanted, buffer_.max_size() - buffer_.size());
  ReadSome(buffer_.prepare(size), [self = shared_from_this()](const error_code& error, size_t count) {
    if (self->stage_ == Stage::kClosed) return;
    if (error) {
      // A body that ends early deserves an answer only where the client still listens; everything else is a close.
      return self->Close();
    }
    self->buffer_.commit(count);
    if (self->stage_ == Stage::kIdle) {
      self->Enter(Stage::kHead);
      self->stream_.expires_after(milliseconds(self->server_.options.head_timeout_ms));
    }
    self->Parse();
  });
}

bool Connection::ChargeInput() {
  if (server_.options.budget == nullptr) return true;
  const auto held = static_cast<int64_t>(buffer_.capacity() + (head_seen_ ? parser_->get().body().size() : 0));
  return held <= head_charge_.bytes() || head_charge_.Add(held - head_charge_.bytes()).has_value();
}

void Connection::Parse() {
  while (true) {
    error_code error;
    const size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (!ChargeInput()) return Refuse(503, "too much request data in flight");
    if (error && error != http::error::need_more) return ParseProblem(error);
    if (parser_->is_header_done() && !head_seen_) {
      head_seen_ = used_ = true;
      return HeadRead();
    }
    if (parser_->is_done()) return Dispatch();
    if (error == http::error::need_more || buffer_.size() == 0) return ReadMore();
  }
}

void Connection::ParseProblem(const error_code& error) {
  if (error == http::error::header_limit) return Refuse(431, "");
  if (error == http::error::body_limit) return RefuseLargeBody();
  if (error == http::error::bad_version) return Refuse(505, "HTTP version not supported");
  Refuse(400, "malformed HTTP request");
}

void Connection::HeadRead() {
  const auto& message = parser_->get();
  exchange_ = std::make_shared<Exchange>(shared_from_this(), server_.options.budget);
  Request& request = exchange_->request;
  request.method_text = std::string(message.method_string());
  request.method = MethodFromName(request.method_text);
  request.http_minor = message.version() == 10 ? 0 : 1;
  for (const auto& field : message) request.headers.Add(std::string(field.name_string()), std::string(field.value()));
  request.remote_address = remote_address_;
  request.local_address = local_address_;
  request.host = std::string(request.headers.Get("Host"));
  request.tls = tls_.has_value();
  if (const auto problem = CheckFraming(request); problem.status != 0) return Refuse(problem.status, problem.text);
  if (const auto problem = SetTarget(request, std::string(message.target())); problem.status != 0)
    return Refuse(problem.status, problem.text);
  exchange_->keep_alive = WantsKeepAlive(request);
  exchange_->admission = server_.dispatcher.Admit(request);

  const uint64_t own_limit = exchange_->admission.max_body_bytes;
  body_limit_ = own_limit != 0 ? own_limit : server_.options.max_body_bytes;
  if (parser_->content_length().value_or(0) > body_limit_) return RefuseLargeBody();
  parser_->body_limit(body_limit_);
  parser_->eager(true);
  Enter(Stage::kBody);
  stream_.expires_after(milliseconds(server_.options.read_timeout_ms));
  if (parser_->is_done()) return Dispatch();
  if (!request.headers.Get("Expect").empty() && buffer_.size() == 0) return SendContinue();
  Parse();
}

void Connection::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const auto sent = [self = shared_from_this()](const error_code& error, size_t) {
    if (error) return self->Close();
    self->Parse();
  };
  const auto bytes = asio::buffer(kContinue.data(), kContinue.size());
  if (tls_) {
    tls_->async_write_some(bytes, sent);
  } else {
    stream_.async_write_some(bytes, sent);
  }
}

void Connection::Dispatch() {
  Request& request = exchange_->request;
  request.body = std::move(parser_->get().body());
  parser_.reset();
  // The body's charge moves to the request, whose budget stands under the same one.
  head_charge_.Reset();
  if (!exchange_->body_charge.Add(static_cast<int64_t>(request.body.size())))
    return Refuse(503, "too much request data in flight");
  request.stop = exchange_->stop.get_token();
  request.budget = &exchange_->budget;
  Enter(Stage::kHandling);
  stream_.expires_never();
  if (!server_.Submit(exchange_, shared_from_this())) return Refuse(503, "too many requests are waiting");
  WatchForGone();
}

// As Go's server says that it understands no request.
void Connection::Refuse(int status, std::string_view text) {
  std::string body = StatusText(status, {});
  if (!text.empty()) {
    body += ": ";
    body += text;
  }
  AnswerAndClose(status, body);
}

void Connection::RefuseLargeBody() {
  AnswerAndClose(413, "request body exceeds the " + std::to_string(body_limit_) + " bytes limit\n");
}

// Answers without a handler and closes: what follows on the connection cannot be trusted or will not be read.
void Connection::AnswerAndClose(int status, const std::string& body) {
  parser_.reset();
  head_charge_.Reset();
  std::string out = "HTTP/1.1 " + StatusText(status, {}) +
                    "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\nConnection: close\r\n\r\n" + body;
  Enter(Stage::kHandling);
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ += out.size();
    queue_.push_back(std::move(out));
    done_ = true;
  }
  keep_alive_ = false;
  StartWrite();
}

// ---- Connection: while the handler runs ----

void Connection::WatchForGone() {
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
    if (!error && self->stage_ == Stage::kHandling) self->CheckGone();
  });
}

void Connection::CheckGone() {
  pollfd state{stream_.socket().native_handle(), POLLRDHUP, 0};
  ::poll(&state, 1, 0);
  if ((state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
    if (exchange_) exchange_->stop.request_stop();
    return;
  }
  // The next request waits in the socket: look again later, because readiness would fire at once.
  watch_timer_.expires_after(kGoneCheck);
  watch_timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->stage_ == Stage::kHandling) self->CheckGone();
  });
}

void Connection::Cancel() {
  if (exchange_) exchange_->stop.request_stop();
}

bool Connection::HasInput() {
  error_code error;
  return stream_.socket().available(error) > 0 && !error;
}

bool Connection::LastAnswer() {
  keep_alive_ = false;
  const std::lock_guard lock(mutex_);
  return done_;
}

// ---- Connection: writing ----

Result<void> Connection::Push(std::string bytes) {
  {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [&] { return dead_ || queued_bytes_ < server_.options.write_buffer_bytes; });
    if (dead_) return Fail(ErrorCode::kCanceled, "the client is gone");
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
  }
  asio::post(server_.io, [self = shared_from_this()] { self->StartWrite(); });
  return {};
}

void Connection::HandlerDone(bool keep_alive, bool abort) {
  asio::post(server_.io, [self = shared_from_this(), keep_alive, abort] {
    self->keep_alive_ = keep_alive;
    self->abort_ = abort;
    {
      const std::lock_guard lock(self->mutex_);
      self->done_ = true;
    }
    self->StartWrite();
  });
}

void Connection::StartWrite() {
  if (writing_ || stage_ == Stage::kClosed) return;
  bool finished = false;
  {
    const std::lock_guard lock(mutex_);
    current_.clear();
    for (auto& bytes : queue_) current_ = current_.empty() ? std::move(bytes) : current_ + bytes;
    queue_.clear();
    finished = current_.empty() && done_;
  }
  if (finished) return ResponseDone();
  if (current_.empty()) return;
  writing_ = true;
  written_ = 0;
  WriteSome();
}

void Connection::WriteSome() {
  stream_.expires_after(milliseconds(server_.options.write_stall_timeout_ms));
  const auto wrote = [self = shared_from_this()](const error_code& error, size_t count) {
    if (error || self->stage_ == Stage::kClosed) return self->Close();
    self->written_ += count;
    if (self->written_ < self->current_.size()) return self->WriteSome();
    self->writing_ = false;
    {
      const std::lock_guard lock(self->mutex_);
      self->queued_bytes_ -= std::min(self->queued_bytes_, self->current_.size());
    }
    self->drained_.notify_all();
    self->StartWrite();
  };
  const auto bytes = asio::buffer(current_.data() + written_, current_.size() - written_);
  if (tls_) {
    tls_->async_write_some(bytes, wrote);
  } else {
    stream_.async_write_some(bytes, wrote);
  }
}

void Connection::ResponseDone() {
  error_code ignored;
  watch_timer_.cancel();
  stream_.socket().cancel(ignored);
  current_.clear();
  current_.shrink_to_fit();
  exchange_.reset();
  if (abort_) return Close();
  if (!server_.accepting()) return Close();
  if (!keep_alive_) return Linger();
  NextRequest();
}

// ---- Connection: ending ----

// Closing with unread input would reset the connection and take the answer away from the client: the rest is read for a
// while.
void Connection::Linger() {
  Enter(Stage::kLinger);
  stream_.expires_after(kLingerTime);
  if (tls_) {
    tls_->async_shutdown([self = shared_from_this()](const error_code&) { self->Close(); });
    return;
  }
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  buffer_.clear();
  LingerRead();
}

void Connection::LingerRead() {
  stream_.async_read_some(buffer_.prepare(kIdleReadBytes),
                          [self = shared_from_this()](const error_code& error, size_t count) {
                            self->lingered_ += count;
                            if (error || self->lingered_ > kLingerBytes) return self->Close();
                            self->LingerRead();
                          });
}

void Connection::Close() {
  if (stage_ == Stage::kClosed) return;
  Enter(Stage::kClosed);
  error_code ignored;
  watch_timer_.cancel();
  stream_.socket().close(ignored);
  stream_.cancel();
  if (exchange_) exchange_->stop.request_stop();
  exchange_.reset();  // the worker has its own reference
  {
    const std::lock_guard lock(mutex_);
    dead_ = true;
    queue_.clear();
  }
  drained_.notify_all();
  head_charge_.Reset();
  parser_.reset();
  server_.Closed(shared_from_this());
}

// ---- Server ----

// "host:port" to endpoints; an unspecified host is both families where the system has both, as in Go.
Result<void> Server::Listen(const std::string& address) {
  const auto failed = [&](std::string_view step, const error_code& error) {
    std::string why = error == asio::error::address_in_use ? "address already in use" : error.message();
    if (error == asio::error::access_denied) why = "permission denied";
    return Fail(ErrorCode::kIo, "listen tcp " + address + ": " + std::string(step) + ": " + why);
  };
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return Fail(ErrorCode::kInvalid, "listen tcp: address " + address + ": missing port in address");
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  // The resolver would take the number modulo 65536.
  const std::string port = address.substr(colon + 1);
  const bool number =
      !port.empty() && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (number && (port.size() > 5 || std::stoi(port) > 65535))
    return Fail(ErrorCode::kInvalid, "listen tcp: address " + port + ": invalid port");
  error_code error;
  tcp::resolver resolver(io);
  const bool any = host.empty() || host == "0.0.0.0" || host == "::";
  const auto found = resolver.resolve(any ? "::" : host, port, tcp::resolver::passive, error);
  if (error) return Fail(ErrorCode::kInvalid, "listen tcp: lookup " + host + ": " + error.message());
  tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), error);
  if (any && !error) acceptor.set_option(asio::ip::v6_only(false), error);
  if (any && error) {  // no IPv6 here
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
    if (acceptor.is_open()) acceptor.close(error);
    acceptor.open(endpoint.protocol(), error);
  }
  if (error) return failed("socket", error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed("bind", error);
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen", error);
  bound_.push_back(EndpointText(acceptor.local_endpoint(error)));
  acceptors_.push_back(std::move(acceptor));
  return {};
}

void Server::Accept(tcp::acceptor& acceptor) {
  if (!accepting_) return;
  if (connections_.size() >= options.max_connections) return AwaitPlace(acceptor);
  acceptor.async_accept([this, &acceptor](const error_code& error, tcp::socket socket) {
    if (!accepting_) return;
    if (!error) {
      Accepted(acceptor, std::move(socket));
      return Accept(acceptor);
    }
    // Out of descriptors or the client left meanwhile; trying again at once could spin.
    logger.Debug("accept failed", {{"err", error.message()}});
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this, &acceptor](const error_code&) { Accept(acceptor); });
  });
}

void Server::Accepted(tcp::acceptor&, tcp::socket socket) {
  accepted_.Increment();
  auto connection = std::make_shared<Connection>(*this, std::move(socket));
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
      logger.Warn("TLS settings cannot be used", {{"err", context.error().message()}});
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
    if (connections_.size() < options.max_connections || Evict()) return Accept(acceptor);
    retry_timer_.expires_after(kAcceptRetry);
    retry_timer_.async_wait([this, &acceptor](const error_code&) { Accept(acceptor); });
  });
}

bool Server::Evict() {
  using Stage = Connection::Stage;
  const MonotonicNs now = clock.Monotonic();
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
                          {exchange.admission.compression, options.write_buffer_bytes, exchange.keep_alive}, clock);
  try {
    if (gate_->LetIn(request, response, exchange.settings)) dispatcher.Serve(exchange.admission, request, response);
  } catch (const std::exception& failure) {
    logger.Error("A handler failed", {{"path", request.path}, {"err", failure.what()}});
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
  asio::post(io, [this] {
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
    clock.WaitUntil(lock, quiet_, clock.Monotonic() + grace_ms * kServerMsNs, [&] { return exchanges_ == 0; });
  }
  asio::post(io, [this] {
    const auto connections = connections_;
    for (const auto& connection : connections) connection->Cancel();
  });
  constexpr int64_t kLastChanceMs = 2'000;
  {
    std::unique_lock lock(mutex_);
    clock.WaitUntil(lock, quiet_, clock.Monotonic() + kLastChanceMs * kServerMsNs, [&] { return exchanges_ == 0; });
  }
  // A handler that still runs may wait for a client that does not read: closing that client frees it.
  asio::post(io, [this] {
    const auto connections = connections_;
    for (const auto& connection : connections)
      if (!connection->LastAnswer()) connection->Close();
  });
  workers_.reset();
  {  // The last answers go out.
    std::unique_lock lock(mutex_);
    clock.WaitUntil(lock, quiet_, clock.Monotonic() + kLastChanceMs * kServerMsNs, [&] { return open_.load() == 0; });
  }
  asio::post(io, [this] {
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
