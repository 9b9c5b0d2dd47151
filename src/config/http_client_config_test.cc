#include "config/http_client_config.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/file_system.h"
#include "config/byte_size.h"
#include "testing/conformance.h"
#include "testing/temp_dir.h"

namespace epi::config {
namespace {

std::string VersionText(net::TlsVersion version) {
  constexpr const char* kTexts[] = {"", "TLS10", "TLS11", "TLS12", "TLS13"};
  return kTexts[static_cast<size_t>(version)];
}

TEST(HttpClientConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "config/http_client.json");
  const std::string directory = JoinPath(epi::testing::ConformanceDir(), "config/http_client");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const auto text = PosixFileSystem().ReadFile(JoinPath(directory, test.at("file").get<std::string>()));
    ASSERT_TRUE(text.has_value());
    std::string error;
    if (test.at("kind") == "tls") {
      const auto config = ParseTlsConfig(*text);
      const auto versions = config ? CheckTlsVersions(*config) : Fail(config.error());
      if (!versions) error = versions.error().message();
      if (test.contains("insecure_skip_verify") && config) {
        EXPECT_EQ(config->insecure_skip_verify, test.at("insecure_skip_verify").get<bool>());
        const auto name = [&](const char* key) {
          return test.at(key).is_null() ? "" : test.at(key).get<std::string>();
        };
        EXPECT_EQ(VersionText(config->min_version), name("min_version"));
        EXPECT_EQ(VersionText(config->max_version), name("max_version"));
      }
    } else {
      const auto config = ParseHttpClientConfig(*text);
      if (!config) error = config.error().message();
    }
    EXPECT_EQ(error.empty(), test.at("result") == "ok") << error;
    EXPECT_NE(error.find(test.value("error_contains", std::string())), std::string::npos) << error;
  }
}

TEST(HttpClientConfig, BearerTokenBecomesAuthorization) {
  const auto config = ParseHttpClientConfig("bearer_token: abc\n");
  ASSERT_TRUE(config.has_value());
  ASSERT_TRUE(config->authorization.has_value());
  EXPECT_EQ(config->authorization->type, "Bearer");
  EXPECT_EQ(config->authorization->credentials, "abc");
  EXPECT_TRUE(config->bearer_token.empty());
  EXPECT_TRUE(config->follow_redirects);
}

TEST(HttpClientConfig, PathsAreRelativeToTheFile) {
  const epi::testing::TempDir directory;
  const std::string path = JoinPath(directory.path(), "http.yml");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(
      path, "tls_config: {ca_file: a/../ca.pem}\nauthorization: {credentials_file: /abs}\n"));
  const auto config = LoadHttpClientConfig(PosixFileSystem(), path);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->tls_config.ca_file, JoinPath(directory.path(), "ca.pem"));
  EXPECT_EQ(config->authorization->credentials_file, "/abs");
}

TEST(JoinDirectory, CleansAsGoDoes) {
  EXPECT_EQ(JoinDirectory("a/b", "../c"), "a/c");
  EXPECT_EQ(JoinDirectory(".", "x//y"), "x/y");
  EXPECT_EQ(JoinDirectory("/a", "../../b"), "/b");
  EXPECT_EQ(JoinDirectory("a", "../.."), "..");
  EXPECT_EQ(JoinDirectory("a", ".."), ".");
  EXPECT_EQ(JoinDirectory("a", ""), "");
}

TEST(HttpClientConfig, ClaimsAreKeptAsJson) {
  const auto config = ParseHttpClientConfig(
      "oauth2:\n  client_id: a\n  token_url: http://x\n  claims: {n: 1, f: 1.5, b: true, s: '1', l: [a, ~]}\n  "
      "unknown: 1\n");
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().message(),
            "yaml: unmarshal errors:\n  line 5: field unknown not found in type config.plain");
  const auto good = ParseHttpClientConfig(
      "oauth2:\n  client_id: a\n  token_url: http://x\n  claims: {n: 1, f: 1.5, b: true, s: '1', l: [a, ~]}\n");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->oauth2->claims_json, "{\"n\":1,\"f\":1.5,\"b\":true,\"s\":\"1\",\"l\":[\"a\",null]}");
}

TEST(ByteSize, ReadsAndPrintsPowersOf1024) {
  EXPECT_EQ(ParseByteSize("15MB").value(), 15 << 20);
  EXPECT_EQ(ParseByteSize("1.5KiB").value(), 1536);
  EXPECT_EQ(ParseByteSize("1GiB1MiB").value(), (1 << 30) + (1 << 20));
  EXPECT_EQ(ParseByteSize("0").value(), 0);
  EXPECT_EQ(ParseByteSize("-1GB").value(), -(1 << 30));
  EXPECT_EQ(ParseByteSize("100").error().message(), "units: unknown unit  in 100");
  EXPECT_EQ(ParseByteSize("1kB").error().message(), "units: unknown unit kB in 1kB");
  EXPECT_EQ(ParseByteSize("").error().message(), "units: invalid ");
  EXPECT_EQ(ParseByteSize("9EB").error().message(), "units: overflow parsing unit");
  EXPECT_EQ(ParseByteSize("8EB").value(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(FormatByteSize(ParseByteSize("-8EiB").value()), "-8EiB");
  EXPECT_EQ(ParseByteSize("922337203685477579B").value(), 922337203685477632);  // what a double holds of it
  EXPECT_EQ(ParseByteSize("9223372036854775790B").error().message(), "units: invalid 9223372036854775790B");
  EXPECT_EQ(FormatByteSize(15 << 20), "15MiB");
  EXPECT_EQ(FormatByteSize((1 << 30) + 1), "1GiB1B");
  EXPECT_EQ(FormatByteSize(0), "0B");
}

}  // namespace
}  // namespace epi::config
