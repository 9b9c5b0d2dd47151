#include "model/number_format.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace epi {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <void (*Append)(std::string&, double)>
std::string Text(double v) {
  std::string out;
  Append(out, v);
  return out;
}

TEST(NumberFormat, PlainNeverHasAnExponent) {
  EXPECT_EQ(FormatFloatPlain(0), "0");
  EXPECT_EQ(FormatFloatPlain(-0.0), "-0");
  EXPECT_EQ(FormatFloatPlain(1), "1");
  EXPECT_EQ(FormatFloatPlain(-12.5), "-12.5");
  EXPECT_EQ(FormatFloatPlain(0.1), "0.1");
  EXPECT_EQ(FormatFloatPlain(1e-7), "0.0000001");
  EXPECT_EQ(FormatFloatPlain(1e21), "1000000000000000000000");
  // Shortest digits, then zeros: not the exact value of the power of two.
  EXPECT_EQ(FormatFloatPlain(0x1p69), "590295810358705700000");
  EXPECT_EQ(FormatFloatPlain(123456789.125), "123456789.125");
  EXPECT_EQ(FormatFloatPlain(kInf), "+Inf");
  EXPECT_EQ(FormatFloatPlain(-kInf), "-Inf");
  EXPECT_EQ(FormatFloatPlain(std::nan("")), "NaN");
}

TEST(NumberFormat, ExponentAndGeneral) {
  EXPECT_EQ(FormatFloatExponent(1), "1e+00");
  EXPECT_EQ(FormatFloatExponent(0), "0e+00");
  EXPECT_EQ(FormatFloatExponent(1.5e-7), "1.5e-07");
  EXPECT_EQ(FormatFloatExponent(-2.5e100), "-2.5e+100");
  EXPECT_EQ(FormatFloatGeneral(100000), "100000");
  EXPECT_EQ(FormatFloatGeneral(1e6), "1e+06");
  EXPECT_EQ(FormatFloatGeneral(123456789), "1.23456789e+08");
  EXPECT_EQ(FormatFloatGeneral(123456.5), "123456.5");
  EXPECT_EQ(FormatFloatGeneral(0.0001), "0.0001");
  EXPECT_EQ(FormatFloatGeneral(0.00001), "1e-05");
  EXPECT_EQ(FormatFloatGeneral(-0.0), "-0");
}

TEST(NumberFormat, Precision) {
  EXPECT_EQ(FormatFloatPrecision(10, 'f', 3), "10.000");
  EXPECT_EQ(FormatFloatPrecision(1234.5678, 'g', 4), "1235");
  EXPECT_EQ(FormatFloatPrecision(1e10, 'g', 4), "1e+10");
  EXPECT_EQ(FormatFloatPrecision(1.5, 'e', 2), "1.50e+00");
  EXPECT_EQ(FormatFloatPrecision(9.223372036854775808e18, 'f', 6), "9223372036854775808.000000");
}

TEST(NumberFormat, JsonForms) {
  EXPECT_EQ(Text<AppendJsonSampleValue>(1e21), "1e+21");
  EXPECT_EQ(Text<AppendJsonSampleValue>(1e20), "100000000000000000000");
  EXPECT_EQ(Text<AppendJsonSampleValue>(1e-7), "1e-07");
  EXPECT_EQ(Text<AppendJsonSampleValue>(1e-6), "0.000001");
  EXPECT_EQ(Text<AppendJsonSampleValue>(0), "0");
  EXPECT_EQ(Text<AppendJsonNumber>(1e-7), "1e-7");
  EXPECT_EQ(Text<AppendJsonNumber>(1e-10), "1e-10");
  EXPECT_EQ(Text<AppendJsonNumber>(1e21), "1e+21");
  const auto time = [](int64_t ms) {
    std::string out;
    AppendJsonSampleTime(out, ms);
    return out;
  };
  EXPECT_EQ(time(1'435'781'451'781), "1435781451.781");
  EXPECT_EQ(time(1'435'781'451'005), "1435781451.005");
  EXPECT_EQ(time(1'435'781'451'000), "1435781451");
  EXPECT_EQ(time(-1), "-0.001");
  EXPECT_EQ(time(INT64_MIN), "-9223372036854775.808");
}

TEST(NumberFormat, OpenMetricsNumbersAreFloats) {
  EXPECT_EQ(Text<AppendOpenMetricsValue>(1), "1.0");
  EXPECT_EQ(Text<AppendOpenMetricsValue>(0.5), "0.5");
  EXPECT_EQ(Text<AppendOpenMetricsValue>(1e6), "1e+06");
  EXPECT_EQ(Text<AppendOpenMetricsValue>(kInf), "+Inf");
}

TEST(NumberParse, AcceptsWhatGoAccepts) {
  EXPECT_EQ(*ParseGoFloat("1.5e3"), 1500);
  EXPECT_EQ(*ParseGoFloat("+.5"), 0.5);
  EXPECT_EQ(*ParseGoFloat("5."), 5);
  EXPECT_EQ(*ParseGoFloat("0x1p-2"), 0.25);
  EXPECT_EQ(*ParseGoFloat("0X1.8P1"), 3);
  EXPECT_EQ(*ParseGoFloat("-0x_1p4"), -16);
  EXPECT_EQ(*ParseGoFloat("1_23.50_0_0e+1_2"), 1.235e14);
  EXPECT_EQ(*ParseGoFloat("iNf"), kInf);
  EXPECT_EQ(*ParseGoFloat("-infinity"), -kInf);
  EXPECT_TRUE(std::isnan(*ParseGoFloat("NAN")));
  EXPECT_TRUE(std::signbit(*ParseGoFloat("-0")));
  for (const char* bad : {"",     "+",    ".",  "e5", "1e", "1e+",   "0x1",  "0xp1", "1__2",    "_1", "1_",
                          "1_.5", "+nan", "in", "1 ", " 1", "1.2.3", "0x1p", "1f",   "infinit", "--1"}) {
    EXPECT_FALSE(ParseGoFloat(bad)) << bad;
  }
}

TEST(NumberParse, RangeIsReportedAndUnderflowIsZero) {
  bool out_of_range = false;
  EXPECT_EQ(*ParseGoFloat("1e400", &out_of_range), kInf);
  EXPECT_TRUE(out_of_range);
  EXPECT_EQ(*ParseGoFloat("-1e99999999999999", &out_of_range), -kInf);
  EXPECT_TRUE(out_of_range);
  EXPECT_EQ(*ParseGoFloat("1e-400", &out_of_range), 0);
  EXPECT_FALSE(out_of_range);
  EXPECT_EQ(*ParseGoFloat("0e99999", &out_of_range), 0);
  EXPECT_FALSE(out_of_range);
  EXPECT_EQ(*ParseGoFloat("0x1p5000", &out_of_range), kInf);
  EXPECT_EQ(*ParseGoFloat("0x1p-5000", &out_of_range), 0);
  EXPECT_EQ(*ParseGoFloat("5e-324"), 5e-324);
  EXPECT_EQ(ParseGoFloatOrError("1e400").error().message(),
            "strconv.ParseFloat: parsing \"1e400\": value out of range");
  EXPECT_EQ(ParseGoFloatOrError("x").error().message(), "strconv.ParseFloat: parsing \"x\": invalid syntax");
}

TEST(Numbers, EveryFormReadsBackToTheSameBits) {
  SeededRandom seeded(7);
  for (int i = 0; i < 200'000; ++i) {
    const double v = std::bit_cast<double>(seeded.Next());
    if (!std::isfinite(v)) continue;
    for (const std::string& text : {FormatFloatPlain(v), FormatFloatExponent(v), FormatFloatGeneral(v)}) {
      ASSERT_EQ(std::bit_cast<uint64_t>(*ParseGoFloat(text)), std::bit_cast<uint64_t>(v)) << text;
    }
  }
}

}  // namespace
}  // namespace epi
