#include "remote/otlp/native_histograms.h"

#include <limits>
#include <optional>
#include <span>

#include "model/number_format.h"
#include "model/sample.h"

namespace epi::remote::otlp {
namespace {

// What Prometheus stores whatever the request says.
constexpr double kZeroThreshold = 1e-128;
// A gap this short costs less as empty buckets than as a span.
constexpr int64_t kShortGap = 2;

// Builds one side bucket by bucket; indices ascend.
class SideBuilder {
 public:
  SideBuilder(std::vector<HistogramSpan>& spans, std::vector<int64_t>& deltas) : spans_(spans), deltas_(deltas) {}
  void Add(int64_t index, int64_t count) {
    if (!next_) {
      spans_.push_back({static_cast<int32_t>(index), 0});
    } else if (index - *next_ > kShortGap) {
      spans_.push_back({static_cast<int32_t>(index - *next_), 0});
    } else {
      for (int64_t gap = *next_; gap < index; ++gap) Push(0);
    }
    Push(count);
    next_ = index + 1;
  }

 private:
  void Push(int64_t count) {
    ++spans_.back().length;
    deltas_.push_back(count - last_);
    last_ = count;
  }
  std::vector<HistogramSpan>& spans_;
  std::vector<int64_t>& deltas_;
  std::optional<int64_t> next_;
  int64_t last_ = 0;
};

// Bucket i of `counts` belongs to index ((offset + i) >> shift) + 1. Empty buckets are left out.
Result<void> FillSide(const Buckets& buckets, int shift, std::vector<HistogramSpan>& spans,
                      std::vector<int64_t>& deltas) {
  SideBuilder side(spans, deltas);
  int64_t index = 0;
  uint64_t sum = 0;
  const auto flush = [&] {
    if (sum > 0) side.Add(index, static_cast<int64_t>(sum));
    sum = 0;
  };
  for (size_t i = 0; i < buckets.counts.size(); ++i) {
    const int64_t at = ((static_cast<int64_t>(buckets.offset) + static_cast<int64_t>(i)) >> shift) + 1;
    if (at > std::numeric_limits<int32_t>::max()) return Fail(ErrorCode::kInvalid, "bucket index out of range");
    if (at != index) flush();
    index = at;
    sum += buckets.counts[i];
  }
  flush();
  return {};
}

void SetCountAndSum(const DataPoint& point, std::string_view kind, Histogram& out, Warnings& warnings) {
  const Distribution& d = *point.distribution;
  if (point.no_recorded_value) {
    out.sum = StaleNaN();
    out.count = kStaleNaNBits;
    return;
  }
  out.count = d.count;
  out.sum = d.sum.value_or(0);
  if (out.count == 0 && out.sum != 0) {
    warnings.push_back(
        {"histogram_zero_count_non_zero_sum",
         std::string(kind) + " data point has zero count, but non-zero sum: " + FormatFloatPrecision(out.sum, 'f', 6)});
  }
}

CounterResetHint HintOf(bool delta) { return delta ? CounterResetHint::kGauge : CounterResetHint::kUnknown; }

}  // namespace

Result<Histogram> ExponentialToNative(const DataPoint& point, bool delta, Warnings& warnings) {
  const Distribution& d = *point.distribution;
  if (d.scale < kExponentialSchemaMin) {
    return Fail(ErrorCode::kInvalid,
                "cannot convert exponential to native histogram. Scale must be >= -4, was " + std::to_string(d.scale));
  }
  Histogram out;
  out.counter_reset_hint = HintOf(delta);
  out.schema = std::min(d.scale, kExponentialSchemaMax);
  out.zero_threshold = kZeroThreshold;
  out.zero_count = d.zero_count;
  const int shift = std::min(d.scale - out.schema, 40);
  EPI_TRY(FillSide(d.positive, shift, out.positive_spans, out.positive_buckets));
  EPI_TRY(FillSide(d.negative, shift, out.negative_spans, out.negative_buckets));
  SetCountAndSum(point, "exponential histogram", out, warnings);
  return out;
}

Result<Histogram> ExplicitToNative(const DataPoint& point, bool delta, Warnings& warnings) {
  const Distribution& d = *point.distribution;
  Histogram out;
  out.counter_reset_hint = HintOf(delta);
  out.schema = kCustomBucketsSchema;
  out.custom_values = d.bounds;
  SideBuilder side(out.positive_spans, out.positive_buckets);
  for (size_t i = 0; i < d.bucket_counts.size(); ++i) {
    if (d.bucket_counts[i] > 0) side.Add(static_cast<int64_t>(i), static_cast<int64_t>(d.bucket_counts[i]));
  }
  SetCountAndSum(point, "histogram", out, warnings);
  return out;
}

}  // namespace epi::remote::otlp
