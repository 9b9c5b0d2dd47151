// What a query answers: one of four kinds of value, annotations as texts, statistics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi::promql {

struct FloatPoint {
  TimestampMs t = 0;
  double v = 0;
  friend bool operator==(const FloatPoint&, const FloatPoint&) = default;
};

struct HistogramValue {
  TimestampMs t = 0;
  std::shared_ptr<const FloatHistogram> h;
};

// A scalar has no labels; its time is the evaluation time.
struct ScalarValue {
  TimestampMs t = 0;
  double v = 0;
};
struct StringValue {
  TimestampMs t = 0;
  std::string text;
};
// One element of an instant vector: a histogram when `h` is set, else the float.
struct VectorSample {
  Labels labels;
  TimestampMs t = 0;
  double v = 0;
  std::shared_ptr<const FloatHistogram> h;
};
// One series of a matrix. Points ascend in time; a time is in one of the two lists, never in both.
struct MatrixSeries {
  Labels labels;
  std::vector<FloatPoint> floats;
  std::vector<HistogramValue> histograms;
};

using VectorValue = std::vector<VectorSample>;
using MatrixValue = std::vector<MatrixSeries>;  // sorted by labels
using Value = std::variant<ScalarValue, StringValue, VectorValue, MatrixValue>;

// Prometheus's resultType: "scalar", "string", "vector", "matrix".
std::string_view ValueKindName(const Value& value);

// Seconds, as the stats object of the API shows them.
struct QueryTimings {
  double eval_total = 0;
  double result_sort = 0;
  double query_preparation = 0;
  double inner_eval = 0;
  double exec_queue = 0;
  double exec_total = 0;
};

// Samples as Prometheus counts them: a histogram counts as its size in bytes divided by 16.
struct SampleStats {
  int64_t total_queryable = 0;
  int64_t samples_read = 0;
  int64_t peak = 0;
  // One entry a step, only with QueryOptions::per_step_stats.
  std::vector<std::pair<TimestampMs, int64_t>> total_queryable_per_step;
  std::vector<std::pair<TimestampMs, int64_t>> samples_read_per_step;
};

struct QueryStats {
  QueryTimings timings;
  SampleStats samples;
  int64_t peak_bytes = 0;  // the largest charge on the query's budget
};

struct QueryResult {
  Value value;
  // Whole texts as the API shows them ("PromQL warning: … (1:5)"), each once, sorted. Not capped: the API shows ten.
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
  QueryStats stats;
  // While it lives, the bytes of the value are charged to the engine's limits. Holders of answers keep it beside them.
  std::vector<std::shared_ptr<const void>> memory;
};

}  // namespace epi::promql
