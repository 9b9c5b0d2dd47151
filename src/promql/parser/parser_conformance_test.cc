#include <gtest/gtest.h>

#include <cmath>

#include "model/histogram_format.h"
#include "model/number_format.h"
#include "promql/parser/duration_expr.h"
#include "promql/parser/function_signatures.h"
#include "promql/parser/lexer.h"
#include "promql/parser/parser.h"
#include "promql/parser/printer.h"
#include "testing/conformance.h"

namespace epi::promql {
namespace {

using ::epi::testing::ConformanceText;
using nlohmann::json;

ParseOptions OptionsOf(const json& file, const json& test) {
  json options = file.value("options", json::object());
  options.update(test.value("options", json::object()));
  ParseOptions out;
  out.experimental_functions = options.value("experimental_functions", false);
  out.extended_range_selectors = options.value("extended_range_selectors", false);
  out.binop_fill_modifiers = options.value("binop_fill_modifiers", false);
  return out;
}

json NumberJson(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-Inf" : "+Inf";
  if (v == 0 && std::signbit(v)) return "-0";
  return v;
}

// The tree in the terms of the conformance data.
class TreeJson {
 public:
  static json Of(const Expr& expr) {
    json out = std::visit([](const auto& node) { return Node(node); }, expr.node);
    out["PosRange"] = {expr.pos.start, expr.pos.end};
    out["EndPos"] = expr.pos.end;
    if (expr.As<UnaryExpr>() != nullptr) out["StartPos"] = expr.pos.start;
    return out;
  }

 private:
  static json Of(const ExprPtr& expr) { return expr == nullptr ? json() : Of(*expr); }
  static json Of(const DurationExprPtr& expr) {
    if (expr == nullptr) return {};
    if (expr->op == DurationExpr::Op::kNumber) {
      return {{"type", "NumberLiteral"},
              {"Val", NumberJson(expr->value)},
              {"Duration", expr->is_duration},
              {"PosRange", {expr->pos.start, expr->pos.end}}};
    }
    return {{"type", "DurationExpr"}, {"Op", DurationOpName(expr->op)}, {"LHS", Of(expr->lhs)},
            {"RHS", Of(expr->rhs)},   {"Wrapped", expr->wrapped},       {"StartPos", expr->pos.start},
            {"EndPos", expr->pos.end}};
  }
  static void AddTime(json& out, const TimeModifiers& time) {
    out["OriginalOffset"] = time.offset_ms;
    out["OriginalOffsetExpr"] = Of(time.offset_expr);
    if (time.timestamp_ms) out["Timestamp"] = *time.timestamp_ms;
    if (time.at != AtPreprocessor::kNone) out["StartOrEnd"] = time.at == AtPreprocessor::kStart ? "start" : "end";
  }
  static json Node(const NumberLiteral& n) {
    return {{"type", "NumberLiteral"}, {"Val", NumberJson(n.value)}, {"Duration", n.is_duration}};
  }
  static json Node(const StringLiteral& n) { return {{"type", "StringLiteral"}, {"Val", n.value}}; }
  static json Node(const VectorSelector& n) {
    json out = {{"type", "VectorSelector"},
                {"Name", n.name},
                {"Anchored", n.anchored},
                {"Smoothed", n.smoothed},
                {"BypassEmptyMatcherCheck", n.is_info_labels}};
    out["LabelMatchers"] = json::array();
    for (const Matcher& m : n.matchers) {
      out["LabelMatchers"].push_back({{"name", m.name()}, {"op", MatchTypeSymbol(m.type())}, {"value", m.value()}});
    }
    AddTime(out, n.time);
    return out;
  }
  static json Node(const MatrixSelector& n) {
    json selector = Node(n.selector);
    selector["PosRange"] = {n.selector_pos.start, n.selector_pos.end};
    return {{"type", "MatrixSelector"},
            {"VectorSelector", selector},
            {"Range", n.range_ms},
            {"RangeExpr", Of(n.range_expr)}};
  }
  static json Node(const Subquery& n) {
    json out = {{"type", "SubqueryExpr"},        {"Expr", Of(n.expr)}, {"Range", n.range_ms},
                {"RangeExpr", Of(n.range_expr)}, {"Step", n.step_ms},  {"StepExpr", Of(n.step_expr)}};
    AddTime(out, n.time);
    return out;
  }
  static json Node(const ParenExpr& n) { return {{"type", "ParenExpr"}, {"Expr", Of(n.expr)}}; }
  static json Node(const UnaryExpr& n) {
    return {{"type", "UnaryExpr"}, {"Op", n.op == UnaryOp::kMinus ? "-" : "+"}, {"Expr", Of(n.expr)}};
  }
  static json Node(const BinaryExpr& n) {
    json out = {{"type", "BinaryExpr"},
                {"Op", BinaryOpName(n.op)},
                {"LHS", Of(n.lhs)},
                {"RHS", Of(n.rhs)},
                {"ReturnBool", n.return_bool}};
    if (n.matching != nullptr) {
      json matching = {{"type", "VectorMatching"},
                       {"MatchingLabels", n.matching->labels},
                       {"On", n.matching->on},
                       {"Include", n.matching->include}};
      matching["Card"] = MatchCardinalityName(n.matching->card);
      if (n.matching->fill_left) matching["FillValues"]["LHS"] = NumberJson(*n.matching->fill_left);
      if (n.matching->fill_right) matching["FillValues"]["RHS"] = NumberJson(*n.matching->fill_right);
      out["VectorMatching"] = matching;
    }
    return out;
  }
  static json Node(const AggregateExpr& n) {
    return {{"type", "AggregateExpr"}, {"Op", AggregateOpName(n.op)}, {"Expr", Of(n.expr)},
            {"Param", Of(n.param)},    {"Grouping", n.grouping},      {"Without", n.without}};
  }
  static json Node(const Call& n) {
    json out = {{"type", "Call"}, {"Func", n.function->name}, {"Args", json::array()}};
    for (const ExprPtr& arg : n.args) out["Args"].push_back(Of(arg));
    return out;
  }
};

bool IsZero(const json& v) {
  return v.is_null() || v == 0 || v == false || v == "" || v == "one-to-one" || (v.is_structured() && v.empty());
}

bool IsPosition(const std::string& key) { return key == "PosRange" || key == "StartPos" || key == "EndPos"; }

// Every expected field is there; what is not expected is zero. Positions count where the data has them.
::testing::AssertionResult Matches(const json& want, const json& got, const std::string& path) {
  if (want.is_object() && want.contains("_base64")) return Matches(ConformanceText(want), got, path);
  if (want.is_object() && got.is_object()) {
    for (const auto& [key, value] : want.items()) {
      if (IsZero(value) && !got.contains(key)) continue;
      const auto result = Matches(value, got.value(key, json()), path + "." + key);
      if (!result) return result;
    }
    for (const auto& [key, value] : got.items()) {
      if (want.contains(key) || IsPosition(key) || IsZero(value)) continue;
      return ::testing::AssertionFailure() << path << "." << key << " is " << value.dump() << ", expected none";
    }
    return ::testing::AssertionSuccess();
  }
  if (want.is_array() && got.is_array() && want.size() == got.size()) {
    for (size_t i = 0; i < want.size(); ++i) {
      const auto result = Matches(want[i], got[i], path + "[" + std::to_string(i) + "]");
      if (!result) return result;
    }
    return ::testing::AssertionSuccess();
  }
  if (want == got || (IsZero(want) && IsZero(got))) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << path << " is " << got.dump(-1, ' ', true, json::error_handler_t::replace)
                                       << ", expected " << want.dump(-1, ' ', true, json::error_handler_t::replace);
}

json ErrorsJson(const std::vector<ParseError>& errors) {
  json out = json::array();
  for (const ParseError& error : errors)
    out.push_back({{"message", error.message}, {"pos", {error.pos.start, error.pos.end}}});
  return out;
}

TEST(ParserConformance, TreesAndErrors) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/parser.json");
  for (const json& test : data.at("cases")) {
    const std::string input = ConformanceText(test.at("input"));
    SCOPED_TRACE(test.at("id").get<std::string>() + ": " + input.substr(0, 200));
    const ParseOutcome outcome = ParseExprCollectingErrors(input, OptionsOf(data, test));
    if (test.at("result") == "ok") {
      ASSERT_TRUE(outcome.errors.empty()) << ErrorsJson(outcome.errors).dump();
      EXPECT_TRUE(Matches(test.at("ast"), TreeJson::Of(*outcome.expr), "ast"));
      continue;
    }
    ASSERT_FALSE(outcome.errors.empty());
    json got = ErrorsJson(outcome.errors);
    // One text of ten thousand errors is given with its first three.
    if (got.size() > 1000) got.erase(got.begin() + static_cast<int64_t>(test.at("errors").size()), got.end());
    EXPECT_EQ(got, test.at("errors"));
    EXPECT_EQ(FormatParseError(outcome.errors.front(), input), test.at("error_text").get<std::string>());
  }
}

TEST(ParserConformance, OneLineForm) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/printer.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const std::string expected = test.at("expected");
    if (test.at("group") == "vector_selector") {
      VectorSelector selector;
      selector.name = test.at("selector").value("Name", "");
      for (const json& m : test.at("selector").value("LabelMatchers", json::array())) {
        selector.matchers.push_back(Matcher::Equal(m.at("name"), m.at("value")));
      }
      EXPECT_EQ(ToString(selector), expected);
      continue;
    }
    const auto expr = ParseExpr(ConformanceText(test.at("input")), OptionsOf(data, test));
    ASSERT_TRUE(expr) << expr.error().message();
    EXPECT_EQ(ToString(**expr), expected);
  }
}

TEST(ParserConformance, PrettyForm) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/prettier.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const auto expr = ParseExpr(ConformanceText(test.at("input")), OptionsOf(data, test));
    ASSERT_TRUE(expr) << expr.error().message();
    const auto text = ToPrettyString(**expr, test.at("max_characters_per_line").get<size_t>());
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, test.at("expected").get<std::string>());
  }
}

TEST(ParserConformance, SelectorsOfATree) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/extract_selectors.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const auto expr = ParseExpr(test.at("input").get<std::string>());
    ASSERT_TRUE(expr) << expr.error().message();
    std::vector<std::string> got;
    for (const auto& matchers : ExtractSelectors(**expr)) {
      std::string text = "{";
      for (const Matcher& matcher : matchers) text += (text.size() > 1 ? ", " : "") + matcher.ToString();
      got.push_back(text + "}");
    }
    EXPECT_EQ(got, test.at("selectors").get<std::vector<std::string>>());
  }
}

// Expressions found in the wild: they parse, and printing and parsing again gives the same tree.
TEST(ParserConformance, RealExpressions) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules-corpus/expressions.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const std::string input = test.contains("expr_substituted") ? test.at("expr_substituted") : test.at("expr");
    const auto expr = ParseExpr(input, ParseOptions::AllEnabled());
    if (!expr) {
      // Dashboard variables stand for numbers too, but were replaced by their bare names.
      EXPECT_NE(expr.error().message().find("expected type"), std::string::npos) << expr.error().message() << "\n"
                                                                                 << input;
      continue;
    }
    const std::string printed = ToString(**expr);
    const auto again = ParseExpr(printed, ParseOptions::AllEnabled());
    ASSERT_TRUE(again) << again.error().message() << "\n" << printed;
    EXPECT_EQ(ToAstJson(**again).size(), ToAstJson(**expr).size());
    EXPECT_EQ(ToString(**again), printed);
    EXPECT_EQ(ToString(*Clone(**expr)), printed);
    const auto pretty = ToPrettyString(**expr);
    ASSERT_TRUE(pretty);
    const auto from_pretty = ParseExpr(*pretty, ParseOptions::AllEnabled());
    ASSERT_TRUE(from_pretty) << from_pretty.error().message() << "\n" << *pretty;
    EXPECT_EQ(ToString(**from_pretty), printed);
  }
}

TEST(ParserConformance, TreeOfTheApi) {
  EPI_CONFORMANCE_OR_SKIP(data, "api/parse_query_ast.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const auto expr = ParseExpr(test.at("query").get<std::string>(), ParseOptions::AllEnabled());
    ASSERT_TRUE(expr) << expr.error().message();
    const json got = json::parse(ToAstJson(**expr));
    EXPECT_EQ(got.at("type"), test.at("type"));
    for (const auto& [key, value] : test.at("fields").items()) EXPECT_EQ(got.at(key), value) << key;
  }
}

FloatHistogram HistogramOf(const json& from) {
  FloatHistogram out;
  out.schema = from.value("Schema", 0);
  out.count = from.value("Count", 0.0);
  out.sum = from.value("Sum", 0.0);
  out.zero_count = from.value("ZeroCount", 0.0);
  out.zero_threshold = from.value("ZeroThreshold", 0.0);
  const auto spans = [&](const char* key, std::vector<HistogramSpan>& to) {
    for (const json& span : from.value(key, json::array())) to.push_back({span.at(0), span.at(1)});
  };
  spans("PositiveSpans", out.positive_spans);
  spans("NegativeSpans", out.negative_spans);
  out.positive_buckets = from.value("PositiveBuckets", std::vector<double>());
  out.negative_buckets = from.value("NegativeBuckets", std::vector<double>());
  out.custom_values = from.value("CustomValues", std::vector<double>());
  const std::string hint = from.value("CounterResetHint", "unknown");
  out.counter_reset_hint = hint == "reset"       ? CounterResetHint::kReset
                           : hint == "not_reset" ? CounterResetHint::kNotReset
                           : hint == "gauge"     ? CounterResetHint::kGauge
                                                 : CounterResetHint::kUnknown;
  return out;
}

void ExpectSeries(const json& test, const SeriesDescription& got) {
  if (test.contains("labels")) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& [name, value] : test.at("labels").items()) pairs.emplace_back(name, value);
    std::vector<LabelView> views;
    for (const auto& [name, value] : pairs) views.push_back({name, value});
    EXPECT_EQ(got.labels, Labels::FromPairs(views));
  }
  if (test.contains("histograms")) {
    const json& histograms = test.at("histograms");
    ASSERT_EQ(got.values.size(), histograms.size());
    for (size_t i = 0; i < histograms.size(); ++i) {
      ASSERT_NE(got.values[i].histogram, nullptr);
      EXPECT_EQ(*got.values[i].histogram, HistogramOf(histograms[i]))
          << HistogramToTestExpression(*got.values[i].histogram);
    }
    return;
  }
  const json values = test.value("values", json::array());
  ASSERT_EQ(got.values.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(got.values[i].omitted, values[i].value("omitted", false));
    if (!got.values[i].omitted) {
      EXPECT_EQ(NumberJson(got.values[i].value), values[i].at("value"));
    }
  }
}

TEST(ParserConformance, SeriesDescriptions) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/series_description.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    if (test.contains("test_expression")) {
      const std::string text = HistogramToTestExpression(HistogramOf(test.at("histogram")));
      EXPECT_EQ(text, test.at("test_expression").get<std::string>());
      const auto again = ParseSeriesDescription("{} " + text);
      ASSERT_TRUE(again) << again.error().message();
      ASSERT_EQ(again->values.size(), 1u);
      EXPECT_EQ(HistogramToTestExpression(*again->values[0].histogram), text);
      continue;
    }
    const auto got = ParseSeriesDescription(test.at("input").get<std::string>());
    if (test.at("result") == "ok") {
      ASSERT_TRUE(got) << got.error().message();
      ExpectSeries(test, *got);
      continue;
    }
    ASSERT_FALSE(got);
    if (test.contains("error_text")) {
      EXPECT_EQ(got.error().message(), test.at("error_text").get<std::string>());
    }
    if (test.contains("error_contains")) {
      EXPECT_NE(got.error().message().find(test.at("error_contains").get<std::string>()), std::string::npos)
          << got.error().message();
    }
  }
}

const std::map<std::string, TokenType>& TokenNames() {
  static const std::map<std::string, TokenType> names = {{"COMMA", TokenType::kComma},
                                                         {"LEFT_PAREN", TokenType::kLeftParen},
                                                         {"RIGHT_PAREN", TokenType::kRightParen},
                                                         {"LEFT_BRACE", TokenType::kLeftBrace},
                                                         {"RIGHT_BRACE", TokenType::kRightBrace},
                                                         {"LEFT_BRACKET", TokenType::kLeftBracket},
                                                         {"RIGHT_BRACKET", TokenType::kRightBracket},
                                                         {"DURATION", TokenType::kDuration},
                                                         {"NUMBER", TokenType::kNumber},
                                                         {"ADD", TokenType::kAdd},
                                                         {"SUB", TokenType::kSub},
                                                         {"MUL", TokenType::kMul},
                                                         {"DIV", TokenType::kDiv},
                                                         {"MOD", TokenType::kMod},
                                                         {"POW", TokenType::kPow},
                                                         {"IDENTIFIER", TokenType::kIdentifier},
                                                         {"METRIC_IDENTIFIER", TokenType::kMetricIdentifier},
                                                         {"STRING", TokenType::kString},
                                                         {"ERROR", TokenType::kError},
                                                         {"COMMENT", TokenType::kComment},
                                                         {"EQL", TokenType::kEqual},
                                                         {"EQLC", TokenType::kEqualEqual},
                                                         {"NEQ", TokenType::kNotEqual},
                                                         {"LSS", TokenType::kLess},
                                                         {"LTE", TokenType::kLessEqual},
                                                         {"GTR", TokenType::kGreater},
                                                         {"GTE", TokenType::kGreaterEqual},
                                                         {"EQL_REGEX", TokenType::kEqualRegex},
                                                         {"NEQ_REGEX", TokenType::kNotEqualRegex},
                                                         {"LAND", TokenType::kAnd},
                                                         {"LOR", TokenType::kOr},
                                                         {"LUNLESS", TokenType::kUnless},
                                                         {"AT", TokenType::kAt},
                                                         {"ATAN2", TokenType::kAtan2},
                                                         {"SUM", TokenType::kSum},
                                                         {"AVG", TokenType::kAvg},
                                                         {"MAX", TokenType::kMax},
                                                         {"MIN", TokenType::kMin},
                                                         {"COUNT", TokenType::kCount},
                                                         {"STDDEV", TokenType::kStddev},
                                                         {"STDVAR", TokenType::kStdvar},
                                                         {"OFFSET", TokenType::kOffset},
                                                         {"BY", TokenType::kBy},
                                                         {"WITHOUT", TokenType::kWithout},
                                                         {"ON", TokenType::kOn},
                                                         {"IGNORING", TokenType::kIgnoring},
                                                         {"GROUP_LEFT", TokenType::kGroupLeft},
                                                         {"GROUP_RIGHT", TokenType::kGroupRight},
                                                         {"BOOL", TokenType::kBool},
                                                         {"START", TokenType::kStart},
                                                         {"END", TokenType::kEndKeyword},
                                                         {"COLON", TokenType::kColon},
                                                         {"SPACE", TokenType::kSpace},
                                                         {"BLANK", TokenType::kBlank},
                                                         {"TIMES", TokenType::kTimes},
                                                         {"OPEN_HIST", TokenType::kOpenHistogram},
                                                         {"CLOSE_HIST", TokenType::kCloseHistogram},
                                                         {"SUM_DESC", TokenType::kSumDesc},
                                                         {"COUNT_DESC", TokenType::kCountDesc},
                                                         {"SCHEMA_DESC", TokenType::kSchemaDesc},
                                                         {"OFFSET_DESC", TokenType::kOffsetDesc},
                                                         {"NEGATIVE_OFFSET_DESC", TokenType::kNegativeOffsetDesc},
                                                         {"BUCKETS_DESC", TokenType::kBucketsDesc},
                                                         {"NEGATIVE_BUCKETS_DESC", TokenType::kNegativeBucketsDesc},
                                                         {"ZERO_BUCKET_DESC", TokenType::kZeroBucketDesc},
                                                         {"ZERO_BUCKET_WIDTH_DESC", TokenType::kZeroBucketWidthDesc},
                                                         {"CUSTOM_VALUES_DESC", TokenType::kCustomValuesDesc},
                                                         {"COUNTER_RESET_HINT_DESC", TokenType::kCounterResetHintDesc},
                                                         {"GAUGE_TYPE", TokenType::kGaugeType}};
  return names;
}

TEST(ParserConformance, Tokens) {
  EPI_CONFORMANCE_OR_SKIP(data, "parser/lexer.json");
  for (const json& test : data.at("cases")) {
    const std::string input = ConformanceText(test.at("input"));
    SCOPED_TRACE(test.at("id").get<std::string>() + ": " + input);
    Lexer lexer(input, test.at("series_desc").get<bool>());
    if (test.at("result") == "fail") {
      bool failed = false;
      for (Token token = lexer.Next(); token.type != TokenType::kEnd; token = lexer.Next()) {
        failed = failed || token.type == TokenType::kError;
      }
      EXPECT_TRUE(failed);
      continue;
    }
    for (const json& want : test.at("tokens")) {
      const Token token = lexer.Next();
      ASSERT_TRUE(TokenNames().contains(want.at(0))) << want.at(0);
      EXPECT_EQ(token.type, TokenNames().at(want.at(0))) << want;
      EXPECT_EQ(token.pos, want.at(1).get<int>()) << want;
      EXPECT_EQ(token.text, ConformanceText(want.at(2))) << want;
    }
    EXPECT_EQ(lexer.Next().type, TokenType::kEnd);
  }
}

DurationExprPtr DurationOf(const json& from) {
  auto out = std::make_unique<DurationExpr>();
  if (from.is_number()) {
    out->value = from.get<double>();
    return out;
  }
  for (int op = 0; op <= static_cast<int>(DurationExpr::Op::kMaxOf); ++op) {
    if (DurationOpName(static_cast<DurationExpr::Op>(op)) == from.at("op")) out->op = static_cast<DurationExpr::Op>(op);
  }
  if (from.contains("lhs")) out->lhs = DurationOf(from.at("lhs"));
  if (from.contains("rhs")) out->rhs = DurationOf(from.at("rhs"));
  return out;
}

TEST(ParserConformance, DurationExpressions) {
  EPI_CONFORMANCE_OR_SKIP(data, "duration/duration.json");
  for (const json& test : data.at("cases")) {
    if (test.at("kind") != "duration_expression") continue;
    SCOPED_TRACE(test.at("id").get<std::string>());
    const auto got =
        EvaluateDuration(*DurationOf(test.at("expr")), {1000, 300'000}, test.at("allow_negative").get<bool>());
    ASSERT_EQ(got.has_value(), test.at("result") == "ok");
    if (got) {
      EXPECT_EQ(*got, test.at("ms").get<int64_t>());
    } else {
      EXPECT_NE(got.error().message().find(test.at("error_contains").get<std::string>()), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace epi::promql
