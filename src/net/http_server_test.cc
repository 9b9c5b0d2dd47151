#include <crypt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/gunzip.h"
#include "testing/loopback.h"

namespace epi::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

void Echo(Request& request, ResponseWriter& response) {
  response.headers().Set("Content-Type", "text/plain");
  std::string out(request.method == Method::kOther ? request.method_text : std::string(MethodName(request.method)));
  out += " " + request.path;
  for (const auto& [key, value] : request.form) out += " " + key + "=" + value;
  out += " [" + std::to_string(request.body.size()) + "]";
  static_cast<void>(response.Write(out));
}

std::string Ask(int port, std::string_view text) {
  RawClient client(port);
  client.Send(text);
  return client.Read();
}

std::string BodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

TEST(HttpServer, AnswersAnIndependentClient) {
  TestServer server(Echo);
  httplib::Client client("127.0.0.1", server.port());
  auto answer = client.Get("/a%20b/c?x=1&y=%26&x=2");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "GET /a b/c x=1 y=& x=2 [0]");
  answer = client.Post("/q?x=url", "x=body&z=%41", "application/x-www-form-urlencoded");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "POST /q x=body z=A x=url [12]");
  answer = client.Post("/q", std::string(2'000'000, 'a'), "text/plain");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "POST /q [2000000]");
  answer = client.Delete("/d");
  EXPECT_EQ(answer->body, "DELETE /d [0]");
}

TEST(HttpServer, FormOfAMegabyte) {
  TestServer server([](Request& request, ResponseWriter& response) {
    static_cast<void>(response.Write(std::to_string(request.FormValue("query").size())));
  });
  httplib::Client client("127.0.0.1", server.port());
  const auto answer = client.Post("/", "query=" + std::string(1'100'000, 'q'), "application/x-www-form-urlencoded");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "1100000");
}

TEST(HttpServer, HeadAndHttp10) {
  TestServer server(Echo);
  const auto head = Ask(server.port(), "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("HEAD /x [0]")));
  const auto old = Ask(server.port(), "GET /x HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old, StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(old, HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(BodyOf(old), "GET /x [0]");
  RawClient kept(server.port());
  kept.Send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(kept.Read("/1 [0]"), HasSubstr("Connection: keep-alive\r\n"));
  kept.Send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(kept.Read(), HasSubstr("GET /2 [0]"));
}

TEST(HttpServer, Pipelining) {
  TestServer server(Echo);
  RawClient client(server.port());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  requests += "POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
  client.Send(requests);
  const auto answers = client.Read();
  size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find("GET /" + std::to_string(i) + " [0]", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_THAT(answers, HasSubstr("POST /last [3]"));
}

TEST(HttpServer, ChunkedRequestBody) {
  TestServer server(Echo);
  const auto answer = Ask(server.port(),
                          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                          "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n");
  EXPECT_EQ(BodyOf(answer), "POST / [11]");
}

TEST(HttpServer, ExpectContinue) {
  TestServer server(Echo);
  RawClient client(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Read("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_EQ(BodyOf(client.Read()), "POST / [4]");
  HttpServerOptions small;
  small.max_body_bytes = 3;
  TestServer limited(Echo, small);
  const auto refused =
      Ask(limited.port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 413 "));
}

// Requests that two parsers might read differently, and plain nonsense: a clean refusal and a closed connection.
TEST(HttpServer, RefusesAmbiguousRequests) {
  TestServer server(Echo);
  struct Case {
    std::string_view request;
    std::string_view status;
  };
  const Case cases[] = {
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nhello", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", "400"},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400"},          // a bare line feed
      {"GET / HTTP/1.1\nHost: a\n\n", "505"},                      // the line feed is read as part of the version
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", "400"},  // a bare carriage return
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n Transfer-Encoding: chunked\r\n\r\nhello", "400"},  // folded
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked, x\r\n\r\n", "501"},
      {"GET / HTTP/2.7\r\nHost: a\r\n\r\n", ""},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", "417"},
  };
  for (const auto& c : cases) {
    RawClient client(server.port());
    client.Send(c.request);
    const auto answer = client.Read();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::string(c.status))) << c.request;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << c.request;
    EXPECT_THAT(answer, Not(HasSubstr(" 200 "))) << c.request;
  }
  EXPECT_THAT(Ask(server.port(), "GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), HasSubstr("GET /ok [0]"));
}

TEST(HttpServer, HeaderFloodIsCutOff) {
  HttpServerOptions options;
  options.max_head_bytes = 64u << 10;
  TestServer server(Echo, options);
  RawClient client(server.port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n");
  const std::string block = "X-Flood: " + std::string(8'000, 'x') + "\r\n";
  size_t sent = 0;
  while (sent < (100u << 20) && client.Send(block)) sent += block.size();
  EXPECT_LT(sent, 20u << 20);  // what fits the socket buffers and the lingering read
  RawClient other(server.port());
  other.Send("GET /" + std::string(200'000, 'y'));
  EXPECT_THAT(other.Read(), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpServer, BodyLimits) {
  HttpServerOptions options;
  options.max_body_bytes = 100'000;
  TestServer server(Echo, options);
  const auto large = Ask(server.port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
  EXPECT_THAT(large, StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(BodyOf(large), "request body exceeds the 100000 bytes limit\n");
  RawClient client(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "2710\r\n" + std::string(10'000, 'z') + "\r\n";
  int chunks = 0;
  while (chunks < 10'000 && client.Send(chunk)) ++chunks;
  EXPECT_LT(chunks, 10'000);  // the endless body met a closed door
  EXPECT_THAT(Ask(server.port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 400 "));
}

TEST(HttpServer, BudgetBoundsBodiesInFlight) {
  Budget budget("bodies", 300'000);
  HttpServerOptions options;
  options.budget = &budget;
  TestServer server(Echo, options);
  RawClient first(server.port());
  first.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 250000\r\n\r\n" + std::string(200'000, 'a'));
  // Until the server holds what the first client sent.
  while (budget.used() < 200'000) std::this_thread::yield();
  const auto second =
      Ask(server.port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 250000\r\n\r\n" + std::string(250'000, 'a'));
  EXPECT_THAT(second, StartsWith("HTTP/1.1 503 "));
  first.Send(std::string(50'000, 'a'));
  EXPECT_THAT(first.Read("]"), HasSubstr("POST / [250000]"));
}

TEST(HttpServer, SlowHeadsAndBodiesAreDropped) {
  HttpServerOptions options;
  options.head_timeout_ms = 150;
  options.read_timeout_ms = 300;
  TestServer server(Echo, options);
  RawClient slow_head(server.port()), slow_body(server.port()), idle(server.port());
  slow_head.Send("GET / HT");
  slow_body.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_TRUE(slow_head.AwaitClose());
  EXPECT_TRUE(slow_body.AwaitClose());
  EXPECT_TRUE(idle.AwaitClose());
}

TEST(HttpServer, IdleConnectionsGiveWay) {
  HttpServerOptions options;
  options.max_connections = 20;
  TestServer server(Echo, options);
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 60; ++i) idle.push_back(std::make_unique<RawClient>(server.port()));
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(Ask(server.port(), "GET /in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                HasSubstr("GET /in [0]"));
  }
  EXPECT_LE(server.server().open_connections(), 20u);
}

TEST(HttpServer, StreamsWithBackPressure) {
  constexpr size_t kBlock = 100'000, kBlocks = 400;
  std::atomic<size_t> written{0};
  TestServer server([&](Request&, ResponseWriter& response) {
    const std::string block(kBlock, 'b');
    for (size_t i = 0; i < kBlocks; ++i) {
      if (!response.Write(block)) return;
      ++written;
    }
  });
  RawClient client(server.port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  std::string answer = client.Read("\r\n\r\n");
  EXPECT_LT(written.load(), kBlocks);  // 40 MB do not fit: the handler waits for us
  answer += client.Read();
  EXPECT_THAT(answer.substr(0, 400), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(written.load(), kBlocks);
  EXPECT_TRUE(answer.ends_with("0\r\n\r\n"));
  EXPECT_GT(answer.size(), kBlock * kBlocks);
}

TEST(HttpServer, ClientThatLeavesFiresTheStopToken) {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false, stopped = false;
  TestServer server([&](Request& request, ResponseWriter&) {
    std::unique_lock lock(mutex);
    running = true;
    changed.notify_all();
    const std::stop_callback on_stop(request.stop, [&] { changed.notify_all(); });
    stopped = changed.wait_for(lock, std::chrono::seconds(10), [&] { return request.stop.stop_requested(); });
    running = false;
    changed.notify_all();
  });
  {
    RawClient client(server.port());
    client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running; });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return !running; });
  EXPECT_TRUE(stopped);
}

TEST(HttpServer, QuickLaneAnswersWhileAllWorkersAreBusy) {
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  HttpServerOptions options;
  options.max_workers = 2;
  TestServer server(
      [&](Request& request, ResponseWriter& response) {
        if (request.path == "/quick") return Echo(request, response);
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return release; });
      },
      options);
  RawClient a(server.port()), b(server.port()), c(server.port());
  for (RawClient* client : {&a, &b, &c}) client->Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(Ask(server.port(), "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              HasSubstr("GET /quick"));
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  changed.notify_all();
  EXPECT_THAT(c.Read("\r\n\r\n"), StartsWith("HTTP/1.1 200 OK"));
}

TEST(HttpServer, Compression) {
  Admission api;
  api.compression = Compression::kGzipOrDeflate;
  const std::string text(300'000, 'x');
  TestServer server([&](Request&, ResponseWriter& response) { static_cast<void>(response.Write(text)); }, {}, api);
  httplib::Client client("127.0.0.1", server.port());
  client.set_decompress(false);
  const auto gzip = client.Get("/", {{"Accept-Encoding", "br, gzip;q=0, gzip"}});
  ASSERT_TRUE(gzip);
  EXPECT_EQ(gzip->get_header_value("Content-Encoding"), "gzip");
  Budget budget("inflated", 4 << 20), small("small", 600'000);
  const auto inflate = [&](std::string_view body, uint64_t limit, Budget& from) {
    BudgetCharge charge(from);
    return GunzipAll(body, limit, charge);
  };
  EXPECT_EQ(inflate(gzip->body, 1u << 20, budget).value_or(""), text);
  for (const auto& [damaged, says] : {std::pair<std::string, std::string>{"", "EOF"},
                                      {gzip->body.substr(0, 9), "unexpected EOF"},
                                      {"x" + gzip->body, "gzip: invalid header"},
                                      {gzip->body.substr(0, 30), "unexpected EOF"}}) {
    EXPECT_EQ(inflate(damaged, 1u << 20, budget).error().message(), says);
  }
  EXPECT_EQ(inflate(gzip->body, 1000, budget).error().message(), "body size limit exceeded");
  EXPECT_FALSE(inflate(std::string_view(gzip->body).substr(0, 50), 1u << 20, budget).has_value());
  EXPECT_EQ(inflate(gzip->body, 1u << 20, small).error().code(), ErrorCode::kLimit);
  EXPECT_LE(small.peak(), 600'000);
  EXPECT_EQ(budget.used(), 0);
  EXPECT_EQ(client.Get("/", {{"Accept-Encoding", "deflate, gzip"}})->get_header_value("Content-Encoding"), "deflate");
  const auto plain = client.Get("/", {{"Accept-Encoding", "identity"}});
  EXPECT_EQ(plain->body, text);
  EXPECT_FALSE(plain->has_header("Content-Encoding"));
  Admission metrics;
  metrics.compression = Compression::kGzipOrZstd;
  TestServer exposing([&](Request&, ResponseWriter& response) { static_cast<void>(response.Write(text)); }, {},
                      metrics);
  httplib::Client scraper("127.0.0.1", exposing.port());
  scraper.set_decompress(false);
  EXPECT_EQ(scraper.Get("/", {{"Accept-Encoding", "zstd"}})->get_header_value("Content-Encoding"), "zstd");
  EXPECT_EQ(scraper.Get("/", {{"Accept-Encoding", "zstd;q=0.5, gzip;q=0.9"}})->get_header_value("Content-Encoding"),
            "gzip");
}

TEST(HttpServer, NoContentHasNoBody) {
  TestServer server([](Request&, ResponseWriter& response) {
    response.SetStatus(204);
    static_cast<void>(response.Write("ignored"));
  });
  RawClient client(server.port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const auto answers = client.Read();
  EXPECT_THAT(answers, Not(HasSubstr("ignored")));
  EXPECT_THAT(answers, Not(HasSubstr("Content-Length")));
  EXPECT_NE(answers.find("HTTP/1.1 204", 10), std::string::npos);
}

TEST(HttpServer, HeaderValuesCannotInject) {
  TestServer server([](Request& request, ResponseWriter& response) {
    response.headers().Set("X-Echo", std::string(request.FormValue("v")));
  });
  const auto answer = Ask(server.port(), "GET /?v=a%0d%0aEvil:%201 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, Not(HasSubstr("\r\nEvil")));
}

TEST(HttpServer, BasicAuthAndHeaders) {
  auto settings = std::make_shared<WebSettings>();
  crypt_data scratch{};
  const char* const hash = crypt_r("test123", "$2y$04$abcdefghijklmnopqrstuu", &scratch);
  ASSERT_NE(hash, nullptr);
  settings->basic_auth_users = {{"alice", hash}};
  EXPECT_TRUE(ValidateWebSettings(*settings).has_value());
  settings->headers = {{"X-Frame-Options", "deny"}};
  HttpServerOptions options;
  options.settings = [settings]() -> Result<std::shared_ptr<const WebSettings>> {
    return std::shared_ptr<const WebSettings>(settings);
  };
  TestServer server(Echo, options);
  httplib::Client client("127.0.0.1", server.port());
  auto answer = client.Get("/");
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->get_header_value("WWW-Authenticate"), "Basic");
  EXPECT_EQ(answer->get_header_value("X-Frame-Options"), "deny");
  for (const auto& [user, password] :
       std::vector<std::pair<std::string, std::string>>{{"alice", "wrong"}, {"bob", "test123"}, {"", ""}}) {
    client.set_basic_auth(user.c_str(), password.c_str());
    EXPECT_EQ(client.Get("/")->status, 401) << user;
  }
  for (const std::string bad : {"Basic", "Basic !!!", "Basic YWxpY2U=", "Bearer dGVzdA=="})
    EXPECT_THAT(
        Ask(server.port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: " + bad + "\r\n\r\n"),
        StartsWith("HTTP/1.1 401 "));
  client.set_basic_auth("alice", "test123");
  EXPECT_EQ(client.Get("/")->status, 200);
  EXPECT_EQ(client.Get("/")->status, 200);
}

TEST(HttpServer, BrokenSettingsAnswer500) {
  HttpServerOptions options;
  std::atomic<bool> broken{false};
  options.settings = [&]() -> Result<std::shared_ptr<const WebSettings>> {
    if (broken) return Fail(ErrorCode::kInvalid, "broken");
    return std::make_shared<const WebSettings>();
  };
  TestServer server(Echo, options);
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Get("/")->status, 200);
  broken = true;
  EXPECT_EQ(client.Get("/")->status, 500);
}

TEST(HttpServer, RateLimit) {
  auto settings = std::make_shared<WebSettings>();
  settings->rate_limit_interval_ns = int64_t{3600} * 1'000'000'000;
  settings->rate_limit_burst = 2;
  HttpServerOptions options;
  options.settings = [settings]() -> Result<std::shared_ptr<const WebSettings>> {
    return std::shared_ptr<const WebSettings>(settings);
  };
  TestServer server(Echo, options);
  httplib::Client client("127.0.0.1", server.port());
  EXPECT_EQ(client.Get("/")->status, 200);
  EXPECT_EQ(client.Get("/")->status, 200);
  EXPECT_EQ(client.Get("/")->status, 429);
}

TEST(HttpServer, AddressInUse) {
  TestServer server(Echo);
  FunctionDispatcher dispatcher(Echo);
  MetricRegistry metrics;
  HttpServerOptions options;
  options.listen_addresses = {"127.0.0.1:" + std::to_string(server.port())};
  const auto second = HttpServer::Start(options, dispatcher, PosixFileSystem(), SystemClock(), metrics, Logger());
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message(), HasSubstr("bind: address already in use"));
  options.listen_addresses = {"nonsense"};
  EXPECT_FALSE(HttpServer::Start(options, dispatcher, PosixFileSystem(), SystemClock(), metrics, Logger()).has_value());
}

TEST(HttpServer, StopWaitsForTheAnswer) {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = false;
  TestServer server([&](Request& request, ResponseWriter& response) {
    {
      const std::lock_guard lock(mutex);
      running = true;
    }
    changed.notify_all();
    std::unique_lock lock(mutex);
    const std::stop_callback on_stop(request.stop, [&] { changed.notify_all(); });
    changed.wait(lock, [&] { return request.stop.stop_requested(); });
    static_cast<void>(response.Write("stopped"));
  });
  RawClient client(server.port()), idle(server.port());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running; });
  }
  server.server().Stop(50);
  EXPECT_THAT(client.Read(), HasSubstr("stopped"));
  EXPECT_TRUE(idle.AwaitClose());
  EXPECT_EQ(server.server().open_connections(), 0u);
}

}  // namespace
}  // namespace epi::net
