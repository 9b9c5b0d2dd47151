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
  Result<uint64_t> Sum() { return ConfigChecksum(PosixFileSystem(), directory_.path() + "/main.yml", options_); }

  epi::testing::TempDir directory_;
  LoadOptions options_;
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

TEST_F(ConfigChecksumTest, WhatReferencesStandForCounts) {
  Put("main.yml",
      "scrape_configs: [{job_name: a, basic_auth: {password: 'file:secret'}}]\n"
      "scrape_config_files: ['${DIR}/*.yml']\n");
  Put("secret", "one");
  Put("token", "one");
  ASSERT_TRUE(PosixFileSystem().CreateDirectories(directory_.path() + "/jobs"));
  Put("jobs/b.yml", "scrape_configs: [{job_name: 'file:../token'}]\n");
  const auto without = Sum();
  Put("secret", "two");
  EXPECT_EQ(*without, *Sum());
  options_.expand_references = true;
  options_.environment = [](const std::string&) { return std::string("jobs"); };
  const auto first = Sum();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(*first, *Sum());
  Put("secret", "three");
  const auto second = Sum();
  EXPECT_NE(*first, *second);
  Put("token", "two");
  EXPECT_NE(*second, *Sum());
  ASSERT_TRUE(PosixFileSystem().RemoveFile(directory_.path() + "/secret"));
  EXPECT_FALSE(Sum());
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
