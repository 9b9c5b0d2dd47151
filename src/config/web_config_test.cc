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

TEST(WebConfig, RefusesWithTheToolkitsTexts) {
  EXPECT_EQ(ErrorOf("tls_server_config:\n  key_file: a\n"), "missing one of cert or cert_file");
  EXPECT_EQ(ErrorOf("tls_server_config:\n  min_version: TLS9\n"), "unknown TLS version: TLS9");
  EXPECT_EQ(ErrorOf("tls_server_config:\n  client_auth_type: x\n"), "invalid ClientAuth: x");
  EXPECT_EQ(ErrorOf("http_server_config:\n  headers: {Server: x}\n"), "HTTP header \"Server\" can not be configured");
  EXPECT_EQ(ErrorOf("nope: 1\n"), "yaml: unmarshal errors:\n  line 1: field nope not found in type web.Config");
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
