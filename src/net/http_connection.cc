#include "net/http_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
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

#include "net/curl_error_text.h"
#include "net/http_listener.h"
#include "net/request_head.h"

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
constexpr milliseconds kGoneCheck{500};

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(const ConnectionContext& server, tcp::socket socket);
  void Start(const TlsContext& tls, const TlsServerSettings& settings) override;
  void Close() override;
  void Cancel() override;
  bool LastAnswer() override;
  bool HasInput() override;
  bool used() const override { return used_; }
  Stage stage() const override { return stage_; }
  MonotonicNs stage_since() const override { return stage_since_; }

  Result<void> Push(std::string bytes) override;
  void HandlerDone(bool keep_alive, bool abort) override;

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

  const ConnectionContext& server_;
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

// ---- reading ----

HttpConnection::HttpConnection(const ConnectionContext& server, tcp::socket socket)
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

void HttpConnection::Enter(Stage stage) {
  stage_ = stage;
  stage_since_ = server_.clock.Monotonic();
}

template <typename Handler>
void HttpConnection::ReadSome(asio::mutable_buffer into, Handler handler) {
  if (tls_) {
    tls_->async_read_some(into, std::move(handler));
  } else {
    stream_.async_read_some(into, std::move(handler));
  }
}

void HttpConnection::Start(const TlsContext& tls, const TlsServerSettings& settings) {
  if (!tls) return NextRequest();
  SSL_CTX_up_ref(tls.get());
  asio::ssl::context context(tls.get());  // takes that reference
  tls_.emplace(stream_, context);
  stream_.expires_after(kHandshakeTimeout);
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this(), settings](const error_code& error) {
    self->Handshaken(error, settings);
  });
}

void HttpConnection::Handshaken(const error_code& error, const TlsServerSettings& settings) {
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

void HttpConnection::NextRequest() {
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

void HttpConnection::ReadMore() {
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

bool HttpConnection::ChargeInput() {
  if (server_.options.budget == nullptr) return true;
  const auto held = static_cast<int64_t>(buffer_.capacity() + (head_seen_ ? parser_->get().body().size() : 0));
  return held <= head_charge_.bytes() || head_charge_.Add(held - head_charge_.bytes()).has_value();
}

void HttpConnection::Parse() {
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

void HttpConnection::ParseProblem(const error_code& error) {
  if (error == http::error::header_limit) return Refuse(431, "");
  if (error == http::error::body_limit) return RefuseLargeBody();
  if (error == http::error::bad_version) return Refuse(505, "HTTP version not supported");
  Refuse(400, "malformed HTTP request");
}

void HttpConnection::HeadRead() {
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

void HttpConnection::SendContinue() {
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

void HttpConnection::Dispatch() {
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
  if (!server_.owner.Submit(exchange_, shared_from_this())) return Refuse(503, "too many requests are waiting");
  WatchForGone();
}

// As Go's server says that it understands no request.
void HttpConnection::Refuse(int status, std::string_view text) {
  std::string body = StatusText(status, {});
  if (!text.empty()) {
    body += ": ";
    body += text;
  }
  AnswerAndClose(status, body);
}

void HttpConnection::RefuseLargeBody() {
  AnswerAndClose(413, "request body exceeds the " + std::to_string(body_limit_) + " bytes limit\n");
}

// Answers without a handler and closes: what follows on the connection cannot be trusted or will not be read.
void HttpConnection::AnswerAndClose(int status, const std::string& body) {
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

// ---- while the handler runs ----

void HttpConnection::WatchForGone() {
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
    if (!error && self->stage_ == Stage::kHandling) self->CheckGone();
  });
}

void HttpConnection::CheckGone() {
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

void HttpConnection::Cancel() {
  if (exchange_) exchange_->stop.request_stop();
}

bool HttpConnection::HasInput() {
  error_code error;
  return stream_.socket().available(error) > 0 && !error;
}

bool HttpConnection::LastAnswer() {
  keep_alive_ = false;
  const std::lock_guard lock(mutex_);
  return done_;
}

// ---- writing ----

Result<void> HttpConnection::Push(std::string bytes) {
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

void HttpConnection::HandlerDone(bool keep_alive, bool abort) {
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

void HttpConnection::StartWrite() {
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

void HttpConnection::WriteSome() {
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

void HttpConnection::ResponseDone() {
  error_code ignored;
  watch_timer_.cancel();
  stream_.socket().cancel(ignored);
  current_.clear();
  current_.shrink_to_fit();
  exchange_.reset();
  if (abort_) return Close();
  if (!server_.owner.accepting()) return Close();
  if (!keep_alive_) return Linger();
  NextRequest();
}

// ---- ending ----

// Closing with unread input would reset the connection and take the answer away from the client: the rest is read for a
// while.
void HttpConnection::Linger() {
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

void HttpConnection::LingerRead() {
  stream_.async_read_some(buffer_.prepare(kIdleReadBytes),
                          [self = shared_from_this()](const error_code& error, size_t count) {
                            self->lingered_ += count;
                            if (error || self->lingered_ > kLingerBytes) return self->Close();
                            self->LingerRead();
                          });
}

void HttpConnection::Close() {
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
  server_.owner.Closed(shared_from_this());
}

}  // namespace

Result<void> Exchange::Push(std::string bytes) { return connection_->Push(std::move(bytes)); }

std::shared_ptr<Connection> Connection::Make(const ConnectionContext& context, TcpSocket&& socket) {
  return std::make_shared<HttpConnection>(context, std::move(socket));
}

}  // namespace epi::net
