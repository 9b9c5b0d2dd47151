#include "model/histogram_validate.h"

#include <cmath>
#include <limits>
#include <string>

#include "model/number_format.h"

namespace epi {
namespace {

tl::unexpected<Error> Invalid(std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); }

tl::unexpected<Error> NegativeOffset(size_t span, int32_t offset) {
  return Invalid("span number " + std::to_string(span + 1) + " with offset " + std::to_string(offset) +
                 ": histogram has a span whose offset is negative");
}

Result<void> CheckBucketNumber(uint64_t needed, size_t have) {
  if (needed == have) return {};
  return Invalid("spans need " + std::to_string(needed) + " buckets, have " + std::to_string(have) +
                 " buckets: histogram spans specify different number of buckets than provided");
}

Result<void> CheckSpans(const std::vector<HistogramSpan>& spans, size_t buckets) {
  uint64_t needed = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (i > 0 && spans[i].offset < 0) return NegativeOffset(i, spans[i].offset);
    needed += spans[i].length;
  }
  return CheckBucketNumber(needed, buckets);
}

Result<void> CheckCustomBounds(const std::vector<double>& bounds, const std::vector<HistogramSpan>& spans,
                               size_t buckets) {
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (std::isnan(bounds[i])) return Invalid("histogram custom bounds must not be NaN");
    if (i > 0 && bounds[i] <= bounds[i - 1]) {
      return Invalid("previous bound is " + FormatFloatPrecision(bounds[i - 1], 'f', 6) + " and current is " +
                     FormatFloatPrecision(bounds[i], 'f', 6) +
                     ": histogram custom bounds must be in strictly increasing order");
    }
  }
  if (!bounds.empty() && bounds.back() == std::numeric_limits<double>::infinity()) {
    return Invalid("last +Inf bound must not be explicitly defined: histogram custom bounds must be finite");
  }
  uint64_t needed = 0;
  uint64_t extent = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].offset < 0) return NegativeOffset(i, spans[i].offset);
    needed += spans[i].length;
    extent += uint64_t{spans[i].length} + static_cast<uint64_t>(spans[i].offset);
  }
  EPI_TRY(CheckBucketNumber(needed, buckets));
  if (bounds.size() + 1 < extent) {
    return Invalid("only " + std::to_string(bounds.size()) +
                   " custom bounds defined which is insufficient to cover total span length of " +
                   std::to_string(extent) + ": histogram custom bounds are too few");
  }
  return {};
}

tl::unexpected<Error> NegativeBucket(size_t position, const std::string& count) {
  return Invalid("bucket number " + std::to_string(position + 1) + " has observation count of " + count +
                 ": histogram has a bucket whose observation count is negative");
}

Result<void> CheckCounts(const std::vector<double>& buckets, double&) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] < 0) return NegativeBucket(i, FormatFloatGeneral(buckets[i]));
  }
  return {};
}

// Deltas; sums wrap around like Go's.
Result<void> CheckCounts(const std::vector<int64_t>& buckets, uint64_t& total) {
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    count += static_cast<uint64_t>(buckets[i]);
    if (static_cast<int64_t>(count) < 0) return NegativeBucket(i, std::to_string(static_cast<int64_t>(count)));
    total += count;
  }
  return {};
}

// Floats may be negative where an integer cannot; only the exponential zero bucket is asked.
Result<void> CheckZeroCount(double zero_count) {
  if (!(zero_count < 0)) return {};
  return Invalid("zero bucket has observation count of " + FormatFloatGeneral(zero_count) +
                 ": histogram has a bucket whose observation count is negative");
}
Result<void> CheckZeroCount(uint64_t) { return {}; }

Result<void> CheckTotal(const FloatHistogram&, double) { return {}; }  // rounding would make false alarms
Result<void> CheckTotal(const Histogram& h, uint64_t in_buckets) {
  const uint64_t found = in_buckets + h.zero_count;
  const bool has_nan = std::isnan(h.sum);
  if (has_nan ? found <= h.count : found == h.count) return {};
  return Invalid(std::to_string(found) + " observations found in buckets, but the Count field is " +
                 std::to_string(h.count) + ": histogram's observation count should " +
                 (has_nan ? "be at least the number of observations found in the buckets"
                          : "equal the number of observations found in the buckets (in absence of NaN)"));
}

Result<void> CheckCount(double count) {
  if (!(count < 0)) return {};
  return Invalid("observation count is  " + FormatFloatGeneral(count) + ": histogram's observation count is negative");
}
Result<void> CheckCount(uint64_t) { return {}; }

Result<void> WithContext(Result<void> result, const char* context) {
  if (!result) return Fail(result.error().WithContext(context));
  return {};
}

template <typename H, typename Total>
Result<void> CheckAll(const H& h, Total total) {
  if (IsCustomBucketsSchema(h.schema)) {
    EPI_TRY(
        WithContext(CheckCustomBounds(h.custom_values, h.positive_spans, h.positive_buckets.size()), "custom buckets"));
    if (h.zero_count != 0) return Invalid("custom buckets: must have zero count of 0");
    if (h.zero_threshold != 0) return Invalid("custom buckets: must have zero threshold of 0");
    if (!h.negative_spans.empty()) return Invalid("custom buckets: must not have negative spans");
    if (!h.negative_buckets.empty()) return Invalid("custom buckets: must not have negative buckets");
  } else if (IsExponentialSchema(h.schema)) {
    EPI_TRY(WithContext(CheckSpans(h.positive_spans, h.positive_buckets.size()), "positive side"));
    EPI_TRY(WithContext(CheckSpans(h.negative_spans, h.negative_buckets.size()), "negative side"));
    EPI_TRY(WithContext(CheckCounts(h.negative_buckets, total), "negative side"));
    EPI_TRY(CheckZeroCount(h.zero_count));
    if (!h.custom_values.empty()) return Invalid("histogram with exponential schema must not have custom bounds");
  } else {
    return Invalid(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom "
        "buckets, got schema " +
        std::to_string(h.schema));
  }
  EPI_TRY(CheckCount(h.count));
  EPI_TRY(WithContext(CheckCounts(h.positive_buckets, total), "positive side"));
  return CheckTotal(h, total);
}

}  // namespace

Result<void> Validate(const Histogram& h) { return CheckAll(h, uint64_t{0}); }
Result<void> Validate(const FloatHistogram& h) { return CheckAll(h, 0.0); }

}  // namespace epi
