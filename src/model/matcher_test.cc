#include "model/matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "base/random.h"
#include "model/anchored_regex.h"
#include "testing/conformance.h"

namespace epi {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

MatchType TypeOf(const std::string& symbol) {
  for (const MatchType type : {MatchType::kEqual, MatchType::kNotEqual, MatchType::kRegexp, MatchType::kNotRegexp}) {
    if (MatchTypeSymbol(type) == symbol) return type;
  }
  ADD_FAILURE() << symbol;
  return MatchType::kEqual;
}

std::shared_ptr<const AnchoredRegex> Regex(std::string_view pattern,
                                           AnchoredRegex::Form form = AnchoredRegex::Form::kMatcher) {
  auto regex = AnchoredRegex::Compile(pattern, form);
  EXPECT_TRUE(regex.has_value()) << pattern << ": " << (regex ? "" : regex.error().message());
  return regex ? *regex : nullptr;
}

std::string ErrorOf(std::string_view pattern, AnchoredRegex::Form form = AnchoredRegex::Form::kMatcher) {
  const auto regex = AnchoredRegex::Compile(pattern, form);
  return regex ? "compiles" : regex.error().message();
}

TEST(MatcherConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "labels/matcher.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    const MatchType type = TypeOf(test.at("op"));
    const auto matcher = Matcher::Make(type, "name", test.value("pattern", "x"));
    ASSERT_TRUE(matcher.has_value());
    if (kind == "match") {
      EXPECT_EQ(matcher->Matches(test.at("value").get<std::string>()), test.at("expected").get<bool>());
    } else if (kind == "inverse_op") {
      EXPECT_EQ(MatchTypeSymbol(matcher->Inverse().type()), test.at("expected").get<std::string>());
    } else {
      ASSERT_EQ(kind, "prefix");
      EXPECT_EQ(matcher->Prefix(), test.at("prefix").get<std::string>());
    }
  }
}

TEST(RegexConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "labels/regexp.json");
  const auto values = data.at("values").get<std::vector<std::string>>();
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    const auto regex = Regex(test.at("pattern").get<std::string>());
    ASSERT_NE(regex, nullptr);
    if (kind == "match_matrix") {
      const std::string matches = test.at("matches");
      for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(regex->Matches(values[i]), matches[i] == '1') << values[i];
    } else if (kind == "match_lists" || kind == "literal_set") {
      for (const auto& text : test.value("matches", nlohmann::json::array()))
        EXPECT_TRUE(regex->Matches(text.get<std::string>())) << text;
      for (const auto& text : test.value("not_matches", nlohmann::json::array())) {
        EXPECT_FALSE(regex->Matches(text.get<std::string>())) << text;
      }
    } else if (kind == "set_matches" && test.at("case_sensitive").get<bool>()) {
      EXPECT_THAT(regex->set_matches(), ElementsAreArray(test.at("set").get<std::vector<std::string>>()));
    } else if (kind == "set_matches") {
      EXPECT_THAT(regex->set_matches(), IsEmpty());
    }
  }
}

TEST(AnchoredRegex, ErrorTextsAreGos) {
  EXPECT_EQ(ErrorOf("foo("), "error parsing regexp: missing closing ): `foo(`");
  EXPECT_EQ(ErrorOf("foo)"), "error parsing regexp: unexpected ): `foo)`");
  EXPECT_EQ(ErrorOf("a[b"), "error parsing regexp: missing closing ]: `[b`");
  EXPECT_EQ(ErrorOf("a**"), "error parsing regexp: invalid nested repetition operator: `**`");
  EXPECT_EQ(ErrorOf("*a"), "error parsing regexp: missing argument to repetition operator: `*`");
  EXPECT_EQ(ErrorOf("a{1001}"), "error parsing regexp: invalid repeat count: `{1001}`");
  EXPECT_EQ(ErrorOf("a\\"), "error parsing regexp: trailing backslash at end of expression: ``");
  EXPECT_EQ(ErrorOf("[z-a]"), "error parsing regexp: invalid character class range: `z-a`");
  EXPECT_EQ(ErrorOf("\\8"), "error parsing regexp: invalid escape sequence: `\\8`");
  EXPECT_EQ(ErrorOf("a\\C"), "error parsing regexp: invalid escape sequence: `\\C`");
  EXPECT_EQ(ErrorOf("(?=a)"), "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
  EXPECT_EQ(ErrorOf("(?<a b>c)"), "error parsing regexp: invalid named capture: `(?<a b>`");
  EXPECT_EQ(ErrorOf("foo(", AnchoredRegex::Form::kWrapped), "error parsing regexp: missing closing ): `^(?s:foo()$`");
  EXPECT_EQ(ErrorOf("\xff"), "error parsing regexp: invalid UTF-8: `\xff`");
  EXPECT_EQ(ErrorOf("a\xc3\xa4\xff.*"), "error parsing regexp: invalid UTF-8: `\xff.*`");
}

TEST(AnchoredRegex, SetsAndPrefixes) {
  EXPECT_THAT(Regex("a|b|")->set_matches(), ElementsAre("a", "b", ""));
  EXPECT_THAT(Regex("https?")->set_matches(), ElementsAre("https", "http"));
  EXPECT_THAT(Regex("a\\.b")->set_matches(), ElementsAre("a.b"));
  EXPECT_THAT(Regex("(?i)a|b")->set_matches(), IsEmpty());
  EXPECT_EQ(Regex("ab(c|d).*")->prefix(), "ab");
  EXPECT_EQ(Regex("(?i)ab.*")->prefix(), "");
  EXPECT_EQ(Regex("ab+")->prefix(), "ab");
  EXPECT_EQ(Regex("ab*")->prefix(), "a");
}

TEST(AnchoredRegex, FoldsLettersBeyondAscii) {
  EXPECT_TRUE(Regex("(?i)k.*")->Matches("\u212aelvin"));  // the Kelvin sign
  EXPECT_TRUE(Regex("(?i)s.*")->Matches("\u017fome"));    // long s
  EXPECT_FALSE(Regex("(?i)k.*")->Matches("xK"));
}

TEST(AnchoredRegex, ExpandsAsGoDoes) {
  std::string out;
  const auto regex = Regex("(?P<first>[^-]+)-(.*)", AnchoredRegex::Form::kWrapped);
  ASSERT_TRUE(regex->Expand("ab-cd", "$2-${1}x-$first-${first}-$$-$-$0-$9-$1x-${", out));
  EXPECT_EQ(out, "cd-abx-ab-ab-$-$-ab-cd---${");
  out = "kept";
  EXPECT_FALSE(regex->Expand("abcd", "$1", out));
  EXPECT_EQ(out, "kept");
  ASSERT_TRUE(Regex("(.*)")->Expand("any\ntext", "<$1>", out));
  EXPECT_EQ(out, "<any\ntext>");
  ASSERT_TRUE(Regex("a|b")->Expand("b", "$0$1$x", out));
  EXPECT_EQ(out, "b");
  ASSERT_TRUE(Regex("(a)|(b)")->Expand("b", "[$1][$2]", out));
  EXPECT_EQ(out, "[][b]");
}

TEST(AnchoredRegex, UnbalancedPatternsInsideTheWrapping) {
  const auto regex = Regex("a)|(b", AnchoredRegex::Form::kWrapped);
  EXPECT_TRUE(regex->Matches("axx"));  // ^(?s:a) or (b)$
  EXPECT_TRUE(regex->Matches("xxb"));
  EXPECT_FALSE(regex->Matches("xx"));
}

TEST(AnchoredRegex, LongLiteralListsStaySets) {
  std::string pattern;
  for (int i = 0; i < 3000; ++i) pattern += (i == 0 ? "" : "|") + ("pod-" + std::to_string(i));
  const auto regex = Regex(pattern);
  EXPECT_EQ(regex->set_matches().size(), 3000u);
  EXPECT_EQ(regex->prefix(), "pod-");
  EXPECT_TRUE(regex->Matches("pod-2999"));
  EXPECT_FALSE(regex->Matches("pod-3000"));
  // As many as info() makes of its targets.
  while (pattern.size() < 2'000'000) pattern += "|" + std::to_string(pattern.size());
  const auto longer = Regex(pattern);
  EXPECT_GT(longer->set_matches().size(), 200'000u);
  EXPECT_TRUE(longer->Matches("pod-2999"));
}

// The shortcuts against RE2 itself, over patterns built from the pieces they look for.
TEST(AnchoredRegex, ShortcutsAgreeWithTheAutomaton) {
  constexpr const char* kPieces[] = {"a",    "b",    "ab",    ".*",  ".+",  ".?", "(a|b)", "(?i:aK)", "[ab]", "[^a]",
                                     "a?",   "|",    "^",     "$",   "b*",  "k",  "a+",    "\\.",     "(?i)", "(|a)",
                                     "a{2}", ".{1}", "(?:b)", "\\w", "x|b", "()", "-",     ".*"};
  constexpr const char* kTexts[] = {"a", "b", "k", "K", "\u212a", ".", "-", "x", "\n", "A", "é", "ab"};
  SeededRandom dice(7);
  int compiled = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string pattern;
    for (uint64_t i = dice.Below(6) + 1; i > 0; --i) pattern += kPieces[dice.Below(std::size(kPieces))];
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 oracle("^(?s:" + pattern + ")$", options);
    const auto regex = AnchoredRegex::Compile(pattern);
    ASSERT_EQ(regex.has_value(), oracle.ok()) << pattern;
    if (!regex) continue;
    ++compiled;
    for (int text_round = 0; text_round < 12; ++text_round) {
      std::string text;
      for (uint64_t i = dice.Below(6); i > 0; --i) text += kTexts[dice.Below(std::size(kTexts))];
      ASSERT_EQ((*regex)->Matches(text), RE2::PartialMatch(text, oracle)) << pattern << " on " << text;
      ASSERT_TRUE(!(*regex)->Matches(text) || text.starts_with((*regex)->prefix())) << pattern << " on " << text;
      const auto& set = (*regex)->set_matches();
      if (!set.empty()) {
        ASSERT_EQ(std::find(set.begin(), set.end(), text) != set.end(), (*regex)->Matches(text))
            << pattern << " on " << text;
      }
    }
  }
  EXPECT_GT(compiled, 1000);
}

TEST(Matcher, PrintsAsPromqlDoes) {
  EXPECT_EQ(Matcher::Equal("a", "x\"y").ToString(), "a=\"x\\\"y\"");
  EXPECT_EQ(Matcher::Make(MatchType::kNotRegexp, "a.b", "x.*")->ToString(), "\"a.b\"!~\"x.*\"");
  EXPECT_TRUE(Matcher::Make(MatchType::kRegexp, "a", ".*")->MatchesEmpty());
  EXPECT_FALSE(Matcher::Make(MatchType::kRegexp, "a", ".+")->MatchesEmpty());
}

TEST(Matcher, OneOfIsItsAlternation) {
  const std::vector<std::string> values = {"", "a", "a.c", "a|b", "10.0.0.1:80", "\\d+", "ü"};
  const Matcher one_of = Matcher::OneOf("x", values);
  const Matcher same = Matcher::Make(MatchType::kRegexp, "x", one_of.value()).value();
  EXPECT_EQ(one_of, same);
  for (const std::string& value : values) EXPECT_TRUE(one_of.Matches(value) && same.Matches(value)) << value;
  for (const char* other : {"b", "abc", "10x0.0.1:80", "7", "aa"})
    EXPECT_FALSE(one_of.Matches(other) || same.Matches(other)) << other;
  EXPECT_TRUE(one_of.Inverse().Matches("b"));
  EXPECT_FALSE(one_of.Inverse().Matches("a.c"));
  EXPECT_EQ(std::vector<std::string>(one_of.SetMatches().begin(), one_of.SetMatches().end()), values);
  EXPECT_EQ(Matcher::OneOf("x", {"a", "b.c"}).ToString(), R"(x=~"a|b\\.c")");
}

}  // namespace
}  // namespace epi
