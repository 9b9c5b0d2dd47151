#include "config/yaml.h"

#include <gtest/gtest.h>

#include <cmath>

#include "config/yaml_reader.h"
#include "config/yaml_scalar.h"

namespace epi::config {
namespace {

std::string YamlErrorOf(std::string_view text, const YamlLimits& limits = {}) {
  const auto document = YamlDocument::Parse(text, DuplicateKeys::kReject, limits);
  return document ? "parses" : document.error().message();
}

TEST(Yaml, KeepsStructureTextAndPlace) {
  const auto document = YamlDocument::Parse("a: 1\nb:\n  - x\n  - 'y'\nc: {d: ~, e: \"\"}\n");
  ASSERT_TRUE(document.has_value());
  const YamlNode root = document->root();
  ASSERT_TRUE(root.IsMapping());
  ASSERT_EQ(root.entries().size(), 3u);
  EXPECT_EQ(root.entries()[1].key.line(), 2);
  const YamlNode list = *root.Find("b");
  ASSERT_EQ(list.items().size(), 2u);
  EXPECT_EQ(list.items()[1].text(), "y");
  EXPECT_EQ(list.items()[1].line(), 4);
  EXPECT_EQ(list.items()[1].column(), 5);
  EXPECT_TRUE(list.items()[1].quoted());
  EXPECT_FALSE(list.items()[0].quoted());
  EXPECT_TRUE(root.Find("c")->Find("d")->IsNull());
  EXPECT_TRUE(root.Find("c")->Find("e")->IsScalar());
  EXPECT_FALSE(root.Find("z").has_value());
}

TEST(Yaml, AnEmptyStreamIsNull) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n"}) {
    const auto document = YamlDocument::Parse(text);
    ASSERT_TRUE(document.has_value()) << text;
    EXPECT_TRUE(document->root().IsNull());
  }
}

TEST(Yaml, ResolvesMergesAndAliases) {
  const auto document =
      YamlDocument::Parse("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nall:\n  <<: [*b, *o]\n  x: 9\nalias: *b\n");
  ASSERT_TRUE(document.has_value());
  const YamlNode all = *document->root().Find("all");
  EXPECT_EQ(all.entries().size(), 3u);
  EXPECT_EQ(all.Find("x")->text(), "9");
  EXPECT_EQ(all.Find("y")->text(), "2");
  EXPECT_EQ(all.Find("z")->text(), "4");
  EXPECT_EQ(document->root().Find("alias")->Find("y")->text(), "2");
  EXPECT_EQ(YamlErrorOf("a: &a 1\nb:\n  <<: *a\n"), "yaml: map merge requires map or sequence of maps as the value");
}

TEST(Yaml, RejectsDuplicatesUnlessTheyAreKept) {
  EXPECT_EQ(
      YamlErrorOf("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n"),
      "yaml: unmarshal errors:\n  line 5: mapping key \"a\" already defined at line 1\n  line 4: mapping key \"c\" "
      "already defined at line 3");
  const auto kept = YamlDocument::Parse("a: 1\na: 2\n", DuplicateKeys::kKeep);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->root().entries().size(), 2u);
}

TEST(Yaml, SeesFurtherDocuments) {
  const auto two = YamlDocument::Parse("a: 1\n---\nb: 2\n");
  ASSERT_TRUE(two.has_value());
  EXPECT_TRUE(two->has_more_documents());
  EXPECT_EQ(two->root().entries().size(), 1u);
  EXPECT_FALSE(YamlDocument::Parse("a: 1\n")->has_more_documents());
  EXPECT_FALSE(YamlDocument::Parse("---\na: 1\n...\n")->has_more_documents());
}

TEST(Yaml, SyntaxErrorsAreInGoYamlsWords) {
  const auto error = [](std::string_view text) {
    const auto document = YamlDocument::Parse(text);
    return document ? "none" : document.error().message();
  };
  EXPECT_EQ(error("a: b: c\n"), "yaml: mapping values are not allowed in this context");
  EXPECT_EQ(error("x: 1\na: b: c\n"), "yaml: line 2: mapping values are not allowed in this context");
  EXPECT_EQ(error("x: 1\nabc\ny: 2\n"), "yaml: line 2: could not find expected ':'");
  EXPECT_EQ(error("a: [1, 2\nb: 3\n"), "yaml: line 1: did not find expected ',' or ']'");
  EXPECT_EQ(error("x: 1\ny: 2\na: {b: 1\n  c: 2}\n"), "yaml: line 2: did not find expected ',' or '}'");
  EXPECT_EQ(error("x: 1\na: }\n"), "yaml: line 1: did not find expected node content");
  EXPECT_EQ(error("x: 1\na: [b]]\n"), "yaml: line 1: did not find expected key");
  EXPECT_EQ(error("- - a\n - b\n"), "yaml: line 1: did not find expected '-' indicator");
  EXPECT_EQ(error("groups:\n- name: g\n rules: []\n"), "yaml: line 2: did not find expected key");
  EXPECT_EQ(error("g:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n   for: 5m\n"),
            "yaml: line 1: did not find expected key");
  EXPECT_EQ(error("a: \"\\q\"\n"), "yaml: found unknown escape character");
  EXPECT_EQ(error("x: 1\na: *b\n"), "yaml: unknown anchor 'b' referenced");
  EXPECT_EQ(error("x: 1\na: @b\n"), "yaml: line 2: found character that cannot start any token");
  EXPECT_EQ(error("x:\n\ta: 2\n"), "yaml: line 2: found character that cannot start any token");
  EXPECT_EQ(error("x: 1\n\ta: 2\n"), "yaml: line 2: found a tab character that violates indentation");
  EXPECT_EQ(error("- a: b\n\n\tc: 2\n"), "yaml: line 3: found a tab character that violates indentation");
  EXPECT_EQ(error("x: 'b'\n\ta: 2\n"), "yaml: line 2: found character that cannot start any token");
  EXPECT_EQ(error("x: [a}\n"), "yaml: did not find expected ',' or ']'");
  EXPECT_EQ(error("x: {a: b]\n"), "yaml: did not find expected ',' or '}'");
  EXPECT_EQ(error("x: {a: :b}\n"), "yaml: did not find expected node content");
}

// Version 2, which reads the configuration, tells where it noticed.
TEST(Yaml, ErrorsOfTheOlderLibraryNameTheLineTheyAreNoticedIn) {
  const auto error = [](std::string_view text) {
    const auto document = YamlDocument::Parse(text, DuplicateKeys::kKeep);
    return document ? "none" : document.error().message();
  };
  EXPECT_EQ(error("x: 1\nabc\ny: 2\n"), "yaml: line 3: could not find expected ':'");
  EXPECT_EQ(error("x: 1\nabc\n\n\ny: 2\n"), "yaml: line 5: could not find expected ':'");
  EXPECT_EQ(error("x: 1\nabc\n   goes on\ny: 2\n"), "yaml: line 4: could not find expected ':'");
  EXPECT_EQ(error("x: 1\nabc\n"), "yaml: line 3: could not find expected ':'");
  EXPECT_EQ(error("x: 1\n\"abc\"\ny: 2\n"), "yaml: line 3: could not find expected ':'");
  EXPECT_EQ(error("x: 1\nabc:2\n  y: 2\n"), "yaml: line 3: could not find expected ':'");
  EXPECT_EQ(error("x: 1\ny: \"z\na: b\n\n"), "yaml: line 5: found unexpected end of stream");
  EXPECT_EQ(error("x: 1\na: {b: 1\n\nc\n"), "yaml: line 4: did not find expected ',' or '}'");
  EXPECT_EQ(error("- x: 1\n y: 2\n"), "yaml: line 1: did not find expected '-' indicator");
  EXPECT_EQ(error("- a\nx: 1\n"), "yaml: line 1: did not find expected '-' indicator");
}

TEST(Yaml, RefusesWhatTheLibraryPassesOver) {
  EXPECT_EQ(YamlErrorOf("a: \x01"), "yaml: control characters are not allowed");
  EXPECT_EQ(YamlErrorOf("a: b\x7f"), "yaml: control characters are not allowed");
  EXPECT_EQ(YamlErrorOf("a: \xc2\x9f"), "yaml: control characters are not allowed");
  EXPECT_EQ(YamlErrorOf("a: \xc2\xa0\t"), "parses");
  EXPECT_EQ(YamlErrorOf("%x\na: 1\n"), "yaml: found unknown directive name");
  EXPECT_EQ(YamlErrorOf("a: 1\n# c\n%x\nb: 2\n"), "yaml: line 3: found unknown directive name");
  EXPECT_EQ(YamlErrorOf("a:\n%x\n  b: 2\n"), "yaml: line 2: found unknown directive name");
  EXPECT_EQ(YamlErrorOf("a: 1\n---\n%x\n"), "parses");
  EXPECT_EQ(YamlErrorOf("%YAML 1.1\n---\na: 1\n"), "parses");
  EXPECT_EQ(YamlErrorOf("%YAML 1.1\n# c\n--- {a: 1}\n"), "parses");
  EXPECT_EQ(YamlErrorOf("%YAML 1.1\n# c\na: 1\n"), "yaml: line 2: did not find expected <document start>");
  EXPECT_EQ(YamlErrorOf("a: |\n  %x\nb: '\n%x'\n"), "parses");
}

TEST(Yaml, BreaksLinesAsVersionOneOfTheLanguage) {
  for (const std::string line_break : {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\n"}) {
    const auto document = YamlDocument::Parse(
        "\xef\xbb\xbf"
        "a: true" +
        line_break + "b:" + line_break + "- 1");
    ASSERT_TRUE(document) << document.error().message();
    EXPECT_EQ(document->root().Find("a")->text(), "true");
    EXPECT_EQ(document->root().Find("b")->items()[0].line(), 3);
  }
}

TEST(Yaml, TagsHaveToFit) {
  EXPECT_EQ(YamlErrorOf("a: !!int x"), "yaml: cannot decode !!str `x` as a !!int");
  EXPECT_EQ(YamlErrorOf("a: !!bool 1"), "yaml: cannot decode !!int `1` as a !!bool");
  EXPECT_EQ(YamlErrorOf("a: !!int \"\""), "yaml: cannot decode !!null `` as a !!int");
  EXPECT_EQ(YamlErrorOf("{a: !!float 1, b: !!int '3', c: !!str 1, d: !!binary x, e: !other x}"), "parses");
  EXPECT_TRUE(YamlDocument::Parse("a: !!null ''")->root().Find("a")->IsNull());
}

TEST(Yaml, AQuoteThatIsNotClosedIsAnError) {
  for (const auto& [text, line] : {std::pair{"a: \"b\n", 2},
                                   {"x: 1\na: 'b\n", 2},
                                   {"x: 1\na: 'it''s", 2},
                                   {"x: 1\ny: 2\na: \"b\\\"\n\n", 3},
                                   {"x: 1\na: [\"\", !!str \"", 2}}) {
    const auto document = YamlDocument::Parse(text);
    ASSERT_FALSE(document) << text;
    EXPECT_NE(document.error().message().find("found unexpected end of stream"), std::string::npos) << text;
    EXPECT_NE(document.error().message().find("line " + std::to_string(line)), std::string::npos) << text;
  }
  EXPECT_TRUE(YamlDocument::Parse("a: 'it''s'\nb: \"\\\"\"\nc: d'\n"));
}

TEST(Yaml, WhatTheLibraryWouldDropIsAnError) {
  const auto error = [](std::string_view text) {
    const auto document = YamlDocument::Parse(text);
    return document ? "none" : document.error().message();
  };
  EXPECT_EQ(error("- a\nx: 1\n"), "yaml: line 1: did not find expected '-' indicator");
  EXPECT_EQ(error("# c\n- a\n\n# d\nx: 1\n"), "yaml: line 1: did not find expected '-' indicator");
  EXPECT_EQ(error("- a\n---\nx: 1\n"), "none");
  EXPECT_EQ(error("- a\n...\n"), "none");
  EXPECT_EQ(error("- |\n  a\n\n  b\n- c\n# d\n"), "none");
  EXPECT_EQ(error("[a]\n--- b\n"), "none");
  EXPECT_EQ(error("x: 1\nabc\n"), "yaml: line 2: could not find expected ':'");
  EXPECT_EQ(error("x:\n  y: 1\n  abc"), "yaml: line 3: could not find expected ':'");
  EXPECT_EQ(error("x:\nabc :\n\"d\":\ne: ~\nf: {g, h: , i}\n? j\n? k\n"), "none");
  EXPECT_EQ(error("- a:\n  b:\n- [\n  a: b, c\n  ]\n"), "none");
  EXPECT_EQ(error("x: [a, b\n"), "yaml: line 1: did not find expected ',' or ']'");
}

TEST(Yaml, LineBreaksAloneInQuotesAreKept) {
  const auto text = [](std::string_view source) { return YamlDocument::Parse(source)->root().text(); };
  EXPECT_EQ(text("'\n\n'"), "\n");
  EXPECT_EQ(text("\"\n\n  \n \""), "\n\n");
  EXPECT_EQ(text("'\n'"), " ");
  EXPECT_EQ(text("''"), "");
  const auto document = YamlDocument::Parse("é: ''\nb: !!str '\n\n'\nc: [é, \"\n\n\"]\n");
  EXPECT_EQ(document->root().Find("b")->text(), "\n");
  EXPECT_EQ(document->root().Find("c")->items()[1].text(), "\n");
}

TEST(Yaml, HostileDocumentsAreRefusedCheaply) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_EQ(YamlErrorOf(bomb), "yaml: document contains too many nodes");
  EXPECT_NE(YamlErrorOf(std::string(100'000, '[')), "parses");
  EXPECT_NE(YamlErrorOf("a: &a [*a]\n"), "parses");
  EXPECT_EQ(YamlErrorOf("a: b\n", {.max_bytes = 3}), "yaml: document is larger than allowed");
  EXPECT_NE(YamlErrorOf("a: \xff\n"), "parses");
  EXPECT_TRUE(YamlErrorOf("a: b\n c: [\n").starts_with("yaml: line "));
}

TEST(YamlScalar, BooleansAndNumbersAreGoYamls) {
  const auto document = YamlDocument::Parse(
      "[yes, Off, 'true', 1, 0x1F, 0b11, 017, 0o17, 1_000, -5, 1.5, 1e3, .inf, .nan, 18446744073709551615, 2026-01-02, "
      "~, !!str 1, x]");
  ASSERT_TRUE(document.has_value());
  const auto items = document->root().items();
  EXPECT_EQ(YamlBool(items[0]), true);
  EXPECT_EQ(YamlBool(items[1]), false);
  EXPECT_EQ(YamlBool(items[2]), std::nullopt);
  EXPECT_EQ(YamlInt(items[3]), 1);
  EXPECT_EQ(YamlInt(items[4]), 31);
  EXPECT_EQ(YamlInt(items[5]), 3);
  EXPECT_EQ(YamlInt(items[6]), 15);
  EXPECT_EQ(YamlInt(items[7]), 15);
  EXPECT_EQ(YamlInt(items[8]), 1000);
  EXPECT_EQ(YamlInt(items[9]), -5);
  EXPECT_EQ(YamlUint(items[9]), std::nullopt);
  EXPECT_EQ(YamlFloat(items[10]), 1.5);
  EXPECT_EQ(YamlInt(items[11]), 1000);
  EXPECT_TRUE(std::isinf(*YamlFloat(items[12])));
  EXPECT_TRUE(std::isnan(*YamlFloat(items[13])));
  EXPECT_EQ(YamlUint(items[14]), 18446744073709551615u);
  EXPECT_EQ(YamlTag(items[15]), "!!timestamp");
  EXPECT_EQ(YamlTag(items[16]), "!!null");
  EXPECT_EQ(YamlInt(items[17]), std::nullopt);
  EXPECT_EQ(YamlTag(items[18]), "!!str");
}

TEST(YamlReader, CollectsErrorsInGoYamlsWords) {
  const auto document = YamlDocument::Parse("a: localhost:9090\nb: [x]\nfoo: 1\n", DuplicateKeys::kKeep);
  ASSERT_TRUE(document.has_value());
  YamlReader reader;
  std::vector<std::string> strings;
  bool flag = false;
  reader.ReadStrings(*document->root().Find("a"), strings);
  reader.ReadBool(*document->root().Find("b"), flag);
  reader.UnknownField(document->root().entries()[2].key, "config.plain");
  EXPECT_EQ(reader.Finish().error().message(),
            "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `localho...` into []string\n  line 2: cannot "
            "unmarshal !!seq "
            "into bool\n  line 3: field foo not found in type config.plain");
}

TEST(YamlReader, ReadsBinaryText) {
  const auto document = YamlDocument::Parse("a: !!binary aGVsbG8=\nb: !!binary '*'\n");
  YamlReader reader;
  std::string text;
  EXPECT_TRUE(reader.ReadString(*document->root().Find("a"), text));
  EXPECT_EQ(text, "hello");
  EXPECT_FALSE(reader.ReadString(*document->root().Find("b"), text));
  EXPECT_EQ(reader.Finish().error().message(), "yaml: !!binary value contains invalid base64 data");
}

}  // namespace
}  // namespace epi::config
