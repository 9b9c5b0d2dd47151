#include "model/search_regex.h"

#include <gtest/gtest.h>

namespace epi {
namespace {

std::string Replaced(std::string_view pattern, std::string_view replacement, std::string_view text) {
  return *(*SearchRegex::Compile(pattern))->ReplaceAll(text, replacement, 1000);
}

TEST(SearchRegex, ReplacesAsGoDoes) {
  EXPECT_EQ(Replaced("(a)b", "x$1", "ab"), "xa");
  EXPECT_EQ(Replaced("a", "$$", "aba"), "$b$");
  EXPECT_EQ(Replaced("(?P<x>b)", "<${x}${1}${y}>", "abc"), "a<bb>c");
  EXPECT_EQ(Replaced("a*", "-", "baac"), "-b-c-");
  EXPECT_EQ(Replaced("", "-", "ab"), "-a-b-");
  EXPECT_EQ(Replaced("b", "$1x$", "abc"), "a$c");
  EXPECT_EQ(Replaced("x", "y", "abc"), "abc");
}

TEST(SearchRegex, MatchesAnywhere) {
  EXPECT_TRUE((*SearchRegex::Compile("b+"))->Matches("abbc"));
  EXPECT_FALSE((*SearchRegex::Compile("^b"))->Matches("ab"));
  EXPECT_FALSE((*SearchRegex::Compile("a.b"))->Matches("a\nb"));
  EXPECT_EQ(SearchRegex::Compile("(").error().message(), "error parsing regexp: missing closing ): `(`");
}

TEST(SearchRegex, OutputIsBounded) {
  EXPECT_FALSE((*SearchRegex::Compile(""))->ReplaceAll(std::string(100, 'a'), std::string(100, 'b'), 1000));
}

}  // namespace
}  // namespace epi
