#include "config/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi::config {
namespace {

using ::testing::ElementsAre;

TEST(MatchGlob, IsGosMatch) {
  struct Case {
    const char* pattern;
    const char* name;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"abc", "abc", true},
      {"*", "abc", true},
      {"*c", "abc", true},
      {"a*", "ab/c", false},
      {"a*/b", "abc/b", true},
      {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
      {"a*b?c*x", "abxbbxdbxebxczzx", true},
      {"a*b?c*x", "abxbbxdbxebxczzy", false},
      {"ab[c]", "abc", true},
      {"ab[b-d]", "abc", true},
      {"ab[e-g]", "abc", false},
      {"ab[^c]", "abc", false},
      {"ab[^e-g]", "abc", true},
      {"a\\*b", "a*b", true},
      {"a?b", "aéb", true},
      {"a[^a]b", "aéb", true},
      {"a?b", "a/b", false},
      {"*x", "xxx", true},
      {"[\\]a]", "]", true},
  };
  for (const auto& test : kCases)
    EXPECT_EQ(MatchGlob(test.pattern, test.name).value(), test.matches) << test.pattern << " " << test.name;
  for (const char* pattern : {"[", "[^", "[^bc", "a[", "[-]", "[x-]", "\\", "[]a]"}) {
    EXPECT_FALSE(MatchGlob(pattern, "a").has_value()) << pattern;
  }
}

TEST(Glob, FindsFilesInOrder) {
  const epi::testing::TempDir directory;
  auto& files = PosixFileSystem();
  for (const char* name : {"b.yml", "a.yml", "a.json"})
    ASSERT_TRUE(files.WriteFileAtomically(JoinPath(directory.path(), name), "x"));
  ASSERT_TRUE(files.CreateDirectories(JoinPath(directory.path(), "sub")));
  ASSERT_TRUE(files.WriteFileAtomically(JoinPath(directory.path(), "sub/c.yml"), "x"));
  const auto path = [&](const char* name) { return JoinPath(directory.path(), name); };
  EXPECT_THAT(Glob(files, path("*.yml")).value(), ElementsAre(path("a.yml"), path("b.yml")));
  EXPECT_THAT(Glob(files, path("s*/*.yml")).value(), ElementsAre(path("sub/c.yml")));
  EXPECT_THAT(Glob(files, path("a.yml")).value(), ElementsAre(path("a.yml")));
  EXPECT_TRUE(Glob(files, path("none*")).value().empty());
  EXPECT_TRUE(Glob(files, path("nodir/*")).value().empty());
  EXPECT_EQ(Glob(files, path("[")).error().message(), "syntax error in pattern");
}

TEST(IsAllowedPathPattern, OnlyTheLastElementMayHaveAStar) {
  EXPECT_TRUE(IsAllowedPathPattern("my/*.rules"));
  EXPECT_TRUE(IsAllowedPathPattern("plain"));
  EXPECT_FALSE(IsAllowedPathPattern("my/*/rule"));
}

}  // namespace
}  // namespace epi::config
