// An OTLP metrics request (opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest) as a tree, from either
// of its two encodings.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/budget.h"
#include "base/result.h"

namespace epi::remote::otlp {

// Values are kept in the text form that labels get; see any_value.h.
struct Attribute {
  std::string_view key;
  std::string value;
};
using Attributes = std::vector<Attribute>;

struct DataExemplar {
  uint64_t time_ns = 0;
  std::optional<double> value;
  std::string trace_id;  // lower-case hex; empty when absent or all zero
  std::string span_id;
  Attributes attributes;
};

struct Buckets {
  int32_t offset = 0;
  std::vector<uint64_t> counts;
};

// What only histograms and summaries have.
struct Distribution {
  uint64_t count = 0;
  std::optional<double> sum;
  std::vector<uint64_t> bucket_counts;  // explicit bounds
  std::vector<double> bounds;
  int32_t scale = 0;  // exponential
  uint64_t zero_count = 0;
  Buckets positive, negative;
  struct Quantile {
    double quantile = 0;
    double value = 0;
  };
  std::vector<Quantile> quantiles;
};

struct DataPoint {
  Attributes attributes;
  uint64_t start_ns = 0;
  uint64_t time_ns = 0;
  double value = 0;
  bool no_recorded_value = false;              // flag bit 0
  std::unique_ptr<Distribution> distribution;  // set for histograms and summaries
  std::vector<DataExemplar> exemplars;
};

enum class Kind : unsigned char { kNone, kGauge, kSum, kHistogram, kExponentialHistogram, kSummary };
enum class Temporality : unsigned char { kUnspecified, kDelta, kCumulative };

struct Metric {
  std::string_view name, description, unit;
  Kind kind = Kind::kNone;
  Temporality temporality = Temporality::kUnspecified;
  bool monotonic = false;
  std::vector<DataPoint> points;
};
struct ScopeMetrics {
  std::string_view name, version, schema_url;
  Attributes attributes;
  std::vector<Metric> metrics;
};
struct ResourceMetrics {
  Attributes attributes;
  std::vector<ScopeMetrics> scopes;
};
struct ExportRequest {
  std::vector<ResourceMetrics> resources;
  std::shared_ptr<const void> text;  // keeps what the views point into, where that is not the caller's bytes
  BudgetCharge charge;               // of the tree
};

// A small message can name many objects; the tree of one request never grows beyond this.
inline constexpr int64_t kMaxTreeBytes = int64_t{256} << 20;

// The tree is charged to `budget`, which outlives it. kInvalid for bytes that are no such message or name too much,
// kLimit when `budget` has no room. Views in the result point into `bytes` (protobuf) or into ExportRequest::text
// (JSON).
Result<ExportRequest> DecodeProtobuf(std::string_view bytes, Budget& budget);
Result<ExportRequest> DecodeJson(std::string_view bytes, Budget& budget);

}  // namespace epi::remote::otlp
