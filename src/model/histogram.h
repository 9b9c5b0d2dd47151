// Native histograms: the values themselves. Their arithmetic is in histogram_math.h.
// Layout and meaning follow Prometheus's model/histogram: schemas -4..8 are exponential with base 2^(2^-schema), schema
// -53 has custom boundaries (NHCB).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace epi {

inline constexpr int32_t kCustomBucketsSchema = -53;
inline constexpr int32_t kExponentialSchemaMin = -4;
inline constexpr int32_t kExponentialSchemaMax = 8;
inline bool IsCustomBucketsSchema(int32_t schema) { return schema == kCustomBucketsSchema; }
inline bool IsExponentialSchema(int32_t schema) {
  return schema >= kExponentialSchemaMin && schema <= kExponentialSchemaMax;
}

enum class CounterResetHint : unsigned char { kUnknown = 0, kReset = 1, kNotReset = 2, kGauge = 3 };

// `offset` empty buckets after the previous span (or from index 0), then `length` buckets that have a value.
struct HistogramSpan {
  int32_t offset = 0;
  uint32_t length = 0;
  friend bool operator==(const HistogramSpan&, const HistogramSpan&) = default;
};

// Integer counts; buckets are deltas to the previous bucket, the first one absolute.
struct Histogram {
  CounterResetHint counter_reset_hint = CounterResetHint::kUnknown;
  int32_t schema = 0;
  double zero_threshold = 0;
  uint64_t zero_count = 0;
  uint64_t count = 0;
  double sum = 0;  // the stale marker here marks the whole histogram stale
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<int64_t> positive_buckets;
  std::vector<int64_t> negative_buckets;
  std::vector<double> custom_values;  // upper bounds, ascending, without +Inf; only for schema -53
  friend bool operator==(const Histogram&, const Histogram&) = default;
};

// Float counts; buckets are absolute.
struct FloatHistogram {
  CounterResetHint counter_reset_hint = CounterResetHint::kUnknown;
  int32_t schema = 0;
  double zero_threshold = 0;
  double zero_count = 0;
  double count = 0;
  double sum = 0;
  std::vector<HistogramSpan> positive_spans;
  std::vector<HistogramSpan> negative_spans;
  std::vector<double> positive_buckets;
  std::vector<double> negative_buckets;
  std::vector<double> custom_values;
  friend bool operator==(const FloatHistogram&, const FloatHistogram&) = default;
};

}  // namespace epi
