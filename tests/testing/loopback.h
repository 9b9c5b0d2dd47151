// What the tests of this module share: a server on a free port whose handler is a function, and a raw socket client.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace epi::net {

class FunctionDispatcher final : public Dispatcher {
 public:
  using Serving = std::function<void(Request&, ResponseWriter&)>;
  explicit FunctionDispatcher(Serving serve, Admission admission = {})
      : serve_(std::move(serve)), admission_(admission) {}
  Admission Admit(const RequestHead& head) override {
    Admission admission = admission_;
    if (head.path == "/quick") admission.lane = Admission::Lane::kQuick;
    return admission;
  }
  void Serve(const Admission&, Request& request, ResponseWriter& response) override { serve_(request, response); }

 private:
  Serving serve_;
  Admission admission_;
};

class TestServer {
 public:
  explicit TestServer(FunctionDispatcher::Serving serve, HttpServerOptions options = {}, Admission admission = {})
      : dispatcher_(std::move(serve), admission) {
    options.listen_addresses = {"127.0.0.1:0"};
    auto started = HttpServer::Start(options, dispatcher_, PosixFileSystem(), SystemClock(), metrics_, Logger());
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().message());
    if (!started) return;
    server_ = std::move(*started);
    const std::string address = server_->bound_addresses().at(0);
    port_ = std::stoi(address.substr(address.rfind(':') + 1));
  }
  int port() const { return port_; }
  std::string Url(const std::string& path, const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port_) + path;
  }
  HttpServer& server() { return *server_; }
  MetricRegistry& metrics() { return metrics_; }

 private:
  FunctionDispatcher dispatcher_;
  MetricRegistry metrics_;
  std::unique_ptr<HttpServer> server_;
  int port_ = 0;
};

// A blocking TCP client that sends exactly what it is told.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // False when the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // What arrives until the end, until `until` has been seen, or until nothing comes for `wait_ms`.
  std::string Read(std::string_view until = {}, int wait_ms = 5'000) {
    std::string out;
    char buffer[65536];
    while (until.empty() || out.find(until) == std::string::npos) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, wait_ms) <= 0) break;
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      out.append(buffer, static_cast<size_t>(got));
    }
    return out;
  }
  // Whether the server closes within the time.
  bool AwaitClose(int wait_ms = 5'000) {
    char byte;
    while (true) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, wait_ms) <= 0) return false;
      if (::recv(fd_, &byte, 1, 0) <= 0) return true;
    }
  }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool connected_ = false;
};

}  // namespace epi::net
