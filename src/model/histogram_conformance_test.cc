// Prometheus's own cases for native histograms.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/histogram_bounds.h"
#include "model/histogram_buckets.h"
#include "model/histogram_classic.h"
#include "model/histogram_convert.h"
#include "model/histogram_format.h"
#include "model/histogram_math.h"
#include "model/histogram_reset.h"
#include "model/histogram_resolution.h"
#include "model/histogram_validate.h"
#include "model/sample.h"
#include "testing/conformance.h"

namespace epi {
namespace {

using nlohmann::json;

double Number(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const std::string& text = value.get_ref<const std::string&>();
  if (text == "+Inf") return INFINITY;
  if (text == "-Inf") return -INFINITY;
  if (text == "-0") return -0.0;
  if (text == "StaleNaN") return StaleNaN();
  return text == "NaN" ? NormalNaN() : std::stod(text);
}

template <typename T>
T Field(const json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end()) return T{};
  if constexpr (std::is_same_v<T, double>) return Number(*at);
  return at->is_string() ? static_cast<T>(std::stoull(at->get<std::string>())) : at->get<T>();
}

std::vector<HistogramSpan> Spans(const json& object, const char* name) {
  std::vector<HistogramSpan> out;
  for (const auto& span : object.value(name, json::array()))
    out.push_back({span[0].get<int32_t>(), span[1].get<uint32_t>()});
  return out;
}

template <typename T>
std::vector<T> Values(const json& value) {
  std::vector<T> out;
  if (!value.is_array()) return out;
  for (const auto& item : value) {
    if constexpr (std::is_same_v<T, double>) {
      out.push_back(Number(item));
    } else {
      out.push_back(item.get<T>());
    }
  }
  return out;
}

template <typename H>
H Make(const json& object) {
  using Count = typename decltype(H::positive_buckets)::value_type;
  H h;
  h.schema = Field<int32_t>(object, "Schema");
  h.zero_threshold = Field<double>(object, "ZeroThreshold");
  h.zero_count = Field<decltype(h.zero_count)>(object, "ZeroCount");
  h.count = Field<decltype(h.count)>(object, "Count");
  h.sum = Field<double>(object, "Sum");
  h.positive_spans = Spans(object, "PositiveSpans");
  h.negative_spans = Spans(object, "NegativeSpans");
  h.positive_buckets = Values<Count>(object.value("PositiveBuckets", json()));
  h.negative_buckets = Values<Count>(object.value("NegativeBuckets", json()));
  h.custom_values = Values<double>(object.value("CustomValues", json()));
  const std::string hint = object.value("CounterResetHint", "");
  h.counter_reset_hint = hint == "reset"       ? CounterResetHint::kReset
                         : hint == "not_reset" ? CounterResetHint::kNotReset
                         : hint == "gauge"     ? CounterResetHint::kGauge
                                               : CounterResetHint::kUnknown;
  return h;
}

FloatHistogram Floats(const json& object) {
  return object.value("kind", "float") == "int" ? ToFloat(Make<Histogram>(object)) : Make<FloatHistogram>(object);
}

// Upstream compares sums of decimal fractions with a tolerance; everything else must be equal.
void ExpectNear(const FloatHistogram& got, const FloatHistogram& want) {
  FloatHistogram rounded = got;
  const auto round = [](double& value, double to) {
    if (std::fabs(value - to) <= 1e-9 * std::fabs(to)) value = to;
  };
  round(rounded.count, want.count);
  round(rounded.sum, want.sum);
  round(rounded.zero_count, want.zero_count);
  for (size_t i = 0; i < std::min(got.positive_buckets.size(), want.positive_buckets.size()); ++i) {
    round(rounded.positive_buckets[i], want.positive_buckets[i]);
  }
  for (size_t i = 0; i < std::min(got.negative_buckets.size(), want.negative_buckets.size()); ++i) {
    round(rounded.negative_buckets[i], want.negative_buckets[i]);
  }
  EXPECT_TRUE(rounded == want) << "got " << HistogramToTestExpression(got) << "\nwant "
                               << HistogramToTestExpression(want);
}

std::vector<Bucket> Expected(const json& list) {
  std::vector<Bucket> out;
  for (const auto& b : list) {
    out.push_back({Number(b["Lower"]), Number(b["Upper"]), Number(b["Count"]), b.value("Index", int64_t{0}),
                   b.value("LowerInclusive", false), b.value("UpperInclusive", false)});
  }
  return out;
}

template <typename Cursor>
std::vector<Bucket> Collect(const FloatHistogram& h) {
  std::vector<Bucket> out;
  for (Cursor at(h); at.Next();) out.push_back(at.bucket());
  return out;
}

// What every list of all buckets must be: the negative side mirrored, zero, the positive side, cut at the zero bucket.
void CheckAllBuckets(const json& c) {
  const FloatHistogram h = Floats(c["h"]);
  std::vector<Bucket> want;
  if (c["includeNeg"].get<bool>()) want = Collect<NegativeCursor>(h);
  std::reverse(want.begin(), want.end());
  if (c["includeZero"].get<bool>()) want.push_back(ZeroBucket(h));
  if (c["includePos"].get<bool>()) {
    for (const Bucket& b : Collect<PositiveCursor>(h)) want.push_back(b);
  }
  for (Bucket& b : want) {
    if (b.upper < 0) b.upper = std::min(b.upper, -h.zero_threshold);
    if (b.lower > 0) b.lower = std::max(b.lower, h.zero_threshold);
  }
  EXPECT_EQ(AllBuckets(h), want);
  const BucketSequence sequence(h);
  ASSERT_EQ(sequence.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(sequence.bucket(i), want[i]);
    EXPECT_EQ(sequence.count(i), want[i].count);
  }
}

void CheckCumulative(const json& c) {
  const FloatHistogram h = Floats(c["histogram"]);
  std::vector<Bucket> got;
  double sum = 0;
  for (PositiveCursor at(h); at.Next();) {
    while (!got.empty() && got.back().index + 1 < at.index()) {
      Bucket gap = PositiveBucket(got.back().index + 1, sum, h.schema, h.custom_values);
      gap.lower = -INFINITY;
      gap.lower_inclusive = true;
      got.push_back(gap);
    }
    Bucket b = at.bucket();
    b.lower = -INFINITY;
    b.lower_inclusive = true;
    b.count = sum += b.count;
    got.push_back(b);
  }
  EXPECT_EQ(got, Expected(c["expectedBuckets"]));
}

void CheckAddition(const json& c, bool subtract) {
  FloatHistogram h = Floats(c["in1"]);
  const FloatHistogram before = h;
  const FloatHistogram other = Floats(c["in2"]);
  const auto report = subtract ? Subtract(h, other) : Add(h, other);
  const std::string error = c.value("expErrMsg", "");
  if (!error.empty()) {
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().message(), error);
    EXPECT_TRUE(h == before);
    return;
  }
  ASSERT_TRUE(report);
  EXPECT_EQ(report->counter_reset_collision, c.value("expCounterResetCollision", false));
  EXPECT_EQ(report->bounds_reconciled, c.value("expNHCBBoundsReconciled", false));
  if (!c.contains("expected")) return;
  FloatHistogram want = Floats(c["expected"]);
  Compact(want);
  Compact(h);
  ExpectNear(h, want);
}

void CheckKahan(const json& c) {
  FloatHistogram h = Floats(c["in1"]);
  FloatHistogram compensation = c.contains("comp") ? Floats(c["comp"]) : CompensationFor(h);
  const auto report = KahanAdd(h, Floats(c["in2"]), compensation);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->counter_reset_collision, c.value("expCounterResetCollision", false));
  EXPECT_EQ(report->bounds_reconciled, c.value("expNHCBBoundsReconciled", false));
  if (!c.contains("expectedSum")) return;
  ASSERT_TRUE(Add(h, compensation));
  FloatHistogram want = Floats(c["expectedSum"]);
  Compact(want);
  Compact(h);
  ExpectNear(h, want);
}

template <typename H>
void CheckCompact(const json& c) {
  H h = Make<H>(c["in"]);
  Compact(h, c["maxEmptyBuckets"].get<size_t>());
  EXPECT_TRUE(h == Make<H>(c["expected"]));
}

template <typename H>
void CheckReduce(const json& c) {
  H h = Make<H>(c["origin"]);
  const H before = h;
  const auto result = ReduceResolution(h, c["targetSchema"].get<int32_t>());
  if (c.contains("errorMsg")) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), c["errorMsg"].get<std::string>());
    EXPECT_TRUE(h == before);
    return;
  }
  ASSERT_TRUE(result);
  EXPECT_TRUE(h == Make<H>(c["target"]));
}

void CheckValidation(const json& c) {
  const Histogram h = Make<Histogram>(c["h"]);
  const auto result = Validate(h);
  const std::string error = c.value("errMsg", "");
  EXPECT_EQ(result ? "" : result.error().message(), error);
  if (c.value("skipFloat", false)) return;
  const auto float_result = Validate(ToFloat(h));
  EXPECT_EQ(float_result ? "" : float_result.error().message(), error);
}

void CheckToFloat(const json& c) {
  FloatHistogram h = Make<FloatHistogram>(c.value("fh", json::object()));
  Histogram source;
  source.schema = 0;
  source.count = 19;
  source.sum = 2.7;
  source.positive_spans = {{0, 4}, {0, 0}, {0, 3}};
  source.positive_buckets = {1, 2, -2, 1, -1, 0, 0};
  source.negative_spans = {{0, 5}, {1, 0}, {0, 1}};
  source.negative_buckets = {1, 2, -2, 1, -1, 0};
  ToFloat(source, h);
  EXPECT_TRUE(h == ToFloat(source));
  EXPECT_EQ(HistogramToString(h), HistogramToString(source));
}

void CheckClassic(const json& c) {
  std::vector<LabelView> pairs;
  for (const auto& [name, value] : c["labels"].items()) pairs.push_back({name, value.get_ref<const std::string&>()});
  const Labels labels = Labels::FromPairs(pairs);
  std::vector<std::pair<Labels, double>> got;
  const auto emit = [&](const Labels& series, double value) { got.emplace_back(series, value); };
  if (!c["nhcb"].is_object()) return;  // no histogram at all: not possible here
  const auto result = c["nhcb"]["kind"] == "int" ? ToClassic(Make<Histogram>(c["nhcb"]), labels, emit)
                                                 : ToClassic(Make<FloatHistogram>(c["nhcb"]), labels, emit);
  if (c.value("expectErr", false)) {
    EXPECT_FALSE(result);
    EXPECT_TRUE(got.empty());
    return;
  }
  ASSERT_TRUE(result) << result.error().message();
  ASSERT_EQ(got.size(), c["expected"].size());
  for (size_t i = 0; i < got.size(); ++i) {
    std::vector<LabelView> want;
    for (const auto& [name, value] : c["expected"][i]["lset"].items()) {
      want.push_back({name, value.get_ref<const std::string&>()});
    }
    EXPECT_EQ(got[i].first, Labels::FromPairs(want));
    EXPECT_EQ(got[i].second, Number(c["expected"][i]["val"]));
  }
}

void CheckScaled(FloatHistogram h, const json& want) { ExpectNear(h, Make<FloatHistogram>(want)); }

struct Check {
  const char* test;
  void (*run)(const json& c);
};

const Check kChecks[] = {
    {"AllFloatBucketIterator", CheckAllBuckets},
    {"AllReverseFloatBucketIterator", CheckAllBuckets},
    {"BucketFractionBelow",
     [](const json& c) {
       const Bucket b{Number(c["bucket"]["Lower"]), Number(c["bucket"]["Upper"]), Number(c["bucket"]["Count"])};
       EXPECT_NEAR(b.FractionBelow(Number(c["v"]), c["linear"].get<bool>()), Number(c["want"]), 1e-9);
     }},
    {"ConvertNHCBToClassicHistogram", CheckClassic},
    {"CumulativeBucketIterator", CheckCumulative},
    {"CustomBucketBoundsMatch",
     [](const json& c) {
       EXPECT_EQ(SameCustomBounds(Values<double>(c["c1"]), Values<double>(c["c2"])), c["want"].get<bool>());
     }},
    {"FloatBucketIteratorTargetSchema",
     [](const json& c) {
       const FloatHistogram h = CopyToSchema(Floats(c["h"]), -1);
       EXPECT_EQ(Collect<PositiveCursor>(h), Expected(c["expPositiveBuckets"]));
       EXPECT_EQ(Collect<NegativeCursor>(h), Expected(c["expNegativeBuckets"]));
     }},
    {"FloatCustomBucketsIterators",
     [](const json& c) { EXPECT_EQ(Collect<PositiveCursor>(Floats(c["h"])), Expected(c["expPositiveBuckets"])); }},
    {"FloatHistogramAdd", [](const json& c) { CheckAddition(c, false); }},
    {"FloatHistogramCompact", CheckCompact<FloatHistogram>},
    {"FloatHistogramCopyToSchema",
     [](const json& c) {
       ExpectNear(CopyToSchema(Floats(c["in"]), c["targetSchema"].get<int32_t>()), Floats(c["expected"]));
     }},
    {"FloatHistogramDetectReset",
     [](const json& c) {
       EXPECT_EQ(DetectReset(Floats(c["current"]), Floats(c["previous"])), c["resetExpected"].get<bool>());
     }},
    {"FloatHistogramDiv",
     [](const json& c) {
       FloatHistogram h = Floats(c["fh"]);
       Divide(h, Number(c["s"]));
       CheckScaled(h, c["expected"]);
     }},
    {"FloatHistogramMul",
     [](const json& c) {
       FloatHistogram h = Floats(c["in"]);
       Multiply(h, Number(c["scale"]));
       CheckScaled(h, c["expected"]);
     }},
    {"FloatHistogramReduceResolution", CheckReduce<FloatHistogram>},
    {"FloatHistogramString",
     [](const json& c) { EXPECT_EQ(HistogramToString(Floats(c["fh"])), c["expected"].get<std::string>()); }},
    {"FloatHistogramSub", [](const json& c) { CheckAddition(c, true); }},
    {"FloatHistogramValidateNegativeHistogram", [](const json& c) { EXPECT_FALSE(Validate(Floats(c["fh"]))); }},
    {"GetBoundExponential",
     [](const json& c) {
       EXPECT_EQ(ExponentialBound(c["idx"].get<int64_t>(), c["schema"].get<int32_t>()), Number(c["want"]));
     }},
    {"HistogramCompact", CheckCompact<Histogram>},
    {"HistogramReduceResolution", CheckReduce<Histogram>},
    {"HistogramString",
     [](const json& c) {
       EXPECT_EQ(HistogramToString(Make<Histogram>(c["histogram"])), c["expectedString"].get<std::string>());
     }},
    {"HistogramToFloat", CheckToFloat},
    {"HistogramValidation", CheckValidation},
    {"KahanAddWithCompHistogram", CheckKahan},
    {"RegularBucketIterator",
     [](const json& c) {
       const FloatHistogram h = Floats(c["histogram"]);
       EXPECT_EQ(Collect<PositiveCursor>(h), Expected(c["expectedPositiveBuckets"]));
       EXPECT_EQ(Collect<NegativeCursor>(h), Expected(c["expectedNegativeBuckets"]));
     }},
};

void RunAll(const json& file) {
  for (const auto& c : file["cases"]) {
    SCOPED_TRACE(c["id"].get<std::string>() + " " + c.value("name", ""));
    const std::string test = c["test"];
    const auto check =
        std::find_if(std::begin(kChecks), std::end(kChecks), [&](const Check& k) { return test == k.test; });
    ASSERT_NE(check, std::end(kChecks)) << "no check is called " << test;
    check->run(c);
  }
}

TEST(HistogramConformanceTest, Convert) {
  EPI_CONFORMANCE_OR_SKIP(file, "histogram/convert.json");
  RunAll(file);
}
TEST(HistogramConformanceTest, FloatOperations) {
  EPI_CONFORMANCE_OR_SKIP(file, "histogram/float_ops.json");
  RunAll(file);
}
TEST(HistogramConformanceTest, IntegerOperations) {
  EPI_CONFORMANCE_OR_SKIP(file, "histogram/int_ops.json");
  RunAll(file);
}
TEST(HistogramConformanceTest, Iterators) {
  EPI_CONFORMANCE_OR_SKIP(file, "histogram/iterators.json");
  RunAll(file);
}

}  // namespace
}  // namespace epi
