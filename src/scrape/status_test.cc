#include "scrape/status.h"

#include <gtest/gtest.h>

namespace epi::scrape {
namespace {

TEST(GlobalUrl, ShowsWhatThisHostScrapesAsOthersReachIt) {
  const ExternalAddress external{"0.0.0.0:9090", "https", "outside:443"};
  struct Case {
    const char* host;
    const char* url;
    const char* error;
  };
  const Case cases[] = {
      {"other:80", "http://other:80/", ""},
      {"other", "http://other/", ""},
      {"127.0.0.1:9090", "https://outside:443/", ""},
      {"localhost:80", "http://outside:80/", ""},
      {"[::1]:80", "http://outside:80/", ""},
      {"127.0.0.1", "http://outside/", ""},
      {"::1", "http://::1/", "address ::1: too many colons in address"},
      {"[::1", "http://[::1/", "address [::1: missing ']' in address"},
      {"[::1]", "http://outside/", ""},
      {"[::1]x", "http://[::1]x/", "address [::1]x: missing port in address"},
      {"[::1]x:1", "http://[::1]x:1/", "address [::1]x:1: missing port in address"},
      {"[::1]:1:2", "http://[::1]:1:2/", "address [::1]:1:2: too many colons in address"},
      {"a[b:1", "http://a[b:1/", "address a[b:1: unexpected '[' in address"},
      {"a]b:1", "http://a]b:1/", "address a]b:1: unexpected ']' in address"},
      {"a b:1", "http://a%20b:1/", ""},
  };
  for (const auto& c : cases) {
    net::Url url;
    url.scheme = "http";
    url.has_authority = true;
    url.host = c.host;
    url.path = url.raw_path = "/";
    const auto global = GlobalUrl(url, external);
    EXPECT_EQ(global.url, c.url) << c.host;
    EXPECT_EQ(global.error, c.error) << c.host;
  }
}

}  // namespace
}  // namespace epi::scrape
