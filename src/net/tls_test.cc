// TLS between our own client and server, with certificates made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "net/http_client.h"
#include "net/tls_server.h"
#include "testing/loopback.h"
#include "testing/temp_dir.h"

namespace epi::net {
namespace {

using ::testing::HasSubstr;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

struct Pair {
  std::string cert, key;
};

// Signed by itself; valid for `san` ("IP:127.0.0.1,DNS:x"), which may be null.
Pair MakeCertificate(const char* san, long valid_seconds = 3600) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const cert = X509_new();
  X509_set_version(cert, 2);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
  X509_gmtime_adj(X509_getm_notAfter(cert), valid_seconds);
  X509_set_pubkey(cert, key);
  X509_NAME* const name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(cert, name);
  for (const auto& [id, value] :
       {std::pair{NID_subject_alt_name, san}, std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
    if (value == nullptr) continue;
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  X509_sign(cert, key, EVP_sha256());
  BIO* const cert_bio = BIO_new(BIO_s_mem());
  BIO* const key_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(cert_bio, cert);
  PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  Pair pair{Text(cert_bio), Text(key_bio)};
  BIO_free(cert_bio);
  BIO_free(key_bio);
  X509_free(cert);
  EVP_PKEY_free(key);
  return pair;
}

void Hello(Request& request, ResponseWriter& response) {
  static_cast<void>(response.Write(request.tls ? "hello over TLS" : "hello"));
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : pair_(MakeCertificate("IP:127.0.0.1,DNS:server.example")) {
    settings_ = std::make_shared<WebSettings>();
    settings_->tls.cert = pair_.cert;
    settings_->tls.key = pair_.key;
    options_.settings = [this]() -> Result<std::shared_ptr<const WebSettings>> {
      return std::shared_ptr<const WebSettings>(settings_);
    };
    auto client = HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger());
    client_ = std::move(*client);
  }

  Result<HttpResponse> Ask(const TestServer& server, const TlsSettings& tls) {
    HttpClientSettings settings;
    settings.tls_config = tls;
    HttpRequest request;
    request.url = server.Url("/", "https");
    request.timeout_ms = 20'000;
    request.profile = client_->Prepare(settings, "test").value();
    return client_->Call(std::move(request));
  }

  std::string Outcome(const TestServer& server, const TlsSettings& tls) {
    auto answer = Ask(server, tls);
    return answer ? std::string(answer->body.view()) : answer.error().message();
  }

  Pair pair_;
  std::shared_ptr<WebSettings> settings_;
  HttpServerOptions options_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(TlsTest, RefusedCertificatesSayWhy) {
  struct Case {
    const char* san;
    const char* server_name;
    const char* error;
  };
  const Case cases[] = {
      {"DNS:a.example,DNS:*.b.example", "",
       "cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
      {"IP:10.0.0.1,IP:fd00::1", "", "certificate is valid for 10.0.0.1, fd00::1, not 127.0.0.1"},
      {"DNS:a.example,DNS:*.b.example", "x.y.b.example",
       "certificate is valid for a.example, *.b.example, not x.y.b.example"},
      {"IP:127.0.0.1", "a.example", "certificate is not valid for any names, but wanted to match a.example"},
      {nullptr, "test", "certificate relies on legacy Common Name field, use SANs instead"},
      {"DNS:*.b.example", "x.b.example", nullptr},
  };
  for (const auto& c : cases) {
    const Pair pair = MakeCertificate(c.san);
    settings_->tls.cert = pair.cert;
    settings_->tls.key = pair.key;
    TestServer server(Hello, options_);
    TlsSettings tls;
    tls.ca = pair.cert;
    tls.server_name = c.server_name;
    const std::string wanted = c.error == nullptr ? "hello over TLS"
                                                  : "Get \"" + server.Url("/", "https") +
                                                        "\": tls: failed to verify certificate: x509: " + c.error;
    EXPECT_EQ(Outcome(server, tls), wanted);
  }
  const Pair old = MakeCertificate("IP:127.0.0.1", -60);
  settings_->tls.cert = old.cert;
  settings_->tls.key = old.key;
  TestServer server(Hello, options_);
  TlsSettings tls;
  tls.ca = old.cert;
  EXPECT_THAT(Outcome(server, tls),
              ::testing::ContainsRegex("x509: certificate has expired or is not yet valid: current time "
                                       "20[0-9-]+T[0-9:]+Z is after 20[0-9-]+T[0-9:]+Z$"));
}

TEST_F(TlsTest, VerificationAndItsErrors) {
  TestServer server(Hello, options_);
  TlsSettings tls;
  EXPECT_THAT(Outcome(server, tls),
              HasSubstr("tls: failed to verify certificate: x509: certificate signed by unknown authority"));
  tls.ca = pair_.cert;
  EXPECT_EQ(Outcome(server, tls), "hello over TLS");
  tls.ca.clear();
  tls.insecure_skip_verify = true;
  EXPECT_EQ(Outcome(server, tls), "hello over TLS");
  tls = {};
  tls.ca = pair_.cert;
  tls.server_name = "server.example";
  EXPECT_EQ(Outcome(server, tls), "hello over TLS");
  tls.server_name = "other.example";
  EXPECT_THAT(Outcome(server, tls), HasSubstr("certificate is valid for server.example, not other.example"));
}

TEST_F(TlsTest, PlainHttpToATlsServerIsTold) {
  TestServer server(Hello, options_);
  RawClient plain(server.port());
  plain.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(plain.Read(), HasSubstr("Client sent an HTTP request to an HTTPS server."));
  TestServer no_tls(Hello);
  EXPECT_THAT(Outcome(no_tls, {}), HasSubstr("http: server gave HTTP response to HTTPS client"));
}

TEST_F(TlsTest, ClientCertificates) {
  const Pair client = MakeCertificate("DNS:client.example"), stranger = MakeCertificate("DNS:client.example");
  settings_->tls.client_auth_type = "RequireAndVerifyClientCert";
  settings_->tls.client_ca = client.cert;
  TestServer server(Hello, options_);
  TlsSettings tls;
  tls.ca = pair_.cert;
  EXPECT_FALSE(Ask(server, tls).has_value());
  tls.cert = stranger.cert;
  tls.key = stranger.key;
  EXPECT_FALSE(Ask(server, tls).has_value());
  tls.cert = client.cert;
  tls.key = client.key;
  EXPECT_EQ(Outcome(server, tls), "hello over TLS");
  // The names are checked for new connections, so another server asks.
  settings_->tls.client_allowed_sans = std::vector<std::string>{"someone.else"};
  TestServer choosy(Hello, options_);
  EXPECT_FALSE(Ask(choosy, tls).has_value());
  settings_->tls.client_allowed_sans = std::vector<std::string>{"client.example"};
  TestServer content(Hello, options_);
  EXPECT_EQ(Outcome(content, tls), "hello over TLS");
}

TEST_F(TlsTest, RotatedFilesAreTakenUpOnBothSides) {
  testing::TempDir dir;
  auto& files = PosixFileSystem();
  const auto write = [&](const Pair& pair) {
    ASSERT_TRUE(files.WriteFileAtomically(dir.path() + "/cert", pair.cert).has_value());
    ASSERT_TRUE(files.WriteFileAtomically(dir.path() + "/key", pair.key).has_value());
  };
  write(pair_);
  settings_->tls = {};
  settings_->tls.cert_file = dir.path() + "/cert";
  settings_->tls.key_file = dir.path() + "/key";
  TestServer server(Hello, options_);
  TlsSettings tls;
  tls.ca_file = dir.path() + "/cert";
  HttpClientSettings client_settings;
  client_settings.tls_config = tls;
  const auto profile = client_->Prepare(client_settings, "test").value();
  const auto ask = [&] {
    HttpRequest request;
    request.url = server.Url("/", "https");
    request.profile = profile;
    return client_->Call(std::move(request));
  };
  EXPECT_TRUE(ask().has_value());
  write(MakeCertificate("IP:127.0.0.1"));
  auto answer = ask();
  EXPECT_TRUE(answer.has_value()) << answer.error().message();
}

TEST_F(TlsTest, VersionsAreLimited) {
  settings_->tls.min_version = TlsVersion::kTls13;
  TestServer server(Hello, options_);
  TlsSettings tls;
  tls.ca = pair_.cert;
  tls.max_version = TlsVersion::kTls12;
  EXPECT_THAT(Outcome(server, tls), HasSubstr("tls"));
  tls.max_version = TlsVersion::kTls13;
  EXPECT_EQ(Outcome(server, tls), "hello over TLS");
}

TEST(TlsSettings, BadMaterialIsNamedInGosWords) {
  const auto error_of = [](const TlsServerSettings& settings) {
    const auto context = MakeTlsServerContext(settings, PosixFileSystem());
    return context ? "none" : context.error().message();
  };
  const Pair a = MakeCertificate("DNS:a"), b = MakeCertificate("DNS:b");
  TlsServerSettings settings;
  settings.cert_file = "/nonexistent/cert";
  settings.key = a.key;
  EXPECT_EQ(error_of(settings),
            "failed to read cert_file (/nonexistent/cert): open /nonexistent/cert: no such file or directory");
  settings.cert_file.clear();
  settings.cert = a.cert;
  settings.key_file = "/nonexistent/key";
  EXPECT_EQ(error_of(settings),
            "failed to read key_file (/nonexistent/key): open /nonexistent/key: no such file or directory");
  settings.key_file.clear();
  settings.key = "x";
  EXPECT_EQ(error_of(settings), "failed to load X509KeyPair: tls: failed to find any PEM data in key input");
  settings.key = b.key;
  EXPECT_EQ(error_of(settings), "failed to load X509KeyPair: tls: private key does not match public key");
  settings.key = a.key;
  EXPECT_EQ(error_of(settings), "none");
  settings.client_ca_file = "/nonexistent/ca";
  EXPECT_EQ(error_of(settings), "open /nonexistent/ca: no such file or directory");
  settings.client_ca_file.clear();
  settings.client_ca = "no certificate";  // then no client's certificate is good
  EXPECT_EQ(error_of(settings), "none");
  settings.cert = "x";
  EXPECT_EQ(error_of(settings), "failed to load X509KeyPair: tls: failed to find any PEM data in certificate input");
}

TEST(TlsSettings, Validation) {
  WebSettings settings;
  EXPECT_TRUE(ValidateWebSettings(settings).has_value());
  settings.tls.key_file = "k";
  EXPECT_EQ(ValidateWebSettings(settings).error().message(), "missing one of cert or cert_file");
  settings.tls.cert_file = "c";
  EXPECT_TRUE(ValidateWebSettings(settings).has_value());
  settings.tls.cipher_suites = {"TLS_NONE"};
  EXPECT_EQ(ValidateWebSettings(settings).error().message(), "unknown cipher: TLS_NONE");
  settings.tls.cipher_suites = {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
  settings.tls.curve_preferences = {"P0"};
  EXPECT_EQ(ValidateWebSettings(settings).error().message(), "unknown curve: P0");
  settings.tls.curve_preferences = {"X25519"};
  settings.basic_auth_users = {{"u", "plain"}};
  EXPECT_FALSE(ValidateWebSettings(settings).has_value());
}

}  // namespace
}  // namespace epi::net
