// The engine against Prometheus's own cases that scripts of its test language cannot express: exact points, statistics,
// limits, lookback, hints to storage, annotations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "model/duration.h"
#include "model/number_format.h"
#include "promql/engine/engine.h"
#include "promql/functions/rate.h"
#include "promql/parser/parser.h"
#include "testing/conformance.h"
#include "testing/memory_storage.h"

namespace epi::promql {
namespace {

using nlohmann::json;
using testing::MemoryStorage;

double NumberOf(const json& value) {
  if (!value.is_string()) return value.get<double>();
  return ParseGoFloat(value.get<std::string>()).value_or(NormalNaN());
}

// "load 10s" and lines of series; several loads may follow each other.
void Load(MemoryStorage& storage, const std::string& script) {
  std::istringstream lines(script);
  std::string line;
  int64_t interval = 0;
  while (std::getline(lines, line)) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.empty()) continue;
    if (line.starts_with("load ")) {
      interval = ParseDuration(line.substr(5)).value();
      continue;
    }
    const auto series = ParseSeriesDescription(line);
    ASSERT_TRUE(series) << line << ": " << series.error().message();
    for (size_t i = 0; i < series->values.size(); ++i) {
      const SequenceValue& value = series->values[i];
      const TimestampMs time = static_cast<int64_t>(i) * interval;
      if (value.omitted) continue;
      if (value.histogram != nullptr) {
        storage.Append(series->labels, time, *value.histogram);
      } else {
        storage.Append(series->labels, time, value.value);
      }
    }
  }
}

// Storage is made once for each load text.
MemoryStorage& Loaded(const std::string& script, bool extra_samples = false) {
  static std::map<std::pair<std::string, bool>, std::unique_ptr<MemoryStorage>> made;
  auto& storage = made[{script, extra_samples}];
  if (storage != nullptr) return *storage;
  storage = std::make_unique<MemoryStorage>();
  Load(*storage, script);
  if (extra_samples) {
    for (TimestampMs t = -1'000'000; t <= 0; t += 1000) {
      storage->Append({{kMetricName, "metric_neg"}}, t, t == -1'000'000 ? 1000 : static_cast<double>(-t / 1000 + 1));
    }
    storage->Append({{kMetricName, "metric_timestamp"}}, 3'600'000, 1000);
  }
  return *storage;
}

FeatureSwitches AllFeatures() {
  FeatureSwitches features;
  features.experimental_functions = true;
  features.extended_range_selectors = true;
  features.binop_fill_modifiers = true;
  features.per_step_stats = true;
  return features;
}

QuerySpec SpecOf(const json& item) {
  const TimestampMs start = item.at("start_ms");
  QuerySpec spec = QuerySpec::Instant(item.at("query"), start);
  if (item.contains("step_ms")) spec = QuerySpec::Range(item.at("query"), start, item.at("end_ms"), item.at("step_ms"));
  spec.per_step_stats = true;
  return spec;
}

Labels LabelsOf(const json& pairs) {
  LabelsBuilder builder;
  for (const auto& [name, value] : pairs.items()) builder.Set(name, value.get<std::string>());
  return builder.Build();
}

std::string Text(const Labels& labels, const std::vector<FloatPoint>& points) {
  std::string out = labels.ToString();
  for (const auto& p : points) out += " [" + std::to_string(p.t) + "," + FormatFloatGeneral(p.v) + "]";
  return out;
}

// Result and expectation as sorted lines.
std::vector<std::string> Lines(const Value& value) {
  std::vector<std::string> lines;
  if (const auto* scalar = std::get_if<ScalarValue>(&value)) lines.push_back(Text({}, {{scalar->t, scalar->v}}));
  if (const auto* vector = std::get_if<VectorValue>(&value)) {
    for (const auto& sample : *vector) lines.push_back(Text(sample.labels, {{sample.t, sample.v}}));
  }
  if (const auto* matrix = std::get_if<MatrixValue>(&value)) {
    for (const auto& series : *matrix) lines.push_back(Text(series.labels, series.floats));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}
std::vector<std::string> Lines(const json& expected) {
  std::vector<std::string> lines;
  if (expected.at("type") == "scalar") return {Text({}, {{expected.at("t"), NumberOf(expected.at("value"))}})};
  for (const auto& element : expected.at("result")) {
    std::vector<FloatPoint> points;
    if (element.contains("value")) points.push_back({element.at("t"), NumberOf(element.at("value"))});
    for (const auto& point : element.value("points", json::array())) points.push_back({point[0], NumberOf(point[1])});
    lines.push_back(Text(LabelsOf(element.at("labels")), points));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST(EngineConformance, Results) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/engine_results.json");
  EngineOptions options;
  options.features = AllFeatures();
  const Engine engine(options);
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("id").get<std::string>() + " " + item.at("query").get<std::string>());
    const auto result = engine.Run(SpecOf(item), Loaded(item.at("load"), item.contains("extra_samples")));
    if (item.value("result", "") == "fail") {
      EXPECT_FALSE(result);
      continue;
    }
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(ValueKindName(result->value), item.at("expected").at("type").get<std::string>());
    EXPECT_EQ(Lines(result->value), Lines(item.at("expected")));
  }
}

TEST(EngineConformance, Lookback) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/lookback.json");
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("name").get<std::string>());
    EngineOptions options;
    options.lookback_delta_ms = item.at("engine_lookback_ms");
    const Engine engine(options);
    QuerySpec spec = QuerySpec::Instant("metric", item.at("time_ms"));
    spec.lookback_delta_ms = item.at("query_lookback_ms");
    const auto result = engine.Run(spec, Loaded("load 5m\n metric 0 1 2"));
    ASSERT_TRUE(result);
    EXPECT_EQ(!std::get<VectorValue>(result->value).empty(), item.at("expect_samples").get<bool>());
  }
}

TEST(EngineConformance, MaxSamples) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/max_samples.json");
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("id").get<std::string>() + " " + item.at("query").get<std::string>());
    EngineOptions options;
    options.features = AllFeatures();
    options.max_samples = item.at("max_samples");
    const auto enough = Engine(options).Run(SpecOf(item), Loaded(file.at("load")));
    ASSERT_TRUE(enough) << enough.error().message();
    EXPECT_EQ(enough->stats.samples.peak, options.max_samples);
    if (--options.max_samples == 0) continue;
    const auto too_few = Engine(options).Run(SpecOf(item), Loaded(file.at("load")));
    ASSERT_FALSE(too_few);
    EXPECT_EQ(too_few.error().message(), "query processing would load too many samples into memory in query execution");
  }
}

json PairsOf(const std::vector<std::pair<TimestampMs, int64_t>>& pairs) {
  json out = json::array();
  for (const auto& [time, count] : pairs) out.push_back({time, count});
  return out;
}

TEST(EngineConformance, Statistics) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/query_statistics.json");
  EngineOptions options;
  options.features = AllFeatures();
  for (const size_t threads : {1, 3}) {
    ThreadPool pool(threads - 1);
    options.pool = &pool;
    options.threads = threads;
    const Engine engine(options);
    for (const auto& item : file.at("cases")) {
      SCOPED_TRACE(item.at("id").get<std::string>() + " " + item.at("query").get<std::string>());
      const auto result = engine.Run(SpecOf(item), Loaded(file.at("load")));
      ASSERT_TRUE(result) << result.error().message();
      const SampleStats& stats = result->stats.samples;
      EXPECT_EQ(stats.total_queryable, item.at("total_samples").get<int64_t>());
      EXPECT_EQ(stats.samples_read, item.at("samples_read").get<int64_t>());
      EXPECT_EQ(stats.peak, item.at("peak_samples").get<int64_t>());
      EXPECT_EQ(PairsOf(stats.total_queryable_per_step), item.at("total_samples_per_step"));
      EXPECT_EQ(PairsOf(stats.samples_read_per_step), item.at("samples_read_per_step"));
    }
  }
}

TEST(EngineConformance, SelectHints) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/select_hints.json");
  EngineOptions options;
  options.lookback_delta_ms = 5000;
  const Engine engine(options);
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("id").get<std::string>() + " " + item.at("query").get<std::string>());
    MemoryStorage storage;
    ASSERT_TRUE(engine.Run(SpecOf(item), storage));
    json got = json::array();
    for (const auto& select : storage.RecordedSelects()) {
      json one = {{"start_ms", select.hints.range.min}, {"end_ms", select.hints.range.max}};
      if (select.hints.step_ms != 0) one["step_ms"] = select.hints.step_ms;
      if (select.hints.range_ms != 0) one["range_ms"] = select.hints.range_ms;
      if (!select.hints.function.empty()) one["func"] = select.hints.function;
      if (select.hints.by) one["by"] = true;
      if (!select.hints.grouping.empty()) one["grouping"] = select.hints.grouping;
      got.push_back(one);
    }
    EXPECT_EQ(got, item.at("hints"));
  }
}

TEST(EngineConformance, RateAnnotations) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/rate_annotations.json");
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("name").get<std::string>());
    EngineOptions options;
    options.features.type_and_unit_labels = item.at("type_and_unit_labels");
    const auto result = Engine(options).Run(QuerySpec::Instant(item.at("query"), 60'000), Loaded(item.at("load")));
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json(result->warnings), item.at("warnings"));
    EXPECT_EQ(json(result->infos), item.at("infos"));
  }
}

TEST(EngineConformance, CounterResetHints) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/counter_reset_hint.json");
  const std::map<std::string, CounterResetHint> hints = {{"unknown", CounterResetHint::kUnknown},
                                                         {"reset", CounterResetHint::kReset},
                                                         {"not_reset", CounterResetHint::kNotReset},
                                                         {"gauge", CounterResetHint::kGauge}};
  MemoryStorage storage;
  // As the head hands them out: every sample but the first is known not to be a reset.
  for (int i = 0; i < 5; ++i) {
    FloatHistogram h;
    h.count = i;
    if (i > 0) h.counter_reset_hint = CounterResetHint::kNotReset;
    storage.Append({{kMetricName, "test_histogram"}}, i * 120'000, h);
  }
  const Engine engine{EngineOptions{}};
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("query").get<std::string>());
    const auto result = engine.Run(QuerySpec::Instant(item.at("query"), 120'000), storage);
    ASSERT_TRUE(result) << result.error().message();
    const auto& vector = std::get<VectorValue>(result->value);
    ASSERT_EQ(vector.size(), 1u);
    ASSERT_NE(vector[0].h, nullptr);
    EXPECT_EQ(vector[0].h->counter_reset_hint, hints.at(item.at("counter_reset_hint")));
  }
}

TEST(EngineConformance, Modifiers) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/engine_options.json");
  for (const auto& item : file.at("cases")) {
    SCOPED_TRACE(item.at("id").get<std::string>());
    EngineOptions options;
    options.features.at_modifier = item.at("at_modifier");
    options.features.negative_offset = item.at("negative_offset");
    const auto parsed = Engine(options).Parse(item.at("query").get<std::string>());
    EXPECT_EQ(parsed.has_value(), item.at("result") == "ok");
    if (!parsed) {
      EXPECT_EQ(parsed.error().message(), item.at("error_text").get<std::string>());
    }
  }
}

TEST(EngineConformance, Interpolation) {
  EPI_CONFORMANCE_OR_SKIP(file, "promql/numeric.json");
  for (const auto& item : file.at("cases")) {
    if (item.at("kind") != "interpolate") continue;
    SCOPED_TRACE(item.at("id").get<std::string>());
    const json& a = item.at("p1");
    const json& b = item.at("p2");
    EXPECT_EQ(Interpolate(a.at("T"), a.at("F"), b.at("T"), b.at("F"), item.at("t"), item.at("isCounter")),
              item.at("expected").get<double>());
  }
}

}  // namespace
}  // namespace epi::promql
