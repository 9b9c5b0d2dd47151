// Targets that answer badly, over real sockets and the real HTTP client: each fails with its own error and the others
// go on.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libdeflate.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "scrape/scrape_manager.h"
#include "testing/memory_storage.h"

namespace epi::scrape {
namespace {

// Accepts connections and sends fixed bytes on each, then closes; or keeps quiet, or goes on for ever.
class RawServer {
 public:
  enum class Then : unsigned char { kClose, kStayOpen, kRepeat };
  RawServer(std::string bytes, Then then) : bytes_(std::move(bytes)), then_(then) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    stopping_ = true;
    shutdown(fd_, SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      for (const int open : open_) shutdown(open, SHUT_RDWR);
    }
    thread_.join();
    for (auto& one : connections_) one.join();
    close(fd_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve() {
    while (!stopping_) {
      const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const std::lock_guard lock(mutex_);
      open_.push_back(connection);
      connections_.emplace_back([this, connection] { Answer(connection); });
    }
  }
  void Answer(int connection) {
    char request[4096];
    if (recv(connection, request, sizeof request, 0) > 0) {
      Send(connection, bytes_);
      const std::string more(1 << 16, 'a');
      while (then_ == Then::kRepeat && !stopping_ && Send(connection, more)) {
      }
      if (then_ == Then::kStayOpen) {
        while (recv(connection, request, sizeof request, 0) > 0) {
        }
      }
    }
    shutdown(connection, SHUT_RDWR);
  }
  static bool Send(int connection, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  const std::string bytes_;
  const Then then_;
  int fd_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<int> open_;                 // guarded by mutex_
  std::vector<std::thread> connections_;  // guarded by mutex_ until the accepting thread has ended
  std::thread thread_;
};

std::string Http(const std::string& headers, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + "\r\n" + body;
}

std::string Gzip(const std::string& text) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

const std::string kPlain = "Content-Type: text/plain; version=0.0.4\r\n";

struct BadTarget {
  std::string name;
  std::string bytes;
  RawServer::Then then;
  std::string error;  // lastError, with "@" for `Get "http://address/metrics"`; empty: healthy
};

std::vector<BadTarget> BadTargets() {
  const std::string bomb = Gzip(std::string(64u << 20, '0'));
  std::string damaged = Gzip("a 1\nb 2\n");
  damaged[damaged.size() - 6] ^= 0x55;
  std::string cut = Gzip("a 1\nb 2\n");
  cut.resize(cut.size() - 2);
  return {
      {"good", Http(kPlain, "a 1\n"), RawServer::Then::kClose, ""},
      {"gzip", Http(kPlain + "Content-Encoding: gzip\r\n", Gzip("a 1\n")), RawServer::Then::kClose, ""},
      {"silent", "", RawServer::Then::kStayOpen, "@: context deadline exceeded"},
      {"slow_body", Http(kPlain + "Content-Length: 100\r\n", "a 1\n"), RawServer::Then::kStayOpen,
       "context deadline exceeded"},
      {"short_body", Http(kPlain + "Content-Length: 100\r\n", "a 1\n"), RawServer::Then::kClose, "unexpected EOF"},
      {"hangs_up", "", RawServer::Then::kClose, "@: EOF"},
      {"not_http", "SSH-2.0-OpenSSH_9.2\r\n", RawServer::Then::kClose,
       R"(@: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.2")"},
      {"bad_gzip", Http(kPlain + "Content-Encoding: gzip\r\n", "a 1\nb 2\nc 3\nd 4\n"), RawServer::Then::kClose,
       "gzip: invalid header"},
      {"damaged_gzip", Http(kPlain + "Content-Encoding: gzip\r\n", damaged), RawServer::Then::kClose,
       "gzip: invalid checksum"},
      {"cut_gzip", Http(kPlain + "Content-Encoding: gzip\r\n", cut), RawServer::Then::kClose, "unexpected EOF"},
      {"gzip_and_more", Http(kPlain + "Content-Encoding: gzip\r\n", Gzip("a 1\n") + "more"), RawServer::Then::kClose,
       "unexpected EOF"},
      {"no_gzip", Http(kPlain + "Content-Encoding: gzip\r\n", ""), RawServer::Then::kClose, "EOF"},
      {"cut_head", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", RawServer::Then::kClose,
       "@: net/http: HTTP/1.x transport connection broken: unexpected EOF"},
      {"bad_head", Http(kPlain + "f(o)o: v\r\n", "a 1\n"), RawServer::Then::kClose,
       R"(@: net/http: HTTP/1.x transport connection broken: malformed MIME header line: "f(o)o: v")"},
      {"bad_length", Http(kPlain + "Content-Length: 0x4\r\n", "a 1\n"), RawServer::Then::kClose,
       R"(@: net/http: HTTP/1.x transport connection broken: bad Content-Length "0x4")"},
      {"bad_chunk", Http(kPlain + "Transfer-Encoding: chunked\r\n", "zz\r\n"), RawServer::Then::kClose,
       "invalid byte in chunk length"},
      {"own_words", "HTTP/1.1  503\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", RawServer::Then::kClose,
       "server returned HTTP status 503"},
      {"nowhere", "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
       RawServer::Then::kClose, "server returned HTTP status 302 Found"},
      {"bomb", Http(kPlain + "Content-Encoding: gzip\r\n", bomb), RawServer::Then::kClose, "body size limit exceeded"},
      {"endless", Http(kPlain, "a 1\n"), RawServer::Then::kRepeat, "body size limit exceeded"},
      {"html", Http("Content-Type: text/html\r\n", "<html><body>hello</body></html>"), RawServer::Then::kClose,
       R"(received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target)"},
      {"html_as_text", Http(kPlain, "<html>"), RawServer::Then::kClose,
       R"(expected a valid start token, got "<" ("INVALID") while parsing: "<")"},
      {"cut_protobuf", Http("Content-Type: application/vnd.google.protobuf\r\n", "a_total 1\n# EOF\n"),
       RawServer::Then::kClose, "clientpb: insufficient length of buffer, expected at least 98 bytes, got 16 bytes"},
      {"endless_prefix", Http("Content-Type: application/vnd.google.protobuf\r\n", std::string(12, '\xff')),
       RawServer::Then::kClose, "clientpb: invalid varint encountered"},
      {"untyped", Http("", "a 1\n"), RawServer::Then::kClose,
       "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"},
      {"long_line", Http(kPlain, "a{b=\"" + std::string(4u << 20, 'x') + "\"} 1\n"), RawServer::Then::kClose,
       "label_value_length_limit exceeded (metric: a, label name: b, value: \"" + std::string(50, 'x') +
           "\", length: 4194304, limit: 1000)"},
      {"redirect", "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
       RawServer::Then::kClose, R"(Get "/elsewhere": stopped after 10 redirects)"},
      {"missing", "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", RawServer::Then::kClose,
       "server returned HTTP status 404 Not Found"},
  };
}

TEST(BadTargetsTest, EachFailsInItsOwnWay) {
  const auto bad = BadTargets();
  epi::testing::MemoryStorage storage;
  MetricRegistry registry;
  SeededRandom seeded(1);
  auto http = net::HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger());
  ASSERT_TRUE(http);
  ScrapeManagerOptions options;
  options.body_hard_cap = 8u << 20;
  std::vector<std::unique_ptr<RawServer>> servers;
  std::vector<ScrapeJob> jobs;
  std::map<std::string, TargetGroups> groups;
  for (const auto& target : bad) {
    servers.push_back(std::make_unique<RawServer>(target.bytes, target.then));
    ScrapeJob job;
    job.job_name = target.name;
    job.scrape_interval = job.scrape_timeout = 1000;
    job.label_value_length_limit = 1000;
    jobs.push_back(job);
    auto group = std::make_shared<TargetGroup>();
    group->targets.push_back(Labels{{"__address__", servers.back()->address()}});
    groups[target.name] = {group};
  }
  // A target that nobody listens for.
  ScrapeJob dead;
  dead.job_name = "dead";
  dead.scrape_interval = dead.scrape_timeout = 1000;
  jobs.push_back(dead);
  auto group = std::make_shared<TargetGroup>();
  group->targets.push_back(Labels{{"__address__", "127.0.0.1:1"}});
  groups["dead"] = {group};

  ScrapeManager manager({storage, **http, PosixFileSystem(), SystemClock(), seeded, Logger(), registry}, options);
  ASSERT_TRUE(manager.ApplyConfig(jobs, 0));
  manager.UpdateTargets(groups);
  std::mutex mutex;
  std::condition_variable never;
  const auto await = [&](const std::string& job) {
    const MonotonicNs deadline = SystemClock().Monotonic() + 30'000'000'000;
    while (SystemClock().Monotonic() < deadline) {
      const auto targets = manager.ActiveTargets(job);
      if (!targets.empty() && targets[0].health != TargetHealth::kUnknown) return targets[0];
      std::unique_lock lock(mutex);
      SystemClock().WaitUntil(lock, never, SystemClock().Monotonic() + 20'000'000, [] { return false; });
    }
    return ActiveTarget{};
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    const ActiveTarget state = await(bad[i].name);
    EXPECT_EQ(state.health, bad[i].error.empty() ? TargetHealth::kUp : TargetHealth::kDown) << bad[i].name;
    std::string error = bad[i].error;
    if (error.starts_with('@')) error.replace(0, 1, "Get \"http://" + servers[i]->address() + "/metrics\"");
    EXPECT_EQ(state.last_error, error) << bad[i].name;
    EXPECT_LT(state.last_duration_seconds, 2) << bad[i].name;
  }
  EXPECT_EQ(await("dead").last_error,
            "Get \"http://127.0.0.1:1/metrics\": dial tcp 127.0.0.1:1: connect: connection refused");
  manager.Stop();
}

}  // namespace
}  // namespace epi::scrape
