#include "config/web_config.h"

#include <gtest/gtest.h>

#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi::config {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto settings = ParseWebConfig(text);
  return settings ? "valid" : settings.error().message();
}

TEST(WebConfig, ReadsEverything) {
  const auto settings = ParseWebConfig(
      "tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n  client_ca_file: ca.pem\n  client_auth_type: "
      "RequireClientCert\n"
      "  min_version: TLS13\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [X25519]\n"
      "  client_allowed_sans: [a, b]\nhttp_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: DENY\n"
      "rate_limit:\n  interval: 100ms\n  burst: 5\nbasic_auth_users:\n"
      "  u: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n");
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->tls.client_auth, net::ClientAuth::kRequireAnyClientCert);
  EXPECT_EQ(settings->tls.min_version, net::TlsVersion::kTls13);
  EXPECT_EQ(settings->tls.client_allowed_sans.size(), 2u);
  EXPECT_FALSE(settings->http2);
  EXPECT_EQ(settings->headers.at(0).first, "X-Frame-Options");
  EXPECT_EQ(settings->rate_limit_interval_ns, 100'000'000);
  EXPECT_EQ(settings->rate_limit_burst, 5);
  EXPECT_EQ(settings->basic_auth_users.at(0).first, "u");
  EXPECT_FALSE(ParseWebConfig("")->tls.enabled());
}

struct Row {
  std::string_view text;
  std::string_view error;
};

// The texts are those that Prometheus's web toolkit gives.
TEST(WebConfig, RefusesWithTheToolkitsTexts) {
  constexpr std::string_view kPair = "cert_file: c, key_file: k";
  const Row kTlsRows[] = {
      {"key_file: a", "missing one of cert or cert_file"},
      {"client_auth_type: NoClientCert, min_version: TLS13", "missing one of cert or cert_file"},
      {"cert_file: a", "missing one of key or key_file"},
      {"cert: a", "missing one of key or key_file"},
      {"cert: a, key: b", "valid"},
      {"cert: a, key_file: b", "valid"},
      {"PAIR, client_ca_file: a", "client CA's have been configured without a Client Auth Policy"},
      {"PAIR, client_ca: a", "client CA's have been configured without a Client Auth Policy"},
      {"PAIR, client_ca: a, client_auth_type: NoClientCert",
       "client CA's have been configured without a Client Auth Policy"},
      {"PAIR, client_ca: a, client_auth_type: RequestClientCert", "valid"},
      {"PAIR, client_auth_type: RequireAnyClientCert", "valid"},
      {"PAIR, client_auth_type: RequireClientCert", "valid"},
      {"PAIR, client_auth_type: VerifyClientCertIfGiven", "valid"},
      {"PAIR, client_auth_type: RequireAndVerifyClientCert, client_ca: a", "valid"},
      {"PAIR, client_auth_type: requireandverifyclientcert", "invalid ClientAuth: requireandverifyclientcert"},
      {"client_auth_type: x", "invalid ClientAuth: x"},
      {"min_version: TLS9", "unknown TLS version: TLS9"},
      {"PAIR, max_version: tls12", "unknown TLS version: tls12"},
      {"PAIR, min_version: TLS10, max_version: TLS11", "valid"},
      {"PAIR, cipher_suites: [TLS_NONE]", "unknown cipher: TLS_NONE"},
      {"PAIR, cipher_suites: [ECDHE-RSA-AES128-SHA]", "unknown cipher: ECDHE-RSA-AES128-SHA"},
      {"PAIR, cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]", "valid"},
      {"PAIR, curve_preferences: [P-256]", "unknown curve: P-256"},
      {"PAIR, curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]", "valid"},
      {"PAIR, prefer_server_cipher_suites: false", "valid"},
      {"PAIR, client_allowed_sans: [a]", "valid"},
      {"PAIR, insecure: true", "yaml: unmarshal errors:\n  line 1: field insecure not found in type web.TLSConfig"},
  };
  for (const auto& row : kTlsRows) {
    std::string text(row.text);
    if (text.starts_with("PAIR")) text.replace(0, 4, kPair);
    EXPECT_EQ(ErrorOf("tls_server_config: {" + text + "}\n"), row.error) << text;
  }
  const Row kRows[] = {
      {"http_server_config: {headers: {Server: x}}", "HTTP header \"Server\" can not be configured"},
      {"http_server_config: {headers: {x-frame-options: deny}}",
       "HTTP header \"x-frame-options\" can not be configured"},
      {"http_server_config: {headers: {X-Frame-Options: allow}}",
       "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"allow\""},
      {"http_server_config: {headers: {X-Content-Type-Options: sniff}}",
       "invalid value for X-Content-Type-Options. Expected one of: [\"nosniff\"], but got: \"sniff\""},
      {"http_server_config: {headers: {X-Frame-Options: SameOrigin, X-XSS-Protection: any, "
       "Strict-Transport-Security: any, Content-Security-Policy: any}}",
       "valid"},
      {"http_server_config: {http2: 2}", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `2` into bool"},
      {"rate_limit: {interval: 1x}",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `1x` into time.Duration"},
      {"rate_limit: {interval: 1s, burst: 3}", "valid"},
      {"nope: 1", "yaml: unmarshal errors:\n  line 1: field nope not found in type web.Config"},
  };
  for (const auto& row : kRows) EXPECT_EQ(ErrorOf(std::string(row.text) + "\n"), row.error) << row.text;
}

TEST(WebConfig, HashesOfPasswords) {
  const std::string good = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
  const auto error_of = [](const std::string& hash) { return ErrorOf("basic_auth_users: {u: '" + hash + "'}\n"); };
  for (const char variant : {'a', 'b', 'y'}) {
    std::string hash = good;
    hash[2] = variant;
    EXPECT_EQ(error_of(hash), "valid");
  }
  for (std::string hash : {std::string(), std::string("plain"), good.substr(1), good.substr(0, 59), good + "x",
                           "$1$" + good.substr(3), "$2y$1x" + good.substr(6), "$2y$10" + good.substr(7) + "x",
                           "$2y$03" + good.substr(6), "$2y$32" + good.substr(6), good.substr(0, 59) + "!"}) {
    EXPECT_EQ(error_of(hash), "the hash of user u is not a bcrypt hash") << hash;
  }
}

TEST(WebConfig, PathsAreRelativeToTheFile) {
  const epi::testing::TempDir directory;
  const std::string path = JoinPath(directory.path(), "web.yml");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path, "tls_server_config: {cert_file: c.pem, key_file: /k.pem}\n"));
  const auto settings = LoadWebConfig(PosixFileSystem(), path);
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->tls.cert_file, JoinPath(directory.path(), "c.pem"));
  EXPECT_EQ(settings->tls.key_file, "/k.pem");
}

}  // namespace
}  // namespace epi::config
