#include "chunkenc/histogram_spans.h"

#include <algorithm>
#include <utility>

#include "chunkenc/wrapping.h"

namespace epi {
namespace {

// Grows a span list by ascending indexes; neighbours share a span.
class SpanBuilder {
 public:
  explicit SpanBuilder(std::vector<HistogramSpan>& out) : out_(out) {}
  void Add(int64_t index) {
    if (!out_.empty() && index == next_) {
      ++out_.back().length;
    } else {
      out_.push_back({static_cast<int32_t>(index - next_), 1});
    }
    next_ = index + 1;
  }

 private:
  std::vector<HistogramSpan>& out_;
  int64_t next_ = 0;
};

}  // namespace

uint64_t CountBuckets(std::span<const HistogramSpan> spans) {
  uint64_t sum = 0;
  for (const auto& span : spans) sum += span.length;
  return sum;
}

MergedSpans MergeSpans(std::span<const HistogramSpan> a, std::span<const HistogramSpan> b) {
  MergedSpans out;
  SpanBuilder builder(out.spans);
  BucketIndexes in_a(a);
  BucketIndexes in_b(b);
  while (!in_a.done() || !in_b.done()) {
    const bool take_a = !in_a.done() && (in_b.done() || in_a.index() <= in_b.index());
    const bool take_b = !in_b.done() && (in_a.done() || in_b.index() <= in_a.index());
    builder.Add(take_a ? in_a.index() : in_b.index());
    if (take_a) {
      out.slots_a.push_back(static_cast<uint32_t>(out.buckets));
      in_a.Next();
    }
    if (take_b) {
      out.slots_b.push_back(static_cast<uint32_t>(out.buckets));
      in_b.Next();
    }
    ++out.buckets;
  }
  return out;
}

std::vector<int64_t> DeltasToCounts(std::span<const int64_t> deltas) {
  std::vector<int64_t> counts(deltas.size());
  int64_t count = 0;
  for (size_t i = 0; i < deltas.size(); ++i) counts[i] = count = WrapAdd(count, deltas[i]);
  return counts;
}

std::vector<int64_t> ExpandDeltas(std::span<const int64_t> deltas, std::span<const uint32_t> slots, size_t count) {
  std::vector<int64_t> out(count, 0);
  int64_t absolute = 0;
  for (size_t i = 0; i < deltas.size(); ++i) out[slots[i]] = absolute = WrapAdd(absolute, deltas[i]);
  int64_t before = 0;
  for (auto& bucket : out) bucket = WrapSub(bucket, std::exchange(before, bucket));
  return out;
}

std::vector<double> ExpandCounts(std::span<const double> counts, std::span<const uint32_t> slots, size_t count) {
  std::vector<double> out(count, 0.0);
  for (size_t i = 0; i < counts.size(); ++i) out[slots[i]] = counts[i];
  return out;
}

template <typename Count>
std::optional<MergedSpans> MergeUnlessReset(std::span<const HistogramSpan> spans_a, std::span<const Count> a,
                                            std::span<const HistogramSpan> spans_b, std::span<const Count> b) {
  MergedSpans merged = MergeSpans(spans_a, spans_b);
  size_t at_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    while (at_b < b.size() && merged.slots_b[at_b] < merged.slots_a[i]) ++at_b;
    const bool in_b = at_b < b.size() && merged.slots_b[at_b] == merged.slots_a[i];
    if (in_b ? a[i] > b[at_b] : a[i] != 0) return std::nullopt;
  }
  return merged;
}

template std::optional<MergedSpans> MergeUnlessReset<int64_t>(std::span<const HistogramSpan>, std::span<const int64_t>,
                                                              std::span<const HistogramSpan>, std::span<const int64_t>);
template std::optional<MergedSpans> MergeUnlessReset<double>(std::span<const HistogramSpan>, std::span<const double>,
                                                             std::span<const HistogramSpan>, std::span<const double>);

}  // namespace epi
