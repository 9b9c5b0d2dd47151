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
      "  client_allowed_sans: [a, b]\nhttp_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n"
      "rate_limit:\n  interval: 100ms\n  burst: 5\nbasic_auth_users:\n"
      "  u: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n");
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->tls.client_auth_type, "RequireClientCert");
  EXPECT_EQ(settings->tls.min_version, net::TlsVersion::kTls13);
  EXPECT_EQ(settings->tls.client_allowed_sans->size(), 2u);
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
      {"client_auth_type: x", "missing one of cert or cert_file"},
      {"client_auth_type: ''", "valid"},
      {"min_version: TLS13, cipher_suites: [TLS_AES_128_GCM_SHA256]", "valid"},  // nothing turns TLS on
      {"min_version: TLS9", "unknown TLS version: TLS9"},
      {"PAIR, max_version: tls12", "unknown TLS version: tls12"},
      {"PAIR, min_version: TLS10, max_version: TLS11", "valid"},
      {"PAIR, cipher_suites: [TLS_NONE]", "unknown cipher: TLS_NONE"},
      {"PAIR, cipher_suites: [ECDHE-RSA-AES128-SHA]", "unknown cipher: ECDHE-RSA-AES128-SHA"},
      {"PAIR, cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]", "valid"},
      {"PAIR, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]", "unknown cipher: TLS_RSA_WITH_AES_128_CBC_SHA"},
      {"PAIR, cipher_suites: x", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `x` into []web.Cipher"},
      {"PAIR, curve_preferences: x", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `x` into []web.Curve"},
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
      {"http_server_config: {headers: {X-Frame-Options: sameorigin, X-XSS-Protection: any, "
       "Strict-Transport-Security: any, Content-Security-Policy: any}}",
       "valid"},
      {"http_server_config: {headers: {X-Frame-Options: DENY}}",
       "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"DENY\""},
      {"http_server_config: 5", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!int `5` into web.HTTPConfig"},
      {"http_server_config: {bar: 1}", "yaml: unmarshal errors:\n  line 1: field bar not found in type web.HTTPConfig"},
      {"rate_limit: x", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `x` into web.RateLimiterConfig"},
      {"rate_limit: {interval: [1]}", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into time.Duration"},
      {"rate_limit: {interval: 5}", "valid"},
      {"basic_auth_users: [a]",
       "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[string]config.Secret"},
      {"basic_auth_users: {a: [x]}", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into config.plain"},
      {"# a comment\n\t", "yaml: line 2: found character that cannot start any token"},
      {"\t", "yaml: found character that cannot start any token"},
      {"rate_limit:\n\tburst: 1", "yaml: line 2: found character that cannot start any token"},
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
  const auto changed = [&](size_t at, std::string_view to) {
    return good.substr(0, at) + std::string(to) + good.substr(at + to.size());
  };
  // Go looks at no minor version and at no character of salt and hash.
  for (const auto& hash : {good, changed(2, "a"), changed(2, "b"), changed(2, "z"), changed(1, "1"), good + "xx",
                           changed(59, "!"), good.substr(0, 59), "$2$" + good.substr(4)}) {
    EXPECT_EQ(error_of(hash), "valid") << hash;
  }
  const std::string too_short = "crypto/bcrypt: hashedSecret too short to be a bcrypted password";
  const std::pair<std::string, std::string> kBad[] = {
      {"", too_short},
      {"plain", too_short},
      {good.substr(0, 58), too_short},
      {changed(0, "x"), "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with 'x'"},
      {changed(1, "3"), "crypto/bcrypt: bcrypt algorithm version '3' requested is newer than current version '2'"},
      {changed(4, "1x"), "strconv.Atoi: parsing \"1x\": invalid syntax"},
      {changed(4, "03"), "crypto/bcrypt: cost 3 is outside allowed inclusive range 4..31"},
      {changed(4, "-1"), "crypto/bcrypt: cost -1 is outside allowed inclusive range 4..31"},
      {changed(4, "99"), "crypto/bcrypt: cost 99 is outside allowed inclusive range 4..31"},
  };
  for (const auto& [hash, error] : kBad) EXPECT_EQ(error_of(hash), error) << hash;
  // Users are looked at before TLS.
  EXPECT_EQ(ErrorOf("basic_auth_users: {u: plain}\ntls_server_config: {key: x}\n"), too_short);
}

TEST(WebConfig, AnEmptyListOfNamesIsNotNone) {
  const auto sans = [](const std::string& list) {
    return ParseWebConfig("tls_server_config: {cert: a, key: b, client_allowed_sans: " + list + "}")
        .value()
        .tls.client_allowed_sans;
  };
  EXPECT_FALSE(sans("null").has_value());
  ASSERT_TRUE(sans("[]").has_value());
  EXPECT_TRUE(sans("[]")->empty());
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
