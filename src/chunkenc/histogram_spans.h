// The layout of buckets in native histograms: walking it, and bringing two layouts to one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/histogram.h"

namespace epi {

// Walks the bucket indexes a span list covers, in order. Indexes are 64 bits wide so that no list overflows them.
class BucketIndexes {
 public:
  explicit BucketIndexes(std::span<const HistogramSpan> spans) : spans_(spans) { Settle(); }
  bool done() const { return at_ == spans_.size(); }
  int64_t index() const { return index_; }  // requires !done()
  void Next() {
    ++index_;
    if (++within_ == spans_[at_].length) {
      ++at_;
      within_ = 0;
      Settle();
    }
  }

 private:
  // Steps over spans without a bucket to the first bucket at or behind `at_`.
  void Settle() {
    while (at_ < spans_.size()) {
      index_ += spans_[at_].offset;
      if (spans_[at_].length > 0) return;
      ++at_;
    }
  }
  std::span<const HistogramSpan> spans_;
  size_t at_ = 0;
  uint32_t within_ = 0;
  int64_t index_ = 0;
};

uint64_t CountBuckets(std::span<const HistogramSpan> spans);

// Two layouts brought to the smallest one that has the buckets of both.
struct MergedSpans {
  std::vector<HistogramSpan> spans;
  size_t buckets = 0;
  std::vector<uint32_t> slots_a;  // slots_a[i] is where a's i-th bucket lies in the merged layout
  std::vector<uint32_t> slots_b;
  bool same_as_a() const { return slots_a.size() == buckets; }
  bool same_as_b() const { return slots_b.size() == buckets; }
};
// Linear in the number of buckets of both; the caller bounds them.
MergedSpans MergeSpans(std::span<const HistogramSpan> a, std::span<const HistogramSpan> b);

// Buckets moved to `slots` of a layout with `count` buckets; what is new there is zero. Deltas keep the absolute
// counts.
std::vector<int64_t> ExpandDeltas(std::span<const int64_t> deltas, std::span<const uint32_t> slots, size_t count);
std::vector<double> ExpandCounts(std::span<const double> counts, std::span<const uint32_t> slots, size_t count);

// The merged layout when counts of `b` may follow those of `a` in one counter chunk; nothing when some bucket went
// down, or had observations in `a` and is missing in `b`: a counter reset. Buckets are absolute counts, one for each
// slot of the spans.
template <typename Count>
std::optional<MergedSpans> MergeUnlessReset(std::span<const HistogramSpan> spans_a, std::span<const Count> a,
                                            std::span<const HistogramSpan> spans_b, std::span<const Count> b);
extern template std::optional<MergedSpans> MergeUnlessReset<int64_t>(std::span<const HistogramSpan>,
                                                                     std::span<const int64_t>,
                                                                     std::span<const HistogramSpan>,
                                                                     std::span<const int64_t>);
extern template std::optional<MergedSpans> MergeUnlessReset<double>(std::span<const HistogramSpan>,
                                                                    std::span<const double>,
                                                                    std::span<const HistogramSpan>,
                                                                    std::span<const double>);

std::vector<int64_t> DeltasToCounts(std::span<const int64_t> deltas);

}  // namespace epi
