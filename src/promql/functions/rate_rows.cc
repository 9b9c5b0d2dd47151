// rate, increase and delta over a whole series of floats. Time-only terms come from the column; a series adds two
// loads, a subtraction, the resets and two or three divisions a step, in the operation order of the definition.
#include <algorithm>
#include <array>
#include <cmath>

#include "promql/functions/rate.h"

namespace epi::promql {
namespace {

constexpr size_t kChunk = 64;  // steps a time: the arithmetic loops have a fixed length, so they become SIMD code

void FillRateTerms(const FloatRow& row) {
  RateTerms& terms = row.rate_terms;
  const size_t steps = row.grid.count;
  terms.sampled_interval.resize(steps);
  terms.to_start.resize(steps);
  terms.to_end.resize(steps);
  for (size_t k = 0; k < steps; ++k) {
    const uint32_t lo = row.windows.lo[k];
    const uint32_t hi = row.windows.hi[k];
    if (hi < lo + 2) {
      terms.sampled_interval[k] = 1;
      terms.to_start[k] = terms.to_end[k] = 0;
      continue;
    }
    const TimestampMs time = row.grid.Time(k);
    const TimestampMs first = row.t[lo];
    const TimestampMs last = row.t[hi - 1];
    const double sampled = static_cast<double>(last - first) / 1000;
    const double average = sampled / static_cast<double>(hi - lo - 1);
    const double threshold = average * 1.1;
    double to_start = static_cast<double>(first - row.spec.RangeStart(time)) / 1000;
    double to_end = static_cast<double>(row.spec.RangeEnd(time) - last) / 1000;
    if (to_start >= threshold) to_start = average / 2;
    if (to_end >= threshold) to_end = average / 2;
    terms.sampled_interval[k] = sampled;
    terms.to_start[k] = to_start;
    terms.to_end[k] = to_end;
  }
  terms.ready = true;
}

// Positions where a counter fell, found once for all windows of the series.
class ResetWalk {
 public:
  ResetWalk(const double* v, size_t count) : v_(v) {
    for (size_t i = 1; i < count; ++i) {
      if (v[i] < v[i - 1]) positions_.push_back(static_cast<uint32_t>(i));
    }
  }
  bool any() const { return !positions_.empty(); }
  // Adds the value before every reset inside [lo, hi), in order. Windows come with ascending lo.
  double Correct(double result, uint32_t lo, uint32_t hi) {
    while (first_ < positions_.size() && positions_[first_] <= lo) ++first_;
    for (size_t i = first_; i < positions_.size() && positions_[i] < hi; ++i) result += v_[positions_[i] - 1];
    return result;
  }

 private:
  const double* v_;
  std::vector<uint32_t> positions_;
  size_t first_ = 0;
};

template <bool kCounter, bool kRate>
void ExtrapolateChunk(const double* first, const double* delta, const double* sampled, const double* to_start,
                      const double* to_end, double range_seconds, double* out) {
  for (size_t i = 0; i < kChunk; ++i) {
    double start = to_start[i];
    if constexpr (kCounter) {
      // A counter is not extrapolated below zero.
      const double to_zero = sampled[i] * (first[i] / delta[i]);
      const bool applies = (delta[i] > 0) & (first[i] >= 0) & (to_zero < start);
      start = applies ? to_zero : start;
    }
    double factor = (sampled[i] + start + to_end[i]) / sampled[i];
    if constexpr (kRate) factor /= range_seconds;
    out[i] = delta[i] * factor;
  }
}

template <bool kCounter, bool kRate>
void ExtrapolatedRow(const FloatRow& row, RangeContext& context) {
  if (!row.rate_terms.ready) FillRateTerms(row);
  const RateTerms& terms = row.rate_terms;
  const size_t steps = row.grid.count;
  const uint32_t* lo = row.windows.lo.data();
  const uint32_t* hi = row.windows.hi.data();
  const double* v = row.v;
  const uint32_t used = steps == 0 ? 0 : hi[steps - 1];
  ResetWalk resets(kCounter ? v : nullptr, kCounter ? used : 0);

  std::array<double, kChunk> first;
  std::array<double, kChunk> delta;
  std::array<std::array<double, kChunk>, 4> padded;
  for (size_t base = 0; base < steps; base += kChunk) {
    const size_t count = std::min(kChunk, steps - base);
    uint64_t present = 0;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t low = lo[base + i];
      const uint32_t high = hi[base + i];
      const bool enough = high >= low + 2;
      present |= static_cast<uint64_t>(enough) << i;
      const uint32_t last = enough ? high - 1 : low;
      // Where there is nothing, any two loads from the series will do; an empty series has no steps with anything.
      first[i] = used == 0 ? 0 : v[low < used ? low : used - 1];
      delta[i] = (used == 0 ? 0 : v[last < used ? last : used - 1]) - first[i];
    }
    if (present == 0) continue;
    if (kCounter && resets.any()) {
      for (size_t i = 0; i < count; ++i) {
        if ((present >> i) & 1) delta[i] = resets.Correct(delta[i], lo[base + i], hi[base + i]);
      }
    }
    row.bits[base / 64] = present;
    const double* sampled = terms.sampled_interval.data() + base;
    const double* to_start = terms.to_start.data() + base;
    const double* to_end = terms.to_end.data() + base;
    if (count == kChunk) {
      ExtrapolateChunk<kCounter, kRate>(first.data(), delta.data(), sampled, to_start, to_end, context.range_seconds,
                                        row.values + base);
      continue;
    }
    for (auto& column : padded) column.fill(1);
    for (size_t i = count; i < kChunk; ++i) first[i] = delta[i] = 1;
    std::copy_n(sampled, count, padded[0].data());
    std::copy_n(to_start, count, padded[1].data());
    std::copy_n(to_end, count, padded[2].data());
    ExtrapolateChunk<kCounter, kRate>(first.data(), delta.data(), padded[0].data(), padded[1].data(), padded[2].data(),
                                      context.range_seconds, padded[3].data());
    std::copy_n(padded[3].data(), count, row.values + base);
  }
}

}  // namespace

void RateRow(const FloatRow& row, RangeContext& context) { ExtrapolatedRow<true, true>(row, context); }
void IncreaseRow(const FloatRow& row, RangeContext& context) { ExtrapolatedRow<true, false>(row, context); }
void DeltaRow(const FloatRow& row, RangeContext& context) { ExtrapolatedRow<false, false>(row, context); }

}  // namespace epi::promql
