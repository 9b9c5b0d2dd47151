#include "net/url.h"

#include <gtest/gtest.h>

namespace epi::net {
namespace {

TEST(Url, PartsAndPrinting) {
  const auto url = ParseUrl("HTTPS://us%20er:pa@[::1]:8443/a%2Fb/c?x=1&y#frag%20ment").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.userinfo, "us%20er:pa");
  EXPECT_EQ(url.host, "[::1]:8443");
  EXPECT_EQ(url.Hostname(), "::1");
  EXPECT_EQ(url.Port(), "8443");
  EXPECT_EQ(url.path, "/a/b/c");
  EXPECT_EQ(url.raw_query, "x=1&y");
  EXPECT_EQ(url.fragment, "frag ment");
  EXPECT_EQ(url.ToString(), "https://us%20er:pa@[::1]:8443/a%2Fb/c?x=1&y#frag%20ment");
  EXPECT_EQ(ParseUrl("http://h/${1}").value().ToString(), "http://h/$%7B1%7D");  // no path holds a brace as it stands
  EXPECT_EQ(ParseUrl("http://").value().ToString(), "http:");
  EXPECT_EQ(ParseUrl("a%3Ab{/c").value().ToString(), "./a:b%7B/c");  // not of scheme a
  Url odd;
  odd.scheme = "http";
  odd.has_authority = true;
  odd.host = " a|b%c\xc3\xbc<d>:1";
  EXPECT_EQ(odd.ToString(), "http://%20a%7Cb%25c%C3%BC<d>:1");
  odd.host = "[fe80::1%25eth0]:1";
  EXPECT_EQ(odd.ToString(), "http://[fe80::1%25eth0]:1");
  EXPECT_EQ(ParseUrl("http://h").value().EffectivePort(), "80");
  EXPECT_EQ(ParseUrl("mailto:x@y").value().opaque, "x@y");
  EXPECT_EQ(ParseUrl("/only/path").value().path, "/only/path");
}

TEST(Url, ErrorsAsGoWordsThem) {
  struct Case {
    std::string_view text, error;
  };
  const Case cases[] = {
      {"http://[::1", "parse \"http://[::1\": missing ']' in host"},
      {":foo", "parse \":foo\": missing protocol scheme"},
      {"http://a b/", "parse \"http://a b/\": invalid character \" \" in host name"},
      {"http://h:x/", "parse \"http://h:x/\": invalid port \":x\" after host"},
      {"http://[%]/", "parse \"http://[%]/\": invalid URL escape \"%]\""},
      {"http://[\xe6]/", "parse \"http://[\\xe6]/\": invalid character \"\\xe6\" in host name"},
      {"http://[t`x]/", "parse \"http://[t`x]/\": invalid character \"`\" in host name"},
      {"http://h/%zz", "parse \"http://h/%zz\": invalid URL escape \"%zz\""},
      {"1:2", "parse \"1:2\": first path segment in URL cannot contain colon"},
      {"http://h/\n", "parse \"http://h/\\n\": net/url: invalid control character in URL"},
  };
  for (const auto& c : cases) {
    const auto url = ParseUrl(c.text);
    ASSERT_FALSE(url.has_value()) << c.text;
    EXPECT_EQ(url.error().message(), c.error);
  }
}

TEST(Url, ResolvesAsRfc3986) {
  const auto base = ParseUrl("http://a/b/c/d?q").value();
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"https://x/y/../z", "https://x/z"},
  };
  for (const auto& [reference, want] : cases)
    EXPECT_EQ(ResolveReference(base, ParseUrl(reference).value()).ToString(), want) << reference;
}

TEST(Url, CleanPath) {
  const std::pair<const char*, const char*> cases[] = {{"", "/"},          {"/", "/"},           {"//a//b/", "/a/b/"},
                                                       {"/a/./b", "/a/b"}, {"/a/../../b", "/b"}, {"a", "/a"},
                                                       {"/a/..", "/"},     {"/a/b/.", "/a/b/"}};
  for (const auto& [path, want] : cases) EXPECT_EQ(CleanPath(path), want) << path;
}

TEST(Url, Queries) {
  std::string error;
  const auto params = ParseQueryString("a=1&b=%20+&a=2&c&&=x&bad=%z&d;e=1", &error);
  const QueryParams want = {{"a", "1"}, {"b", "  "}, {"a", "2"}, {"c", ""}, {"", "x"}};
  EXPECT_EQ(params, want);
  EXPECT_EQ(error, "invalid URL escape \"%z\"");
  EXPECT_EQ(EncodeQueryString({{"a b", "&="}, {"ü", "~"}}), "a+b=%26%3D&%C3%BC=~");
  EXPECT_EQ(EscapePathSegment("a/b c"), "a%2Fb%20c");
}

}  // namespace
}  // namespace epi::net
