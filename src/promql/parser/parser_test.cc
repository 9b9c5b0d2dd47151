#include "promql/parser/parser.h"

#include <gtest/gtest.h>

#include "promql/parser/duration_expr.h"
#include "promql/parser/function_signatures.h"
#include "promql/parser/printer.h"

namespace epi::promql {
namespace {

std::string Repeat(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string Printed(std::string_view text) {
  const auto expr = ParseExpr(text, ParseOptions::AllEnabled());
  return expr ? ToString(**expr) : expr.error().message();
}

std::string Message(std::string_view text, const ParseOptions& options = ParseOptions::AllEnabled()) {
  const auto expr = ParseExpr(text, options);
  return expr ? "parsed" : expr.error().message();
}

TEST(Parser, OperatorsBindByPrecedence) {
  const auto shape = [](std::string_view text) {
    const auto expr = ParseExpr(text);
    return expr ? std::string(BinaryOpName((*expr)->As<BinaryExpr>()->op)) : expr.error().message();
  };
  EXPECT_EQ(shape("a or b and c"), "or");
  EXPECT_EQ(shape("a and b == c"), "and");
  EXPECT_EQ(shape("a == b + c"), "==");
  EXPECT_EQ(shape("a + b * c"), "+");
  EXPECT_EQ(shape("a * b ^ c"), "*");
  EXPECT_EQ(shape("-a * b"), "*");
  const auto power = ParseExpr("a ^ b ^ c");
  EXPECT_NE((*power)->As<BinaryExpr>()->rhs->As<BinaryExpr>(), nullptr);
  const auto minus = ParseExpr("a - b - c");
  EXPECT_NE((*minus)->As<BinaryExpr>()->lhs->As<BinaryExpr>(), nullptr);
  EXPECT_NE((*ParseExpr("-2 ^ 2"))->As<UnaryExpr>(), nullptr);
  EXPECT_NE((*ParseExpr("-a offset 5m"))->As<UnaryExpr>(), nullptr);
}

TEST(Parser, OffsetsTakeOneDurationUnlessParenthesised) {
  EXPECT_NE((*ParseExpr("foo offset -2 ^ 2"))->As<BinaryExpr>(), nullptr);
  EXPECT_NE((*ParseExpr("foo offset step() * 2"))->As<BinaryExpr>(), nullptr);
  EXPECT_NE((*ParseExpr("foo offset (2) ^ 2"))->As<VectorSelector>(), nullptr);
  EXPECT_EQ((*ParseExpr("foo offset 1m30s"))->As<VectorSelector>()->time.offset_ms, 90'000);
}

TEST(Parser, NumbersAreGo) {
  const auto value = [](std::string_view text) { return (*ParseExpr(text))->As<NumberLiteral>()->value; };
  EXPECT_EQ(value("010"), 8);
  EXPECT_EQ(value("0x1f"), 31);
  EXPECT_EQ(value("1_000"), 1000);
  EXPECT_EQ(value("09.5"), 9.5);
  EXPECT_EQ(value("5m"), 300);
  EXPECT_EQ(value("1m30ms"), 60.03);
  EXPECT_EQ(value("-1e3"), -1000);
  EXPECT_EQ(Message("0xee"), "1:1: parse error: bad number or duration syntax: \"0xee\"");
}

TEST(Parser, KeywordsAreNamesWhereTheyMayBe) {
  EXPECT_EQ(Printed("sum"), "sum");
  EXPECT_EQ(Printed("by + without"), "by + without");
  EXPECT_EQ(Printed("sum by (sum, on, bool, range) (step)"), "sum by (sum, on, bool, range) (step)");
  EXPECT_EQ(Printed("fill + fill_left"), "fill + fill_left");
  EXPECT_EQ(Printed("SUM BY (a) (x)"), "sum by (a) (x)");
  EXPECT_EQ(Message("bool"), "1:1: parse error: unexpected <bool>");
  EXPECT_EQ(Message("Rate(x[5m])"), "1:1: parse error: unknown function with name \"Rate\"");
}

TEST(Parser, FeaturesAreOffUnlessSwitchedOn) {
  const ParseOptions off;
  EXPECT_EQ(Message("limitk(1, x)", off),
            "1:1: parse error: limitk() is experimental and must be enabled with "
            "--enable-feature=promql-experimental-functions");
  EXPECT_EQ(Message("mad_over_time(x[5m])", off), "1:1: parse error: function \"mad_over_time\" is not enabled");
  EXPECT_EQ(Message("x anchored", off), "1:1: parse error: anchored modifier is experimental and not enabled");
  EXPECT_EQ(Message("a + fill(0) b", off), "1:1: parse error: binop fill modifiers are experimental and not enabled");
  for (const char* text : {"limitk(1, x)", "mad_over_time(x[5m])", "x anchored", "a + fill(0) b"}) {
    EXPECT_EQ(Message(text), "parsed");
  }
}

TEST(Parser, ErrorsNameLineAndColumn) {
  EXPECT_EQ(Message("sum(\n  foo\n  bar)"), "3:3: parse error: unexpected identifier \"bar\" in aggregation");
  EXPECT_EQ(Message("rate(foo)"),
            "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector");
  EXPECT_EQ(Message("foo)"), "1:5: parse error: unexpected right parenthesis ')'");
  EXPECT_EQ(Message("foo[:5m]"), "1:6: parse error: unexpected colon before duration in duration expression");
  EXPECT_EQ(Message("{a=~\"(\"}").substr(0, 17), "1:2: parse error:");
}

TEST(Parser, GroupingLabelsMayBeAnyTextButWithout) {
  EXPECT_EQ(Printed("sum by (a:b, :, bool, by) (x)"), "sum by (\"a:b\", \":\", bool, by) (x)");
  EXPECT_EQ(Printed("x * on (a:b) group_left (:c) y"), "x * on (\"a:b\") group_left (\":c\") y");
  EXPECT_EQ(Message("sum by (a, without) (x)"),
            "1:12: parse error: unexpected <without> in grouping opts, expected label");
  EXPECT_EQ(Printed("without + 1"), "without + 1");
}

TEST(Parser, WhatStandsBehindGroupLeftIsTakenForItsList) {
  EXPECT_EQ(Printed("x * on (a) group_left fill (1) y"), "x * on (a) group_left () fill (1) y");
  EXPECT_EQ(Printed("x * on (a) group_left -y"), "x * on (a) group_left () -y");
  EXPECT_EQ(Message("x * on (a) group_left"),
            "1:22: parse error: unexpected end of input in grouping opts, expected \"(\"");
  EXPECT_EQ(Message("x * on (a) group_right bool y"),
            "1:24: parse error: unexpected <bool> in grouping opts, expected \"(\"");
}

TEST(Parser, DurationsOutOfRangeAreReportedWhereTheyStart) {
  EXPECT_EQ(Message("x offset -1e30"), "1:10: parse error: duration out of range");
  EXPECT_EQ(Message("x offset --1e30"), "1:12: parse error: duration out of range");
  EXPECT_EQ(Message("x offset -(1e30)"), "1:12: parse error: duration out of range");
  EXPECT_EQ(Message("x[-1e30]"), "1:4: parse error: duration out of range");
}

TEST(Parser, AnEmptyTextHasNoPosition) {
  EXPECT_EQ(Message(""), "unknown position: parse error: no expression found in input");
  EXPECT_EQ(Message(" "), "1:1: parse error: no expression found in input");
}

TEST(Parser, DeepAndLongTextsAreRefusedCleanly) {
  EXPECT_NE(Message(Repeat("(", 100'000)).find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message(Repeat("-", 100'000) + "1").find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message(Repeat("sum(", 100'000) + "x").find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message("1" + Repeat("+1", 100'000)).find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message("foo[1m" + Repeat("+1", 100'000) + "]").find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message("foo[" + Repeat("(", 100'000)).find("nested too deeply"), std::string::npos);
  EXPECT_NE(Message("foo" + Repeat("[1m:]", 100'000)).find("subquery is only allowed"), std::string::npos);
  EXPECT_EQ(Message("1" + Repeat("+1", 1900)), "parsed");
  EXPECT_EQ(Message(Repeat("(", 400) + "1" + Repeat(")", 400)), "parsed");
  EXPECT_NE(Message(std::string(5 << 20, ' ')).find("longer than"), std::string::npos);
}

TEST(Parser, WalkSeesEveryNodeParentsFirst) {
  const auto expr = ParseExpr("topk(2, rate(a[5m]) + (b))");
  size_t nodes = 0;
  Walk(**expr, [&](const Expr&) { ++nodes; });
  EXPECT_EQ(nodes, 7u);
}

TEST(Parser, SelectorsOfTheApi) {
  EXPECT_EQ(ParseMetricSelector("up{a=\"b\"}")->size(), 2u);
  EXPECT_FALSE(ParseMetricSelector("up offset 5m"));
  EXPECT_FALSE(ParseMetricSelector("1"));
  EXPECT_EQ(ParseMetricSelectors({"up", "{a!=\"b\"}"}).error().message(),
            "match[] must contain at least one non-empty matcher");
  EXPECT_EQ(ParseMetric("up{a=\"b\"}")->ToMetricString(), "up{a=\"b\"}");
}

TEST(Parser, TruncatedAndChangedTextsNeverCrash) {
  const std::string text =
      "histogram_quantile(0.9, sum by (le, \"a.b\") (rate({\"x.y\", a=~\"b|c\"}[5m:1m + step()] @ end() offset -(2h ^ "
      "1)))) "
      ">= bool on (a) group_left (b) fill (-1) topk(3, foo{a='\\u00e4'} smoothed) # end";
  for (size_t size = 0; size <= text.size(); ++size) {
    ParseExprCollectingErrors(text.substr(0, size), ParseOptions::AllEnabled());
  }
  for (size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      ParseExprCollectingErrors(changed, ParseOptions::AllEnabled());
      static_cast<void>(ParseSeriesDescription(changed, 1000));
      static_cast<void>(ParseMetricSelector(changed));
    }
  }
}

TEST(SeriesDescription, RefusesMoreValuesThanAskedFor) {
  EXPECT_FALSE(ParseSeriesDescription("a 1x18446744073709551615", 1000));
  EXPECT_FALSE(ParseSeriesDescription("a _x5000", 1000));
  EXPECT_EQ(ParseSeriesDescription("a _x1000", 1000)->values.size(), 1000u);
}

TEST(SeriesDescription, HistogramHintsAreKnownToBeWritten) {
  const auto series =
      ParseSeriesDescription("a {{counter_reset_hint:gauge}} {{count:1}}+{{counter_reset_hint:gauge}}x1");
  ASSERT_TRUE(series) << series.error().message();
  ASSERT_EQ(series->values.size(), 3u);
  EXPECT_TRUE(series->values[0].counter_reset_hint_set);
  EXPECT_TRUE(series->values[1].counter_reset_hint_set);
  EXPECT_FALSE(ParseSeriesDescription("a {{count:1}}")->values[0].counter_reset_hint_set);
}

TEST(Functions, AreFoundByName) {
  EXPECT_EQ(Functions().size(), 90u);
  for (const Function& function : Functions()) {
    EXPECT_EQ(FindFunction(function.name), &function);
    EXPECT_EQ(&GetFunction(function.id), &function);
  }
  EXPECT_EQ(FindFunction("ABS"), nullptr);
  EXPECT_EQ(FindFunction("zzz"), nullptr);
}

TEST(Durations, AreResolvedInPlaceAndStillPrint) {
  const auto expr = ParseExpr("rate(foo[step() * 2] offset -(range()))");
  ASSERT_TRUE(ResolveDurations(**expr, {15'000, 60'000}));
  const auto* matrix = (*expr)->As<Call>()->args[0]->As<MatrixSelector>();
  EXPECT_EQ(matrix->range_ms, 30'000);
  EXPECT_EQ(matrix->selector.time.offset_ms, -60'000);
  EXPECT_EQ(ToString(**expr), "rate(foo[step() * 2] offset -(range()))");
  EXPECT_FALSE(ResolveDurations(**ParseExpr("foo[step()]"), {0, 0}));
}

TEST(PrettyPrinter, RefusesOutputBeyondItsLimit) {
  const std::string text = Repeat("abs(", 400) + "x" + Repeat(")", 400);
  EXPECT_FALSE(ToPrettyString(**ParseExpr(text), 100, 10'000));
  EXPECT_TRUE(ToPrettyString(**ParseExpr(text), 100));
}

}  // namespace
}  // namespace epi::promql
