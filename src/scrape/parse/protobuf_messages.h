// The messages of io.prometheus.client, decoded one metric at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/histogram.h"

namespace epi::scrape::proto {

// Numbers of io.prometheus.client.MetricType.
enum class FamilyType : int {
  kCounter = 0,
  kGauge = 1,
  kSummary = 2,
  kUntyped = 3,
  kHistogram = 4,
  kGaugeHistogram = 5
};

struct Label {
  std::string_view name;
  std::string_view value;
};

struct ExemplarMessage {
  std::vector<Label> labels;
  double value = 0;
  bool has_time = false;
  TimestampMs time = 0;
};

struct Bucket {
  uint64_t cumulative_count = 0;
  double cumulative_count_float = 0;
  double upper_bound = 0;
  bool has_exemplar = false;
  ExemplarMessage exemplar;
  double count() const {
    return cumulative_count_float != 0 ? cumulative_count_float : static_cast<double>(cumulative_count);
  }
};

struct HistogramMessage {
  uint64_t sample_count = 0;
  double sample_count_float = 0;
  double sample_sum = 0;
  std::vector<Bucket> buckets;
  int32_t schema = 0;
  double zero_threshold = 0;
  uint64_t zero_count = 0;
  double zero_count_float = 0;
  std::vector<HistogramSpan> negative_spans;
  std::vector<int64_t> negative_deltas;
  std::vector<double> negative_counts;
  std::vector<HistogramSpan> positive_spans;
  std::vector<int64_t> positive_deltas;
  std::vector<double> positive_counts;
  std::vector<ExemplarMessage> exemplars;

  bool is_float() const { return sample_count_float > 0 || zero_count_float > 0; }
  double count() const { return sample_count_float != 0 ? sample_count_float : static_cast<double>(sample_count); }
  // Whether there is a native part. One without observations and zero threshold shows itself by an empty span.
  bool is_native() const {
    return !positive_spans.empty() || !negative_spans.empty() || zero_threshold > 0 || zero_count > 0;
  }
};

struct Quantile {
  double quantile = 0;
  double value = 0;
};

// One metric of whatever type its family has; what does not belong to the type is zero. Views point into the body.
struct Metric {
  std::vector<Label> labels;
  double value = 0;  // counter, gauge, untyped
  bool has_exemplar = false;
  ExemplarMessage exemplar;  // counter
  uint64_t summary_count = 0;
  double summary_sum = 0;
  std::vector<Quantile> quantiles;
  HistogramMessage histogram;
  TimestampMs time = 0;        // 0: none
  TimestampMs start_time = 0;  // 0: none
};

struct Family {
  std::string_view name;
  std::string_view help;
  std::string_view unit;
  int type = 0;
  std::vector<std::string_view> metrics;  // undecoded
};

// The length of the delimited message at the front of `data` and where it begins. kInvalid when it does not fit.
struct Delimited {
  std::string_view message;
  size_t size = 0;  // with its length in front
};
Result<Delimited> TakeDelimited(std::string_view data);
Result<Family> DecodeFamily(std::string_view message);
// `type` chooses which of the metric's values counts.
Result<Metric> DecodeMetric(std::string_view message, FamilyType type);

}  // namespace epi::scrape::proto
