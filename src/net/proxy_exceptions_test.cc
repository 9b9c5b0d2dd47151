#include "net/proxy_exceptions.h"

#include <gtest/gtest.h>

namespace epi::net {
namespace {

bool Direct(std::string_view host, std::string_view exceptions, std::string_view port = "80") {
  return IsProxyException(host, port, exceptions);
}

TEST(ProxyExceptions, ThisMachineIsAlwaysOne) {
  for (const char* host : {"localhost", "127.0.0.1", "127.255.0.3", "::1"}) EXPECT_TRUE(Direct(host, "other")) << host;
  for (const char* host : {"128.0.0.1", "::2", "a.localhost", "10.0.0.1"}) EXPECT_FALSE(Direct(host, "other")) << host;
  EXPECT_TRUE(Direct("anything", "a, *"));
}

TEST(ProxyExceptions, Domains) {
  EXPECT_TRUE(Direct("example.com", "x, Example.com ,"));
  EXPECT_TRUE(Direct("A.example.COM", "example.com"));
  EXPECT_FALSE(Direct("notexample.com", "example.com"));
  EXPECT_FALSE(Direct("example.com.org", "example.com"));
  for (const char* below : {".example.com", "*.example.com"}) {
    EXPECT_TRUE(Direct("a.example.com", below));
    EXPECT_FALSE(Direct("example.com", below));
  }
  EXPECT_TRUE(Direct("example.com", "example.com:80"));
  EXPECT_FALSE(Direct("example.com", "example.com:81"));
  EXPECT_FALSE(Direct("example.com", ":80"));
}

TEST(ProxyExceptions, AddressesAndNetworks) {
  EXPECT_TRUE(Direct("10.1.2.3", "10.1.2.3"));
  EXPECT_TRUE(Direct("10.1.2.3", "10.1.2.3:80"));
  EXPECT_FALSE(Direct("10.1.2.3", "10.1.2.3:8080"));
  EXPECT_TRUE(Direct("10.1.2.3", "10.1.2.0/23"));
  EXPECT_FALSE(Direct("10.1.4.3", "10.1.2.0/23"));
  EXPECT_TRUE(Direct("10.1.2.3", "0.0.0.0/0"));
  EXPECT_FALSE(Direct("fd00::1", "0.0.0.0/0"));
  EXPECT_TRUE(Direct("fd00::1", "fd00::/8"));
  EXPECT_TRUE(Direct("fd00::1", "FD00:0::1"));
  EXPECT_TRUE(Direct("fd00::1", "[fd00::1]:80"));
  EXPECT_FALSE(Direct("fd00::1", "[fd00::1]:81"));
  EXPECT_FALSE(Direct("10.1.2.3", "10.1.2.0/33"));
  EXPECT_FALSE(Direct("name", "10.0.0.0/8"));
}

}  // namespace
}  // namespace epi::net
