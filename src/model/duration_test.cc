#include "model/duration.h"

#include <gtest/gtest.h>

#include "testing/conformance.h"

namespace epi {
namespace {

using nlohmann::json;

TEST(DurationConformance, ParsedAndPrinted) {
  EPI_CONFORMANCE_OR_SKIP(data, "duration/duration.json");
  int checked = 0;
  for (const json& test : data.at("cases")) {
    const std::string kind = test.at("kind");
    if (kind != "promql_duration" && kind != "yaml_duration" && kind != "json_duration") continue;
    SCOPED_TRACE(test.at("id").get<std::string>());
    ++checked;
    std::string input = test.at("input");
    std::string printed = test.value("printed", "");
    if (kind == "json_duration") {
      input = json::parse(input).get<std::string>();
      printed = json::parse(printed).get<std::string>();
    }
    const auto got = test.value("allow_negative", false) ? ParseDurationAllowNegative(input) : ParseDuration(input);
    ASSERT_EQ(got.has_value(), test.at("result") == "ok");
    if (!got) continue;
    EXPECT_EQ(*got, test.at("ms").get<int64_t>());
    EXPECT_EQ(FormatDuration(*got), printed);
  }
  EXPECT_GT(checked, 50);
}

TEST(Duration, ErrorsAreThoseOfPrometheus) {
  EXPECT_EQ(ParseDuration("").error().message(), "empty duration string");
  EXPECT_EQ(ParseDuration("5m1h").error().message(), "not a valid duration string: \"5m1h\"");
  EXPECT_EQ(ParseDuration("5x").error().message(), "unknown unit \"x\" in duration \"5x\"");
  EXPECT_EQ(ParseDuration("300y").error().message(), "duration out of range");
  EXPECT_EQ(ParseDuration("18446744073709551615ms").error().message(), "duration out of range");
  EXPECT_EQ(ParseDuration("18446744073709551616ms").error().message(),
            "not a valid duration string: \"18446744073709551616ms\"");
}

TEST(Duration, EveryRoundTripIsExact) {
  for (int64_t ms : {1LL, 999LL, 1000LL, 61'001LL, 86'400'000LL, 604'800'000LL, 31'536'000'000LL, 31'536'000'001LL,
                     9'223'372'036'854LL}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(ms)), ms);
    EXPECT_EQ(*ParseDurationAllowNegative(FormatDuration(-ms)), -ms);
  }
}

TEST(GoDuration, PrintsAsGo) {
  EXPECT_EQ(FormatGoDuration(0), "0s");
  EXPECT_EQ(FormatGoDuration(1), "1ns");
  EXPECT_EQ(FormatGoDuration(1100), "1.1\xc2\xb5s");
  EXPECT_EQ(FormatGoDuration(2'200'000), "2.2ms");
  EXPECT_EQ(FormatGoDuration(3'300'000'000), "3.3s");
  EXPECT_EQ(FormatGoDuration(245'000'000'000), "4m5s");
  EXPECT_EQ(FormatGoDuration(245'001'000'000), "4m5.001s");
  EXPECT_EQ(FormatGoDuration(18'367'001'000'000), "5h6m7.001s");
  EXPECT_EQ(FormatGoDuration(480'000'000'001), "8m0.000000001s");
  EXPECT_EQ(FormatGoDuration(INT64_MAX), "2562047h47m16.854775807s");
  EXPECT_EQ(FormatGoDuration(INT64_MIN), "-2562047h47m16.854775808s");
}

TEST(GoDuration, ParsesAsGo) {
  for (int64_t ns : {1LL, 1100LL, 2'200'000LL, 3'300'000'000LL, 18'367'001'000'000LL, 9'223'372'036'854'775'807LL}) {
    EXPECT_EQ(*ParseGoDuration(FormatGoDuration(ns)), ns);
    EXPECT_EQ(*ParseGoDuration(FormatGoDuration(-ns)), -ns);
  }
  EXPECT_EQ(*ParseGoDuration(FormatGoDuration(INT64_MIN)), INT64_MIN);
  EXPECT_EQ(*ParseGoDuration("+1.5h"), 5'400'000'000'000);
  EXPECT_EQ(*ParseGoDuration(".5s"), 500'000'000);
  EXPECT_EQ(*ParseGoDuration("0"), 0);
  for (const char* bad : {"", "3", "-", "s", ".", "-.", ".s", "3000000h", "9223372036854775808ns", "1d"}) {
    EXPECT_FALSE(ParseGoDuration(bad)) << bad;
  }
  EXPECT_EQ(ParseGoDuration("1d").error().message(), "time: unknown unit \"d\" in duration \"1d\"");
  EXPECT_EQ(ParseGoDuration("3").error().message(), "time: missing unit in duration \"3\"");
  EXPECT_EQ(ParseGoDuration("x").error().message(), "time: invalid duration \"x\"");
}

}  // namespace
}  // namespace epi
