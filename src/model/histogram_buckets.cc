#include "model/histogram_buckets.h"

#include <algorithm>
#include <cmath>

#include "model/histogram_bounds.h"
#include "model/log2.h"
#include "model/number_format.h"

namespace epi {
namespace {

void CutAtZeroBucket(Bucket& bucket, double threshold) {
  if (bucket.upper < 0 && bucket.upper > -threshold) {
    bucket.upper = -threshold;
  } else if (bucket.lower > 0 && bucket.lower < threshold) {
    bucket.lower = threshold;
  }
}

// How many buckets spans and counts agree on.
size_t UsableBuckets(const std::vector<HistogramSpan>& spans, size_t counts) {
  uint64_t named = 0;
  for (const HistogramSpan& span : spans) named += span.length;
  return static_cast<size_t>(std::min<uint64_t>(named, counts));
}

int64_t IndexAt(const std::vector<HistogramSpan>& spans, size_t position) {
  int64_t index = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    if (position < span.length) return index + static_cast<int64_t>(position);
    position -= span.length;
    index += span.length;
  }
  return index;
}

}  // namespace

double Bucket::FractionBelow(double v, bool linear) const {
  if (linear) return (v - lower) / (upper - lower);
  const double log_lower = Log2(std::fabs(lower));
  const double log_upper = Log2(std::fabs(upper));
  const double log_v = Log2(std::fabs(v));
  if (v > 0) return (log_v - log_lower) / (log_upper - log_lower);
  return 1 - ((log_v - log_upper) / (log_lower - log_upper));
}

std::string Bucket::ToString() const {
  std::string out(1, lower_inclusive ? '[' : '(');
  AppendFloatGeneral(out, lower);
  out += ',';
  AppendFloatGeneral(out, upper);
  out += upper_inclusive ? "]:" : "):";
  AppendFloatGeneral(out, count);
  return out;
}

Bucket PositiveBucket(int64_t index, double count, int32_t schema, std::span<const double> custom_values) {
  Bucket out;
  out.index = index;
  out.count = count;
  out.lower = BucketBound(index - 1, schema, custom_values);
  out.upper = BucketBound(index, schema, custom_values);
  out.lower_inclusive = IsCustomBucketsSchema(schema) ? index == 0 : out.lower < 0;
  out.upper_inclusive = IsCustomBucketsSchema(schema) || out.upper > 0;
  return out;
}

Bucket NegativeBucket(int64_t index, double count, int32_t schema) {
  Bucket out;
  out.index = index;
  out.count = count;
  out.lower = -BucketBound(index, schema, {});
  out.upper = -BucketBound(index - 1, schema, {});
  out.lower_inclusive = IsCustomBucketsSchema(schema) ? index == 0 : out.lower < 0;
  out.upper_inclusive = IsCustomBucketsSchema(schema) || out.upper > 0;
  return out;
}

Bucket ZeroBucket(const FloatHistogram& h) {
  return {-h.zero_threshold, h.zero_threshold, h.zero_count, 0, true, true};
}

BucketSequence::BucketSequence(const FloatHistogram& h)
    : h_(h),
      negative_(UsableBuckets(h.negative_spans, h.negative_buckets.size())),
      positive_(UsableBuckets(h.positive_spans, h.positive_buckets.size())),
      has_zero_(h.zero_count > 0) {}

double BucketSequence::count(size_t i) const {
  if (i < negative_) return h_.negative_buckets[negative_ - 1 - i];
  i -= negative_;
  if (!has_zero_) return h_.positive_buckets[i];
  return i == 0 ? h_.zero_count : h_.positive_buckets[i - 1];
}

Bucket BucketSequence::bucket(size_t i) const {
  const double its_count = count(i);
  if (has_zero_ && i == negative_) return ZeroBucket(h_);
  Bucket out;
  if (i < negative_) {
    out = NegativeBucket(IndexAt(h_.negative_spans, negative_ - 1 - i), its_count, h_.schema);
  } else {
    const size_t position = i - negative_ - (has_zero_ ? 1 : 0);
    out = PositiveBucket(IndexAt(h_.positive_spans, position), its_count, h_.schema, h_.custom_values);
  }
  CutAtZeroBucket(out, h_.zero_threshold);
  return out;
}

std::vector<Bucket> AllBuckets(const FloatHistogram& h) {
  std::vector<Bucket> out;
  out.reserve(h.negative_buckets.size() + h.positive_buckets.size() + 1);
  for (NegativeCursor at(h); at.Next();) {
    out.push_back(at.bucket());
    CutAtZeroBucket(out.back(), h.zero_threshold);
  }
  std::reverse(out.begin(), out.end());
  if (h.zero_count > 0) out.push_back(ZeroBucket(h));
  for (PositiveCursor at(h); at.Next();) {
    out.push_back(at.bucket());
    CutAtZeroBucket(out.back(), h.zero_threshold);
  }
  return out;
}

}  // namespace epi
