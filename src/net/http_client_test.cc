#include "net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "testing/loopback.h"
#include "testing/temp_dir.h"

namespace epi::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<HttpClient> MakeClient() {
  auto client = HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger());
  EXPECT_TRUE(client.has_value());
  return std::move(*client);
}

HttpRequest Get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

// Answers with everything it was asked.
void Mirror(Request& request, ResponseWriter& response) {
  std::string out = std::string(MethodName(request.method)) + " " + request.target + "\n";
  for (const auto& [name, value] : request.headers.fields()) out += name + ": " + value + "\n";
  static_cast<void>(response.Write(out + "\n" + request.body));
}

TEST(HttpClient, SendsWhatGoWouldSend) {
  TestServer server(Mirror);
  auto client = MakeClient();
  auto answer = client->Call(Get(server.Url("/metrics?a=b")));
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->status_text, "200 OK");
  EXPECT_EQ(answer->body.view(), "GET /metrics?a=b\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                                     "\nUser-Agent: Prometheus/3.14.0\n\n");
  HttpRequest post = Get(server.Url("/p"));
  post.method = "POST";
  post.body = std::string("a\0b", 3);
  post.headers.Add("Content-Type", "application/x-protobuf");
  post.headers.Add("X-Empty", "");
  answer = client->Call(std::move(post));
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("Content-Type: application/x-protobuf\nX-Empty: \n"));
  EXPECT_TRUE(answer->body.view().ends_with(std::string("\n\na\0b", 5)));
}

TEST(HttpClient, ErrorsReadAsGos) {
  auto client = MakeClient();
  int closed_port = 0;
  { closed_port = TestServer(Mirror).port(); }
  const std::string url = "http://127.0.0.1:" + std::to_string(closed_port) + "/metrics";
  auto answer = client->Call(Get(url));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().message(),
            "Get \"" + url + "\": dial tcp 127.0.0.1:" + std::to_string(closed_port) + ": connect: connection refused");
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable);
  answer = client->Call(Get("ftp://x/"));
  EXPECT_EQ(answer.error().message(), "Get \"ftp://x/\": unsupported protocol scheme \"ftp\"");
  answer = client->Call(Get("http://does-not-exist.invalid/"));
  EXPECT_THAT(answer.error().message(), HasSubstr("\": dial tcp: lookup does-not-exist.invalid on "));
  EXPECT_THAT(answer.error().message(), HasSubstr(":53: no such host"));
  answer = client->Call(Get("http://0x7f.1:1/"));
  EXPECT_THAT(answer.error().message(), HasSubstr("\": dial tcp: lookup 0x7f.1 on "));
  answer = client->Call(Get("http://a,b:1/"));
  EXPECT_EQ(answer.error().message(), "Get \"http://a,b:1/\": dial tcp: lookup a,b: no such host");
  answer = client->Call(Get("http://h:99999/"));
  EXPECT_EQ(answer.error().message(), "Get \"http://h:99999/\": dial tcp: address 99999: invalid port");
  // What is no URL is no operation either.
  answer = client->Call(Get("http://h:x/"));
  EXPECT_EQ(answer.error().message(), "parse \"http://h:x/\": invalid port \":x\" after host");
  answer = client->Call(Get("http:///x"));
  EXPECT_THAT(answer.error().message(), HasSubstr("no Host in request URL"));
}

// A server that answers each connection with fixed bytes and closes.
class CannedServer {
 public:
  explicit CannedServer(std::string answer, bool hang = false) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer, hang] {
      while (true) {
        const int fd = ::accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        char buffer[4096];
        static_cast<void>(::recv(fd, buffer, sizeof buffer, 0));
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (hang) {
          held_.push_back(fd);
        } else {
          ::close(fd);
        }
      }
    });
  }
  ~CannedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (const int fd : held_) ::close(fd);
  }
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  int listener_;
  int port_ = 0;
  std::vector<int> held_;
  std::thread thread_;
};

TEST(HttpClient, BrokenAnswers) {
  auto client = MakeClient();
  CannedServer nothing("");
  EXPECT_THAT(client->Call(Get(nothing.Url())).error().message(), HasSubstr("\": EOF"));
  CannedServer half("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  EXPECT_EQ(client->Call(Get(half.Url())).error().message(), "unexpected EOF");
  std::string flood = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i) flood += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
  CannedServer headers(flood + "\r\n");
  EXPECT_FALSE(client->Call(Get(headers.Url())).has_value());
  CannedServer no_end("HTTP/1.1 200 OK\r\n\r\nuntil close");
  EXPECT_EQ(client->Call(Get(no_end.Url()))->body.view(), "until close");
}

// libcurl refuses each of these in words of its own, or takes it.
TEST(HttpClient, AnswersThatAreNoHttpAreShown) {
  auto client = MakeClient();
  const auto refusal = [&](const std::string& bytes) {
    CannedServer server(bytes);
    const auto answer = client->Call(Get(server.Url()));
    const std::string before = "Get \"" + server.Url() + "\": net/http: HTTP/1.x transport connection broken: ";
    if (answer) return answer->status_text;
    const std::string text = answer.error().message();
    return text.starts_with(before) ? text.substr(before.size()) : text;
  };
  EXPECT_EQ(refusal("SSH-2.0-OpenSSH_9.2\r\n"), R"(malformed HTTP response "SSH-2.0-OpenSSH_9.2")");
  EXPECT_EQ(refusal("\x15\x03\x01"), R"(malformed HTTP response "\x15\x03\x01")");
  EXPECT_EQ(refusal("HTT"), R"(malformed HTTP response "HTT")");
  EXPECT_EQ(refusal("HTTP/1.1 20 OK\r\n\r\n"), R"(malformed HTTP status code "20")");
  EXPECT_EQ(refusal("HTTP/2 200 OK\r\n\r\n"), R"(malformed HTTP version "HTTP/2")");
  EXPECT_EQ(refusal("HTTP/1.1 200 OK\r\nno header\r\n\r\n"), R"(malformed MIME header: missing colon: "no header")");
  EXPECT_EQ(refusal("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), R"(bad Content-Length "-1")");
  EXPECT_EQ(refusal("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "unexpected EOF");
  EXPECT_EQ(refusal("HTTP/1.1 100 Continue\r\n\r\n"), "unexpected EOF");
  // Heads that Go takes.
  EXPECT_EQ(refusal("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "101 Switching Protocols");
  EXPECT_EQ(refusal("HTTP/1.1 099 Odd\r\n\r\n"), "099 Odd");
  EXPECT_EQ(refusal("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 204 None\r\n\r\n"), "204 None");
}

TEST(HttpClient, LinesThatContinueAHeaderBelongToIt) {
  CannedServer server("HTTP/1.1 200 OK\r\nA: b\r\n  c\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(MakeClient()->Call(Get(server.Url()))->headers.Get("A"), "b c");
}

TEST(HttpClient, FieldsBehindTheBodyAreNoHeaders) {
  CannedServer server(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Type: late\r\n\r\n");
  const auto answer = MakeClient()->Call(Get(server.Url()));
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_EQ(answer->body.view(), "abc");
  EXPECT_FALSE(answer->headers.Has("Content-Type"));
}

// What a proxy says when it does not connect us, and a server that speaks no TLS.
TEST(HttpClient, TunnelsAndHandshakesThatFail) {
  auto client = MakeClient();
  const auto through = [&](const std::string& bytes) {
    CannedServer proxy(bytes);
    HttpClientSettings settings;
    settings.proxy.proxy_url = proxy.Url();
    HttpRequest request = Get("https://target.example/");
    request.profile = client->Prepare(settings, "test").value();
    return client->Call(std::move(request)).error().message();
  };
  EXPECT_EQ(through("HTTP/1.1 407 Who are you\r\n\r\n"), "Get \"https://target.example/\": Who are you");
  EXPECT_EQ(through("garbage\r\n"), "Get \"https://target.example/\": malformed HTTP response \"garbage\"");
  const auto handshake = [&](const std::string& bytes) {
    CannedServer server(bytes);
    const auto answer = client->Call(Get("https" + server.Url().substr(4)));
    const std::string text = answer.error().message();
    return text.substr(text.find("\": ") + 3);
  };
  EXPECT_EQ(handshake("HTTP/1.0 400 Bad Request\r\n\r\n"), "http: server gave HTTP response to HTTPS client");
  EXPECT_EQ(handshake("-ERR unknown command\r\n"), "tls: first record does not look like a TLS handshake");
}

TEST(HttpClient, NoHostIsThisMachine) {
  TestServer server(Mirror);
  const std::string url = "http://:" + std::to_string(server.port()) + "/x";
  const auto answer = MakeClient()->Call(Get(url));
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("Host: :" + std::to_string(server.port()) + "\n"));
  EXPECT_EQ(MakeClient()->Call(Get("http://:1/")).error().message(),
            "Get \"http://:1/\": dial tcp :1: connect: connection refused");
}

TEST(HttpClient, Timeouts) {
  auto client = MakeClient();
  CannedServer silent("", true), slow_body("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true);
  HttpRequest request = Get(silent.Url());
  request.timeout_ms = 100;
  auto answer = client->Call(std::move(request));
  EXPECT_EQ(answer.error().message(), "Get \"" + silent.Url() + "\": context deadline exceeded");
  EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
  request = Get(slow_body.Url());
  request.timeout_ms = 100;
  EXPECT_EQ(client->Call(std::move(request)).error().message(), "context deadline exceeded");
}

TEST(HttpClient, CancelAndDestruction) {
  CannedServer silent("", true);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<ErrorCode> codes;
  const auto note = [&](Result<HttpResponse> answer) {
    const std::lock_guard lock(mutex);
    codes.push_back(answer ? ErrorCode::kInternal : answer.error().code());
    changed.notify_all();
  };
  auto client = MakeClient();
  const auto id = client->Send(Get(silent.Url()), note);
  client->Cancel(id);
  client->Cancel(id + 1000);
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return codes.size() == 1; });
  }
  for (int i = 0; i < 5; ++i) client->Send(Get(silent.Url()), note);
  client.reset();
  EXPECT_EQ(codes, std::vector<ErrorCode>(6, ErrorCode::kCanceled));
}

TEST(HttpClient, BodyLimitAndStreaming) {
  TestServer server([](Request&, ResponseWriter& response) {
    for (int i = 0; i < 100; ++i)
      if (!response.Write(std::string(10'000, 'x'))) return;
  });
  auto client = MakeClient();
  HttpRequest request = Get(server.Url("/"));
  request.max_body_bytes = 999'999;
  auto answer = client->Call(std::move(request));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code(), ErrorCode::kLimit);
  EXPECT_EQ(answer.error().message(), "body size limit exceeded");
  request = Get(server.Url("/"));
  request.max_body_bytes = 1'000'000;
  EXPECT_EQ(client->Call(std::move(request))->body.size(), 1'000'000u);
  request = Get(server.Url("/"));
  size_t streamed = 0;
  request.on_bytes = [&](const HttpResponse& head, std::string_view bytes) -> Result<void> {
    EXPECT_EQ(head.status, 200);
    streamed += bytes.size();
    return {};
  };
  EXPECT_EQ(client->Call(std::move(request))->body.size(), 0u);
  EXPECT_EQ(streamed, 1'000'000u);
  request = Get(server.Url("/"));
  request.on_bytes = [](const HttpResponse&, std::string_view) -> Result<void> {
    return Fail(ErrorCode::kInvalid, "enough");
  };
  EXPECT_EQ(client->Call(std::move(request)).error().message(), "enough");
}

TEST(HttpClient, ThousandsAtOnce) {
  HttpServerOptions options;
  options.max_connections = 4096;
  TestServer server(Mirror, options);
  auto client = MakeClient();
  std::mutex mutex;
  std::condition_variable changed;
  int good = 0, bad = 0;
  std::string first_bad;
  constexpr int kRequests = 2000;
  for (int i = 0; i < kRequests; ++i) {
    client->Send(Get(server.Url("/" + std::to_string(i))), [&](Result<HttpResponse> answer) {
      const std::lock_guard lock(mutex);
      ++(answer && answer->status == 200 ? good : bad);
      if (bad == 1) first_bad = answer ? answer->status_text : answer.error().message();
      changed.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return good + bad == kRequests; });
  EXPECT_EQ(bad, 0) << first_bad;
}

// One connection for two requests, one that is refused, one whose name is not known; the first is closed at the end.
TEST(HttpClient, CountsConnectionsByDialer) {
  MetricRegistry metrics;
  const auto counted = [&](const std::string& family, const std::string& reason = "") {
    MetricLabels labels = {{"dialer_name", "job"}};
    if (!reason.empty()) labels.push_back({"reason", reason});
    return metrics.AddCounter("net_conntrack_dialer_conn_" + family + "_total", "", labels).Value();
  };
  {
    TestServer server(Mirror);
    int closed_port = 0;
    { closed_port = TestServer(Mirror).port(); }
    auto client = HttpClient::Start({.metrics = &metrics}, PosixFileSystem(), SystemClock(), Logger()).value();
    const auto profile = client->Prepare({}, "job").value();
    const auto ask = [&](const std::string& url) {
      HttpRequest request = Get(url);
      request.profile = profile;
      return client->Call(std::move(request)).has_value();
    };
    EXPECT_EQ(counted("failed", "refused"), 0);
    EXPECT_TRUE(ask(server.Url("/")));
    EXPECT_TRUE(ask(server.Url("/again")));
    EXPECT_EQ(counted("attempted"), 1);
    EXPECT_EQ(counted("established"), 1);
    EXPECT_EQ(counted("closed"), 0);
    EXPECT_FALSE(ask("http://127.0.0.1:" + std::to_string(closed_port) + "/"));
    EXPECT_EQ(counted("failed", "refused"), 1);
    EXPECT_FALSE(ask("http://does-not-exist.invalid/"));
    EXPECT_EQ(counted("failed", "resolution"), 1);
    EXPECT_EQ(counted("attempted"), 3);
  }
  EXPECT_EQ(counted("established"), 1);
  EXPECT_EQ(counted("closed"), 1);
  EXPECT_EQ(counted("failed", "unknown") + counted("failed", "timeout"), 0);
}

TEST(HttpClient, CredentialsOfEachKind) {
  TestServer server(Mirror);
  testing::TempDir dir;
  auto& files = PosixFileSystem();
  ASSERT_TRUE(files.WriteFileAtomically(dir.path() + "/token", " secret\n").has_value());
  auto client = MakeClient();
  const auto ask = [&](const HttpClientSettings& settings) {
    auto profile = client->Prepare(settings, "test");
    EXPECT_TRUE(profile.has_value());
    HttpRequest request = Get(server.Url("/"));
    request.profile = *profile;
    auto answer = client->Call(std::move(request));
    return answer ? std::string(answer->body.view()) : answer.error().message();
  };
  HttpClientSettings basic;
  basic.basic_auth.emplace().username = "user";
  basic.basic_auth->password = "pass";
  EXPECT_THAT(ask(basic), HasSubstr("Authorization: Basic dXNlcjpwYXNz\n"));
  HttpClientSettings bearer;
  bearer.authorization.emplace().credentials_file = dir.path() + "/token";
  EXPECT_THAT(ask(bearer), HasSubstr("Authorization: Bearer secret\n"));
  ASSERT_TRUE(files.WriteFileAtomically(dir.path() + "/token", "rotated").has_value());
  EXPECT_THAT(ask(bearer), HasSubstr("Authorization: Bearer rotated\n"));
  bearer.authorization->credentials_file = dir.path() + "/absent";
  EXPECT_THAT(ask(bearer), HasSubstr("unable to read authorization credentials: unable to read file "));
  HttpClientSettings headers;
  headers.http_headers.emplace().push_back({"X-Many", {"1", "2"}, {"s"}, {dir.path() + "/token"}});
  EXPECT_THAT(ask(headers), HasSubstr("X-Many: 1\nX-Many: 2\nX-Many: s\nX-Many: rotated\n"));
  HttpClientSettings reference;
  reference.basic_auth.emplace().password_ref = "vault";
  EXPECT_EQ(client->Prepare(reference, "test").error().message(), "cannot use secret ref without manager");
  HttpClientSettings tls;
  tls.tls_config.min_version = TlsVersion::kTls13;
  tls.tls_config.max_version = TlsVersion::kTls12;
  EXPECT_FALSE(client->Prepare(tls, "test").has_value());
  tls = {};
  tls.tls_config.ca_file = dir.path() + "/absent";
  EXPECT_FALSE(client->Prepare(tls, "test").has_value());
}

TEST(HttpClient, Redirects) {
  TestServer other(Mirror);
  TestServer server([&](Request& request, ResponseWriter& response) {
    if (request.path == "/loop") {
      response.SetStatus(302);
      response.headers().Set("Location", "/loop");
    } else if (request.path == "/away") {
      response.SetStatus(307);
      // Another name for the same machine: another host.
      response.headers().Set("Location", "http://localhost:" + std::to_string(other.port()) + "/there");
    } else if (request.path == "/see") {
      response.SetStatus(303);
      response.headers().Set("Location", "landing?x=1");
    } else {
      Mirror(request, response);
    }
  });
  auto client = MakeClient();
  HttpClientSettings settings;
  settings.authorization.emplace().credentials = "secret";
  const auto profile = client->Prepare(settings, "test").value();
  const auto ask = [&](const std::string& path, const std::string& method = "GET") {
    HttpRequest request = Get(server.Url(path));
    request.method = method;
    request.profile = profile;
    if (method == "POST") request.body = "payload";
    return client->Call(std::move(request));
  };
  EXPECT_EQ(ask("/loop").error().message(), "Get \"/loop\": stopped after 10 redirects");
  auto answer = ask("/see", "POST");
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("GET /landing?x=1\n"));
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("Authorization: Bearer secret\n"));
  EXPECT_THAT(std::string(answer->body.view()), Not(HasSubstr("payload")));
  answer = ask("/away", "POST");
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("POST /there\n"));
  EXPECT_THAT(std::string(answer->body.view()), Not(HasSubstr("secret")));
  EXPECT_TRUE(answer->body.view().ends_with("payload"));
  settings.follow_redirects = false;
  HttpRequest request = Get(server.Url("/see"));
  request.profile = client->Prepare(settings, "test").value();
  answer = client->Call(std::move(request));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 303);
  EXPECT_EQ(answer->headers.Get("location"), "landing?x=1");
}

TEST(HttpClient, OAuth2FetchesOnceAndAgainAfterAnError) {
  std::atomic<int> fetches{0};
  std::atomic<bool> refuse{true};
  TestServer server([&](Request& request, ResponseWriter& response) {
    if (request.path != "/token") return Mirror(request, response);
    ++fetches;
    if (refuse) {
      response.SetStatus(401);
      response.headers().Set("Content-Type", "application/json");
      static_cast<void>(response.Write(R"({"error":"invalid_client"})"));
      return;
    }
    EXPECT_EQ(request.FormValue("grant_type"), "client_credentials");
    EXPECT_EQ(request.FormValue("scope"), "a b");
    EXPECT_EQ(request.FormValue("extra"), "1");
    response.headers().Set("Content-Type", "application/json");
    static_cast<void>(response.Write(R"({"access_token":"tok","token_type":"bearer","expires_in":"3600"})"));
  });
  auto client = MakeClient();
  HttpClientSettings settings;
  auto& oauth = settings.oauth2.emplace();
  oauth.client_id = "id";
  oauth.client_secret = "s";
  oauth.token_url = server.Url("/token");
  oauth.scopes = {"a", "b"};
  oauth.endpoint_params = {{"extra", "1"}};
  const auto profile = client->Prepare(settings, "test").value();
  const auto ask = [&] {
    HttpRequest request = Get(server.Url("/"));
    request.profile = profile;
    request.timeout_ms = 10'000;
    auto answer = client->Call(std::move(request));
    return answer ? std::string(answer->body.view()) : answer.error().message();
  };
  EXPECT_THAT(ask(), HasSubstr("oauth2: \"invalid_client\""));
  EXPECT_EQ(fetches.load(), 2);  // both places for the credentials were tried
  refuse = false;
  EXPECT_THAT(ask(), HasSubstr("Authorization: Bearer tok\n"));
  EXPECT_THAT(ask(), HasSubstr("Authorization: Bearer tok\n"));
  EXPECT_EQ(fetches.load(), 3);
}

TEST(HttpClient, OAuth2AnswersThatAreNoJson) {
  TestServer server([](Request&, ResponseWriter& response) {
    response.headers().Set("Content-Type", "application/json");
    static_cast<void>(response.Write("nojson"));
  });
  auto client = MakeClient();
  HttpClientSettings settings;
  settings.oauth2.emplace().token_url = server.Url("/token");
  HttpRequest request = Get(server.Url("/"));
  request.profile = client->Prepare(settings, "test").value();
  EXPECT_THAT(client->Call(std::move(request)).error().message(),
              HasSubstr("oauth2: cannot parse json: invalid character 'o' in literal null (expecting 'u')"));
}

TEST(HttpClient, OAuth2AnswersMayBeForms) {
  std::string answer;
  TestServer server([&](Request& request, ResponseWriter& response) {
    if (request.path != "/token") return Mirror(request, response);
    response.headers().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    static_cast<void>(response.Write(answer));
  });
  auto client = MakeClient();
  HttpClientSettings settings;
  settings.oauth2.emplace().token_url = server.Url("/token");
  const auto ask = [&] {
    HttpRequest request = Get(server.Url("/"));
    request.profile = client->Prepare(settings, "test").value();
    request.timeout_ms = 10'000;
    const auto response = client->Call(std::move(request));
    return response ? std::string(response->body.view()) : response.error().message();
  };
  answer = "access_token=a%20b&token_type=bearer&expires_in=3600";
  EXPECT_THAT(ask(), HasSubstr("Authorization: Bearer a b\n"));
  answer = "access_token=abc&error=no&error_description=not+you";
  EXPECT_THAT(ask(), HasSubstr("oauth2: \"no\" \"not you\""));
}

TEST(HttpClient, ProxyIsAskedForTheWholeUrl) {
  TestServer proxy(Mirror);
  auto client = MakeClient();
  HttpClientSettings settings;
  settings.proxy.proxy_url = proxy.Url("");
  settings.proxy.no_proxy = "direct.example";
  HttpRequest request = Get("http://target.example/x");
  request.profile = client->Prepare(settings, "test").value();
  auto answer = client->Call(std::move(request));
  ASSERT_TRUE(answer.has_value()) << answer.error().message();
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("GET http://target.example/x\n"));
  // An exception is given, so that this machine is one.
  TestServer target([](Request&, ResponseWriter& response) { response.SetStatus(204); });
  request = Get(target.Url("/"));
  request.profile = client->Prepare(settings, "test").value();
  EXPECT_EQ(client->Call(std::move(request))->status, 204);
  settings.proxy.no_proxy.clear();
  request = Get(target.Url("/"));
  request.profile = client->Prepare(settings, "test").value();
  EXPECT_EQ(client->Call(std::move(request))->status, 200);
  settings.proxy.proxy_url = "gopher://x";
  EXPECT_FALSE(client->Prepare(settings, "test").has_value());
}

TEST(HttpClient, BuffersAreReused) {
  TestServer server(
      [](Request&, ResponseWriter& response) { static_cast<void>(response.Write(std::string(50'000, 'x'))); });
  auto client = MakeClient();
  const char* first = nullptr;
  {
    auto answer = client->Call(Get(server.Url("/")));
    first = answer->body.view().data();
  }
  auto answer = client->Call(Get(server.Url("/")));
  EXPECT_EQ(answer->body.view().data(), first);
  client.reset();
  EXPECT_EQ(answer->body.size(), 50'000u);  // outlives the client
}

}  // namespace
}  // namespace epi::net
