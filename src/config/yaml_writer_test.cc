#include "config/yaml_writer.h"

#include <gtest/gtest.h>

#include "config/yaml.h"

namespace epi::config {
namespace {

std::string Scalar(const std::string& text) {
  std::string out = YamlValue::Mapping().Set("k", YamlValue::String(text)).Text();
  return out.substr(3, out.size() - 4);
}

TEST(YamlWriter, QuotesWhatGoYamlQuotes) {
  EXPECT_EQ(Scalar("plain text"), "plain text");
  EXPECT_EQ(Scalar(""), "\"\"");
  EXPECT_EQ(Scalar(";"), ";");
  EXPECT_EQ(Scalar("(.*)"), "(.*)");
  EXPECT_EQ(Scalar("$1"), "$1");
  EXPECT_EQ(Scalar("true"), "\"true\"");
  EXPECT_EQ(Scalar("yes"), "\"yes\"");
  EXPECT_EQ(Scalar("1"), "\"1\"");
  EXPECT_EQ(Scalar("1.5e3"), "\"1.5e3\"");
  EXPECT_EQ(Scalar("1:30"), "\"1:30\"");
  EXPECT_EQ(Scalar("~"), "\"~\"");
  EXPECT_EQ(Scalar("2026-01-02"), "\"2026-01-02\"");
  EXPECT_EQ(Scalar("localhost:9090"), "localhost:9090");
  EXPECT_EQ(Scalar("a: b"), "'a: b'");
  EXPECT_EQ(Scalar("a #b"), "'a #b'");
  EXPECT_EQ(Scalar("*a"), "'*a'");
  EXPECT_EQ(Scalar("[a"), "'[a'");
  EXPECT_EQ(Scalar("it's: x"), "'it''s: x'");
  EXPECT_EQ(Scalar(" lead"), "' lead'");
  EXPECT_EQ(Scalar("tab\t"), "\"tab\\t\"");
  EXPECT_EQ(Scalar("a\nb"), "|-\n  a\n  b");
  EXPECT_EQ(Scalar("é"), "é");
  EXPECT_EQ(Scalar("<secret>"), "<secret>");
}

TEST(YamlWriter, LaysOutBlocksAsGoYaml) {
  YamlValue job = YamlValue::Mapping();
  job.Set("name", YamlValue::String("x"));
  job.Set("list", YamlValue::Strings({"a", "b"}));
  job.Set("empty", YamlValue::Sequence());
  job.Set("flow", std::move(YamlValue::Strings({"a", "b,c"}).Flow()));
  YamlValue root = YamlValue::Mapping();
  root.Set("jobs", YamlValue::Sequence({job, YamlValue::Mapping()}));
  root.Set("on", YamlValue::Bool(true));
  EXPECT_EQ(root.Text(),
            "jobs:\n- name: x\n  list:\n  - a\n  - b\n  empty: []\n  flow: [a, 'b,c']\n- {}\n\"on\": true\n");
}

TEST(YamlWriter, SortsKeysNaturally) {
  EXPECT_TRUE(YamlKeyLess("a2", "a10"));
  EXPECT_FALSE(YamlKeyLess("a10", "a2"));
  EXPECT_TRUE(YamlKeyLess("a", "b"));
  EXPECT_TRUE(YamlKeyLess("a", "ab"));
  EXPECT_TRUE(YamlKeyLess("a_b", "ab"));
}

TEST(YamlWriter, WhatIsWrittenReadsBack) {
  const std::string long_text =
      std::string(70, 'x') + " with words that make the line longer than the width, and then: some";
  for (const std::string& text :
       {std::string("a\n\nb\n"), std::string("\n x"), std::string("x\n\n"), long_text, std::string("'\""),
        std::string("- x"), std::string("\x01\x7f"), std::string("a \n b"), std::string("\\ \" "), std::string("?"),
        std::string("null"), "\"" + long_text + "  double  spaces"}) {
    const std::string written = YamlValue::Mapping()
                                    .Set("k", YamlValue::String(text))
                                    .Set("l", YamlValue::Sequence({YamlValue::String(text)}))
                                    .Text();
    const auto document = YamlDocument::Parse(written);
    ASSERT_TRUE(document.has_value()) << written;
    EXPECT_EQ(document->root().Find("k")->text(), text) << written;
    EXPECT_EQ(document->root().Find("l")->items()[0].text(), text) << written;
  }
}

}  // namespace
}  // namespace epi::config
