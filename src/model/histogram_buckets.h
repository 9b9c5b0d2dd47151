// Walking over the buckets of a native histogram.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/histogram.h"
#include "model/histogram_bounds.h"

namespace epi {

// Steps through the buckets that a list of spans names: index ascending, beside the position in the list of counts.
// Ends when either the spans or the `buckets` counts are used up, so a damaged histogram is walked as far as it makes
// sense.
class SpanWalk {
 public:
  SpanWalk(std::span<const HistogramSpan> spans, size_t buckets) : spans_(spans), buckets_(buckets) {}
  bool Next() {
    if (next_position_ >= buckets_) return false;
    ++index_;
    while (left_in_span_ == 0) {
      if (next_span_ == spans_.size()) return false;
      index_ += spans_[next_span_].offset;
      left_in_span_ = spans_[next_span_++].length;
    }
    --left_in_span_;
    ++next_position_;
    return true;
  }
  // Of the current bucket, after Next() returned true.
  int64_t index() const { return index_; }
  size_t position() const { return next_position_ - 1; }

 private:
  std::span<const HistogramSpan> spans_;
  size_t buckets_;
  size_t next_position_ = 0;
  size_t next_span_ = 0;
  uint32_t left_in_span_ = 0;
  int64_t index_ = -1;
};

// Appends buckets one by one, index ascending, and keeps the spans minimal: neighbours share one.
class SpanBuilder {
 public:
  explicit SpanBuilder(std::vector<HistogramSpan>& out) : out_(out) {}
  void Add(int64_t index) {
    if (out_.empty() || index != next_) {
      out_.push_back({static_cast<int32_t>(out_.empty() ? index : index - next_), 0});
    }
    ++out_.back().length;
    next_ = index + 1;
  }

 private:
  std::vector<HistogramSpan>& out_;
  int64_t next_ = 0;
};

struct Bucket {
  double lower = 0;
  double upper = 0;
  double count = 0;
  int64_t index = 0;  // 0 for the zero bucket
  bool lower_inclusive = false;
  bool upper_inclusive = false;

  // The share of the bucket's width at or below `v`, which lies strictly inside finite bounds: by length, or by the
  // logarithm, as exponential buckets grow.
  double FractionBelow(double v, bool linear) const;
  // "(0.5,1]:3"
  std::string ToString() const;
  friend bool operator==(const Bucket&, const Bucket&) = default;
};

// The buckets of a span walk as Prometheus describes them.
Bucket PositiveBucket(int64_t index, double count, int32_t schema, std::span<const double> custom_values);
Bucket NegativeBucket(int64_t index, double count, int32_t schema);
Bucket ZeroBucket(const FloatHistogram& h);

// One side of a float histogram, from the buckets next to zero outwards, empty buckets included.
// The histogram outlives the cursor.
class PositiveCursor {
 public:
  explicit PositiveCursor(const FloatHistogram& h) : h_(h), walk_(h.positive_spans, h.positive_buckets.size()) {}
  bool Next() { return walk_.Next(); }
  int64_t index() const { return walk_.index(); }
  size_t position() const { return walk_.position(); }
  double count() const { return h_.positive_buckets[walk_.position()]; }
  Bucket bucket() const { return PositiveBucket(index(), count(), h_.schema, h_.custom_values); }
  // Absolute values of the bounds; only for exponential buckets.
  double near() const { return ExponentialBound(index() - 1, h_.schema); }
  double far() const { return ExponentialBound(index(), h_.schema); }

 private:
  const FloatHistogram& h_;
  SpanWalk walk_;
};

class NegativeCursor {
 public:
  explicit NegativeCursor(const FloatHistogram& h) : h_(h), walk_(h.negative_spans, h.negative_buckets.size()) {}
  bool Next() { return walk_.Next(); }
  int64_t index() const { return walk_.index(); }
  size_t position() const { return walk_.position(); }
  double count() const { return h_.negative_buckets[walk_.position()]; }
  Bucket bucket() const { return NegativeBucket(index(), count(), h_.schema); }
  double near() const { return ExponentialBound(index() - 1, h_.schema); }
  double far() const { return ExponentialBound(index(), h_.schema); }

 private:
  const FloatHistogram& h_;
  SpanWalk walk_;
};

// All buckets by position, from the lowest to the highest: negative, zero (only when its count is positive), positive;
// empty ones included. A bucket that reaches into the zero bucket is cut at the zero threshold. The histogram outlives
// it.
class BucketSequence {
 public:
  explicit BucketSequence(const FloatHistogram& h);
  size_t size() const { return negative_ + (has_zero_ ? 1 : 0) + positive_; }
  double count(size_t i) const;
  // With bounds; costs a walk over the spans.
  Bucket bucket(size_t i) const;

 private:
  const FloatHistogram& h_;
  size_t negative_;  // as many as both spans and counts have
  size_t positive_;
  bool has_zero_;
};

// The same as a list.
std::vector<Bucket> AllBuckets(const FloatHistogram& h);

}  // namespace epi
