// HTTP client for everything the server asks of others: scrapes, remote endpoints, Alertmanagers, discovery. One thread
// drives thousands of transfers (libcurl multi on epoll); connections are kept alive and shared between requests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "net/http_headers.h"
#include "net/http_settings.h"
#include "telemetry/log.h"

namespace epi {
class MetricRegistry;
}

namespace epi::net {

// A string borrowed from the client's pool, given back when destroyed so that its capacity is used again. Move-only;
// may outlive the client. Thread-safe to destroy anywhere.
class PooledBuffer {
 public:
  PooledBuffer() = default;
  PooledBuffer(PooledBuffer&& other) noexcept = default;
  PooledBuffer& operator=(PooledBuffer&& other) noexcept;
  ~PooledBuffer();
  std::string_view view() const { return data_; }
  std::string& mutable_string() { return data_; }
  size_t size() const { return data_.size(); }

 private:
  friend class BufferPool;
  std::string data_;
  std::shared_ptr<class BufferPool> pool_;
};

struct HttpResponse {
  int status = 0;  // e.g. 200
  // "200 OK", "404 Not Found": what Go's Response.Status prints.
  std::string status_text;
  HttpHeaders headers;  // of the last response after redirects
  PooledBuffer body;    // as it came over the wire: Content-Encoding is not undone
  std::string final_url;
  int64_t elapsed_ns = 0;
};

// Settings compiled and validated once: what a scrape pool or a remote endpoint keeps. Immutable and thread-safe;
// credentials files are read again for each request, TLS files when they change. Must not outlive its HttpClient.
class HttpProfile {
 public:
  virtual ~HttpProfile() = default;
  virtual const HttpClientSettings& settings() const = 0;
};

struct HttpRequest {
  std::string url;  // absolute, http or https
  std::string method = "GET";
  HttpHeaders headers;  // Authorization and the headers of the settings are added unless present here
  std::string body;
  std::shared_ptr<const HttpProfile> profile;  // null: default settings
  int64_t timeout_ms = 0;  // for the whole exchange, redirects and token fetch included; 0 means none
  // Bytes over the wire. Past it the transfer fails with kLimit `body size limit exceeded`. 0 means no limit.
  uint64_t max_body_bytes = 0;
  std::string unix_socket;  // connect here instead of the URL's host
  // When set, body bytes go here as they arrive (on the client's thread: it must not block) and not into the response;
  // an error ends the transfer. `head` has status and headers.
  std::function<Result<void>(const HttpResponse& head, std::string_view bytes)> on_bytes;
};

// Called exactly once on the client's thread: it must not block and must not call HttpClient::Call. An error carries
// the text that Go's net/http would give, `Get "http://host/": dial tcp 127.0.0.1:9100: connect: connection refused`,
// and the code kTimeout (`context deadline exceeded`), kCanceled, kLimit, kUnavailable (network) or kInvalid (request,
// settings, files). Any HTTP status is a success here.
using HttpCallback = std::function<void(Result<HttpResponse>)>;

// Thread-safe.
class HttpClient {
 public:
  struct Options {
    size_t max_idle_connections = 20'000;
    int64_t idle_timeout_ms = 300'000;             // Prometheus's keep-alive idle timeout
    int64_t handshake_timeout_ms = 10'000;         // of TCP and TLS together
    size_t max_pooled_buffers = 1024;              // buffers kept for reuse
    size_t max_pooled_bytes = 64u << 20;           // and their bytes in total
    size_t max_connections_per_host = 0;           // 0: no limit
    std::string user_agent = "Prometheus/3.14.0";  // when a request has none
    MetricRegistry* metrics = nullptr;             // counts connections by dialer; outlives the client; may be null
  };
  // Starts the thread. `files` and `clock` outlive the client.
  static Result<std::unique_ptr<HttpClient>> Start(Options options, FileSystem& files, Clock& clock, Logger logger);
  // Pending requests end with kCanceled before the destructor returns.
  virtual ~HttpClient() = default;

  // kInvalid for settings that can never work: `cannot use secret ref without manager`, an unreadable CA file, TLS
  // versions out of order.
  // `dialer`: who makes connections with them, for the metrics: a job's name, or what Prometheus calls a client.
  virtual Result<std::shared_ptr<const HttpProfile>> Prepare(const HttpClientSettings& settings,
                                                             const std::string& dialer) = 0;

  using RequestId = uint64_t;
  virtual RequestId Send(HttpRequest request, HttpCallback done) = 0;
  // Ends a request with kCanceled, on the client's thread, soon. No effect when it has ended.
  virtual void Cancel(RequestId id) = 0;
  // Sends and waits. Not from a callback.
  Result<HttpResponse> Call(HttpRequest request);
};

}  // namespace epi::net
