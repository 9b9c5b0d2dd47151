// One client of the HTTP server: its requests are read under limits, its answers written with back-pressure.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/budget.h"
#include "base/clock.h"
#include "net/asio_types.h"
#include "net/http_server.h"
#include "net/response_stream.h"
#include "net/tls_server.h"

namespace epi::net {

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

// What connections ask of the server. On the reactor.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // Hands a request to a worker; false when there is no room for it.
  virtual bool Submit(const std::shared_ptr<Exchange>& exchange, const std::shared_ptr<Connection>& connection) = 0;
  virtual void Closed(const std::shared_ptr<Connection>& connection) = 0;
  // Whether a connection may go on with another request.
  virtual bool accepting() const = 0;
};

// What all connections of a server share; outlives them.
struct ConnectionContext {
  const HttpServerOptions& options;
  Dispatcher& dispatcher;
  Clock& clock;
  boost::asio::io_context& io;
  ConnectionOwner& owner;
};

// Everything runs on the reactor, except Push() and HandlerDone(), which workers call.
class Connection {
 public:
  enum class Stage : unsigned char { kHandshake, kIdle, kHead, kBody, kHandling, kLinger, kClosed };

  static std::shared_ptr<Connection> Make(const ConnectionContext& context, TcpSocket&& socket);
  virtual ~Connection() = default;

  virtual void Start(const TlsContext& tls, const TlsServerSettings& settings) = 0;
  virtual void Close() = 0;
  // Ends what runs: stop token fired, writers woken.
  virtual void Cancel() = 0;
  // While stopping: makes the answer under way the last one of this connection. False when its handler still runs.
  virtual bool LastAnswer() = 0;
  // Whether bytes have arrived that were not read yet.
  virtual bool HasInput() = 0;
  virtual bool used() const = 0;  // a request has come
  virtual Stage stage() const = 0;
  virtual MonotonicNs stage_since() const = 0;

  virtual Result<void> Push(std::string bytes) = 0;
  virtual void HandlerDone(bool keep_alive, bool abort) = 0;
};

}  // namespace epi::net
