#include "app/external_url.h"

#include <gtest/gtest.h>

namespace epi::app {
namespace {

TEST(ExternalUrl, DefaultsToHostnameAndPort) {
  const auto got = DeriveExternalUrl("", "", "0.0.0.0:9090", "box").value();
  EXPECT_EQ(got.url, "http://box:9090");
  EXPECT_EQ(got.path, "");
  EXPECT_EQ(got.route_prefix, "/");
}

TEST(ExternalUrl, PathBecomesThePrefix) {
  const auto got = DeriveExternalUrl("https://example.org/prom/", "", "0.0.0.0:9090", "box").value();
  EXPECT_EQ(got.url, "https://example.org/prom");
  EXPECT_EQ(got.path, "/prom");
  EXPECT_EQ(got.route_prefix, "/prom");
}

TEST(ExternalUrl, AGivenPrefixWins) {
  EXPECT_EQ(DeriveExternalUrl("https://example.org/prom", "/", "0.0.0.0:9090", "box").value().route_prefix, "/");
  EXPECT_EQ(DeriveExternalUrl("https://example.org", "x/y/", "0.0.0.0:9090", "box").value().route_prefix, "/x/y");
}

TEST(ExternalUrl, QuotesAreRefused) {
  for (const auto* text : {"\"http://a\"", "http://a'", "'http://a"}) {
    const auto got = DeriveExternalUrl(text, "", "0.0.0.0:9090", "box");
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().message(), "URL must not begin or end with quotes");
  }
}

}  // namespace
}  // namespace epi::app
