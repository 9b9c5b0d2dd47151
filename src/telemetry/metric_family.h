// Metric families as plain data, between whoever collects them and the encoders of the exposition formats. The fields
// are those of io.prometheus.client.MetricFamily.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace epi {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// The numbers are those of the protobuf enum.
enum class ExposedType : unsigned char {
  kCounter = 0,
  kGauge = 1,
  kSummary = 2,
  kUntyped = 3,
  kHistogram = 4,
  kGaugeHistogram = 5,
};

struct ProtoTime {
  int64_t seconds = 0;
  int32_t nanos = 0;
};

struct MetricExemplar {
  MetricLabels labels;
  double value = 0;
  std::optional<ProtoTime> time;
};

struct MetricBucket {
  double upper_bound = 0;
  uint64_t cumulative_count = 0;
  double cumulative_count_float = 0;  // instead of the integer when > 0
  std::optional<MetricExemplar> exemplar;
};

struct MetricSpan {
  int32_t offset = 0;
  uint32_t length = 0;
};

// Classic buckets, native ones, or both. Float counts are used when has_float_counts.
struct MetricHistogram {
  uint64_t sample_count = 0;
  double sample_count_float = 0;
  double sample_sum = 0;
  std::vector<MetricBucket> buckets;
  bool native = false;  // the next fields are written
  bool has_float_counts = false;
  int32_t schema = 0;
  double zero_threshold = 0;
  uint64_t zero_count = 0;
  double zero_count_float = 0;
  std::vector<MetricSpan> negative_spans, positive_spans;
  std::vector<int64_t> negative_deltas, positive_deltas;
  std::vector<double> negative_counts, positive_counts;
};

struct MetricPoint {
  MetricLabels labels;
  double value = 0;  // counter, gauge, untyped
  std::optional<MetricExemplar> exemplar;
  uint64_t sample_count = 0;  // summary
  double sample_sum = 0;
  std::vector<std::pair<double, double>> quantiles;  // quantile and value
  MetricHistogram histogram;
  std::optional<int64_t> timestamp_ms;
  std::optional<ProtoTime> created;
};

struct MetricFamily {
  std::string name;
  std::string help;
  bool has_help = true;
  std::string unit;
  ExposedType type = ExposedType::kUntyped;
  std::vector<MetricPoint> points;
};

}  // namespace epi
