#include "config/config_checksum.h"

#include <gtest/gtest.h>

#include "testing/temp_dir.h"

namespace epi::config {
namespace {

class ConfigChecksumTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(directory_.path() + "/" + name, text));
  }
  Result<uint64_t> Sum() { return ConfigChecksum(PosixFileSystem(), directory_.path() + "/main.yml"); }

  epi::testing::TempDir directory_;
};

TEST_F(ConfigChecksumTest, EveryIncludedFileCounts) {
  Put("main.yml", "rule_files: [\"r*.yml\"]\nscrape_config_files: [\"s*.yml\"]\nglobal: {nonsense: 1}\n");
  const auto first = Sum();
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, *Sum());
  Put("r1.yml", "groups: []\n");
  const auto with_rules = Sum();
  EXPECT_NE(*first, *with_rules);
  Put("s1.yml", "groups: []\n");
  const auto with_scrape = Sum();
  EXPECT_NE(*with_rules, *with_scrape);
  Put("other.yml", "x\n");
  EXPECT_EQ(*with_scrape, *Sum());
  Put("r1.yml", "groups: [] \n");
  EXPECT_NE(*with_scrape, *Sum());
}

TEST_F(ConfigChecksumTest, WhatCannotBeReadHasNone) {
  EXPECT_FALSE(Sum());
  Put("main.yml", "a: [\n");
  EXPECT_FALSE(Sum());
  Put("main.yml", "rule_files: [\"[\"]\n");
  EXPECT_FALSE(Sum());
  for (const char* text : {"", "rule_files:\n", "rule_files: x\n", "- 1\n", "rule_files: [{a: b}]\n"}) {
    Put("main.yml", text);
    EXPECT_TRUE(Sum()) << text;
  }
}

}  // namespace
}  // namespace epi::config
