// Samples and the bit patterns that carry meaning.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "base/clock.h"
#include "model/labels.h"

namespace epi {

// Prometheus's stale marker and the ordinary NaN (model/value in prometheus/prometheus).
inline constexpr uint64_t kStaleNaNBits = 0x7ff0000000000002;
inline constexpr uint64_t kNormalNaNBits = 0x7ff8000000000001;
inline double StaleNaN() { return std::bit_cast<double>(kStaleNaNBits); }
inline double NormalNaN() { return std::bit_cast<double>(kNormalNaNBits); }
inline bool IsStaleNaN(double v) { return std::bit_cast<uint64_t>(v) == kStaleNaNBits; }

// Both ends are included. Default: all of time.
struct TimeRange {
  TimestampMs min = std::numeric_limits<TimestampMs>::min();
  TimestampMs max = std::numeric_limits<TimestampMs>::max();
  bool Contains(TimestampMs t) const { return min <= t && t <= max; }
  bool Overlaps(const TimeRange& other) const { return min <= other.max && other.min <= max; }
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

struct Exemplar {
  Labels labels;
  double value = 0;
  TimestampMs time = 0;
  bool has_time = false;
  friend bool operator==(const Exemplar&, const Exemplar&) = default;
};

enum class MetricType : unsigned char {
  kUnknown,
  kCounter,
  kGauge,
  kHistogram,
  kGaugeHistogram,
  kSummary,
  kInfo,
  kStateset
};
std::string_view MetricTypeName(MetricType type);  // "unknown", "counter", …, as the API and exposition spell them
MetricType MetricTypeFromName(std::string_view name);  // kUnknown for other words

struct MetricMetadata {
  MetricType type = MetricType::kUnknown;
  std::string unit;
  std::string help;
  friend bool operator==(const MetricMetadata&, const MetricMetadata&) = default;
};

}  // namespace epi
