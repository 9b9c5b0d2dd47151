#include "base/escaping.h"

#include <gtest/gtest.h>

#include <string>

namespace epi {
namespace {

std::string Json(std::string_view text, JsonStyle style) {
  std::string out;
  AppendJsonString(out, text, style);
  return out;
}

TEST(Escaping, QuotedIsStrconvQuote) {
  EXPECT_EQ(Quoted("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\x01\x7f")");
  EXPECT_EQ(Quoted("\xff\xc3"), R"("\xff\xc3")");
  EXPECT_EQ(Quoted("Bj\xc3\xb6rn \xf0\x9f\x98\xb1"), "\"Bj\xc3\xb6rn \xf0\x9f\x98\xb1\"");
  EXPECT_EQ(Quoted("\xc2\xad\xe2\x80\xa8\xf3\xa0\x80\x81"), R"("\u00ad\u2028\U000e0001")");
}

TEST(Escaping, JsonInEachStyle) {
  constexpr std::string_view kText = "a<&>\"\\\n\r\t\b\f\x01\x7f";
  EXPECT_EQ(Json(kText, JsonStyle::kIterator), "\"a<&>\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001\x7f\"");
  EXPECT_EQ(Json(kText, JsonStyle::kIteratorHtml),
            "\"a\\u003c\\u0026\\u003e\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001\x7f\"");
  EXPECT_EQ(Json(kText, JsonStyle::kEncoding), "\"a<&>\\\"\\\\\\n\\r\\t\\b\\f\\u0001\x7f\"");
  EXPECT_EQ(Json(kText, JsonStyle::kEncodingHtml), "\"a\\u003c\\u0026\\u003e\\\"\\\\\\n\\r\\t\\b\\f\\u0001\x7f\"");
}

TEST(Escaping, JsonOfWhatIsNotAscii) {
  constexpr std::string_view kText = "\xc3\xb6\xe2\x80\xa8\xe2\x80\xa9\xff\xc3";
  EXPECT_EQ(Json(kText, JsonStyle::kIterator), "\"" + std::string(kText) + "\"");
  for (const JsonStyle style : {JsonStyle::kIteratorHtml, JsonStyle::kEncoding, JsonStyle::kEncodingHtml})
    EXPECT_EQ(Json(kText, style), "\"\xc3\xb6\\u2028\\u2029\\ufffd\\ufffd\"");
}

TEST(Escaping, Html) {
  EXPECT_EQ(EscapeHtml(std::string_view("<a href=\"x\">'&'\0", 16)),
            "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;\xef\xbf\xbd");
}

}  // namespace
}  // namespace epi
