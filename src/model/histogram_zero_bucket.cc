#include "model/histogram_zero_bucket.h"

#include "model/histogram_buckets.h"
#include "model/histogram_layout.h"
#include "model/kahan_sum.h"

namespace epi {
namespace {

// Takes in the buckets of one side that begin below the threshold. Returns where the threshold has to go when the last
// of them is populated and reaches beyond it.
template <typename Cursor>
std::optional<double> Swallow(Cursor at, double threshold, const std::vector<double>* compensation, KahanSum& count) {
  while (at.Next()) {
    if (at.near() >= threshold) return std::nullopt;
    count.Add(at.count());
    if (compensation != nullptr) count.Add((*compensation)[at.position()]);
    if (at.far() > threshold) return at.count() != 0 ? std::optional(at.far()) : std::nullopt;
  }
  return std::nullopt;
}

// Empties the buckets that lie inside the zero bucket: their counts are in it already.
template <typename Cursor>
void EmptyInside(Cursor at, double threshold, std::vector<double>& buckets, std::vector<double>* compensation) {
  while (at.Next() && at.near() < threshold) {
    buckets[at.position()] = 0;
    if (compensation != nullptr) (*compensation)[at.position()] = 0;
  }
}

}  // namespace

WiderZeroBucket WidenZeroBucket(const FloatHistogram& h, double threshold, const FloatHistogram* compensation) {
  KahanSum count{h.zero_count, compensation != nullptr ? compensation->zero_count : 0};
  if (threshold == h.zero_threshold || IsCustomBucketsSchema(h.schema))
    return {count.sum, threshold, count.compensation};
  for (;;) {
    count.sum = h.zero_count;  // Prometheus begins again with the sum alone: the compensation goes on
    if (const auto wider = Swallow(PositiveCursor(h), threshold,
                                   compensation != nullptr ? &compensation->positive_buckets : nullptr, count)) {
      threshold = *wider;
    }
    const auto wider = Swallow(NegativeCursor(h), threshold,
                               compensation != nullptr ? &compensation->negative_buckets : nullptr, count);
    if (!wider) return {count.sum, threshold, count.compensation};
    threshold = *wider;  // the positive side has to be looked at again
  }
}

WiderZeroBucket ReconcileZeroBuckets(FloatHistogram& h, const FloatHistogram& other, FloatHistogram* compensation) {
  WiderZeroBucket out{other.zero_count, other.zero_threshold, 0};
  while (out.threshold != h.zero_threshold) {
    if (h.zero_threshold > out.threshold) out = WidenZeroBucket(other, h.zero_threshold);
    if (!(out.threshold > h.zero_threshold)) {
      if (out.threshold == h.zero_threshold) break;
      return out;  // a threshold that is no number cannot be reconciled
    }
    const WiderZeroBucket wider = WidenZeroBucket(h, out.threshold, compensation);
    h.zero_count = wider.count;
    h.zero_threshold = wider.threshold;
    if (compensation != nullptr) compensation->zero_count = wider.compensation;
    EmptyInside(PositiveCursor(h), h.zero_threshold, h.positive_buckets,
                compensation != nullptr ? &compensation->positive_buckets : nullptr);
    EmptyInside(NegativeCursor(h), h.zero_threshold, h.negative_buckets,
                compensation != nullptr ? &compensation->negative_buckets : nullptr);
    CompactTogether(h, compensation, 0);
  }
  return out;
}

}  // namespace epi
