// HTTP/1.1 server that faces the network: one reactor thread reads heads and bodies under limits, worker threads run
// the handlers, answers stream with back-pressure (http_connection). Boost.Beast stays inside.
//
// Hostile input costs a fixed amount: a head over its limit gets 431, a body over its limit 413, one that does not
// arrive in time 408 or a close; requests that different parsers could read differently (two Content-Length,
// Content-Length beside Transfer-Encoding, bad chunking) get 400 and a close. Connections over the limit wait in the
// system's accept queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "net/http_message.h"
#include "net/web_settings.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace epi::net {

enum class Compression : unsigned char {
  kNone,
  kGzipOrDeflate,  // the first of gzip and deflate named by Accept-Encoding, as the Prometheus API does
  kGzipOrZstd,     // negotiated with quality values, as promhttp does for /metrics
};

// What is decided about a request from its head.
struct Admission {
  enum class Lane : unsigned char {
    kQuick,   // health, status: has workers of its own that no slow query can take
    kNormal,  // everything else
    kStream,  // lives as long as the client: gets a thread of its own
  };
  Lane lane = Lane::kNormal;
  uint64_t max_body_bytes = 0;  // 0: the server's default
  Compression compression = Compression::kNone;
  int token = -1;  // for the dispatcher itself, handed back to Serve
};

// What the server serves. Both calls come from any thread, many at a time.
class Dispatcher {
 public:
  virtual ~Dispatcher() = default;
  // On the reactor thread: fast, no waiting.
  virtual Admission Admit(const RequestHead& head) = 0;
  // On a worker thread, with the body. Writes the whole answer.
  virtual void Serve(const Admission& admission, Request& request, ResponseWriter& response) = 0;
};

struct HttpServerOptions {
  std::vector<std::string> listen_addresses = {
      "0.0.0.0:9090"};                  // host:port; ":9090" is every address, v4 and v6; port 0 picks one
  size_t max_connections = 512;         // --web.max-connections
  size_t max_head_bytes = 1u << 20;     // request line and header fields, as Go's default
  uint64_t max_body_bytes = 32u << 20;  // unless the route says otherwise
  int64_t head_timeout_ms = 30'000;     // from the first byte of a request to the end of its head
  int64_t read_timeout_ms = 300'000;    // --web.read-timeout: whole request; also how long an idle connection is kept
  int64_t write_stall_timeout_ms = 60'000;  // a client that takes nothing for this long is dropped
  size_t quick_workers = 2;
  size_t max_workers = 128;               // threads of the normal lane, started on demand
  size_t max_streams = 64;                // threads of the stream lane; over it 503
  size_t max_queued_requests = 4096;      // waiting for a worker; over it 503
  size_t write_buffer_bytes = 64u << 10;  // what a handler may have waiting, twice
  // Bodies in flight and what handlers charge; null: unlimited.
  Budget* budget = nullptr;
  // The current settings, asked for at every request and handshake; must be cheap and thread-safe. Null: no TLS, no
  // authentication. An error answers 500. Whether TLS is on is decided at the start.
  std::function<Result<std::shared_ptr<const WebSettings>>()> settings;
};

// Thread-safe.
class HttpServer {
 public:
  // Binds all addresses and starts to accept. `dispatcher`, `files`, `clock` outlive the server. kIo names the address
  // that could not be bound: `listen tcp 0.0.0.0:9090: bind: address already in use`. The server answers every request,
  // also HEAD and OPTIONS, by the dispatcher; it adds Date, Connection and framing fields.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, Dispatcher& dispatcher, FileSystem& files,
                                                   Clock& clock, MetricRegistry& metrics, Logger logger);
  // Stops hard what Stop() left.
  virtual ~HttpServer() = default;
  // Stops accepting, waits up to `grace_ms` for requests under way, then fires their stop tokens and waits for the
  // handlers.
  virtual void Stop(int64_t grace_ms) = 0;
  // "host:port" as bound, in the order of the options.
  virtual std::vector<std::string> bound_addresses() const = 0;
  virtual size_t open_connections() const = 0;
};

}  // namespace epi::net
