#include "net/name_lookup.h"

#include <gtest/gtest.h>

#include "testing/temp_dir.h"

namespace epi::net {
namespace {

TEST(NameLookup, SaysWhichServerWasAsked) {
  testing::TempDir dir;
  auto& files = PosixFileSystem();
  const std::string config = dir.path() + "/resolv.conf";
  const auto text = [&](const std::string& host) { return NoSuchHost(host, config, files); };
  EXPECT_EQ(text("a.example"), "lookup a.example on 127.0.0.1:53: no such host");
  ASSERT_TRUE(
      files.WriteFileAtomically(config, "# nameserver 1.1.1.1\nsearch x\nnameserver\t10.0.0.53\nnameserver 10.0.0.54\n")
          .has_value());
  EXPECT_EQ(text("a.example"), "lookup a.example on 10.0.0.53:53: no such host");
  ASSERT_TRUE(files.WriteFileAtomically(config, "nameserver fd00::53").has_value());
  EXPECT_EQ(text("a_b.c-d."), "lookup a_b.c-d. on [fd00::53]:53: no such host");
}

TEST(NameLookup, WhatIsNoNameIsAskedOfNobody) {
  const std::string longest(63, 'a');
  auto& files = PosixFileSystem();
  for (const std::string& host :
       {std::string("a,b"), std::string("a..b"), std::string("-a"), std::string("a-.b"), std::string("127.1"),
        std::string(""), longest + "a", std::string("\xc3\xbc.example")})
    EXPECT_EQ(NoSuchHost(host, "/nowhere", files), "lookup " + host + ": no such host");
  EXPECT_EQ(NoSuchHost(longest, "/nowhere", files), "lookup " + longest + " on 127.0.0.1:53: no such host");
}

TEST(NameLookup, AddressesThatOnlyCReads) {
  for (const char* loose : {"127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.01"})
    EXPECT_TRUE(IsLooseAddress(loose)) << loose;
  for (const char* other : {"127.0.0.1", "::1", "host", "1.2.3.4.5", ""}) EXPECT_FALSE(IsLooseAddress(other)) << other;
}

}  // namespace
}  // namespace epi::net
