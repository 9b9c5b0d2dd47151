// rate, increase and delta over a whole series of floats. What depends on times alone comes from the column; a series
// adds two loads, a subtraction, the resets and a multiplication a step, and divisions only where a counter may be
// close to zero.
#include <algorithm>
#include <array>
#include <cmath>

#include "promql/functions/dense_kernels.h"
#include "promql/functions/rate.h"

namespace epi::promql {
namespace {

constexpr size_t kRateChunk = ExtrapolationChunk::kSteps;

void FillRateTerms(const FloatRow& row, double range_seconds) {
  RateTerms& terms = row.rate_terms;
  // Padded to whole chunks: steps beyond the last are computed and not used.
  const size_t steps = row.grid.count;
  const size_t padded = (steps + kRateChunk - 1) / kRateChunk * kRateChunk;
  terms.sampled_interval.assign(padded, 1);
  terms.to_start.assign(padded, 0);
  terms.to_end.assign(padded, 0);
  terms.factor.assign(padded, 1);
  terms.first.assign(padded, 0);
  terms.last.assign(padded, 0);
  terms.present.assign(padded / 64, 0);
  for (size_t k = 0; k < steps; ++k) {
    const uint32_t lo = row.windows.lo[k];
    const uint32_t hi = row.windows.hi[k];
    if (hi < lo + 2) continue;
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
    double factor = (sampled + to_start + to_end) / sampled;
    if (range_seconds != 0) factor /= range_seconds;
    terms.sampled_interval[k] = sampled;
    terms.to_start[k] = to_start;
    terms.to_end[k] = to_end;
    terms.factor[k] = factor;
    terms.first[k] = lo;
    terms.last[k] = hi - 1;
    terms.present[k / 64] |= uint64_t{1} << (k % 64);
  }
  terms.ready = true;
}

// Positions where a counter fell, found once for all windows of the series.
class ResetWalk {
 public:
  ResetWalk(const double* v, size_t count) : v_(v) {
    if (!AnyDescent(v, count)) return;
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

// Instant queries: one step after the other.
constexpr size_t kFewSteps = 8;

void FewSteps(const FloatRow& row, bool counter, double range_seconds, ResetWalk& resets) {
  const RateTerms& terms = row.rate_terms;
  for (size_t k = 0; k < row.grid.count; ++k) {
    if (!TestBit(terms.present.data(), k)) continue;
    const double first = row.v[terms.first[k]];
    double increase = row.v[terms.last[k]] - first;
    if (counter && resets.any()) increase = resets.Correct(increase, terms.first[k], terms.last[k] + 1);
    double factor = terms.factor[k];
    if (counter && increase > 0 && first >= 0) {
      const double to_zero = terms.sampled_interval[k] * (first / increase);
      if (to_zero < terms.to_start[k]) {
        factor = (terms.sampled_interval[k] + to_zero + terms.to_end[k]) / terms.sampled_interval[k];
        if (range_seconds != 0) factor /= range_seconds;
      }
    }
    row.values[k] = increase * factor;
    SetBit(row.bits, k);
  }
}

void ExtrapolatedRow(const FloatRow& row, bool counter, double range_seconds) {
  if (row.t.empty()) return;
  if (!row.rate_terms.ready) FillRateTerms(row, range_seconds);
  const RateTerms& terms = row.rate_terms;
  const size_t steps = row.grid.count;
  const double* v = row.v;
  ResetWalk resets(v, counter ? row.windows.hi[steps - 1] : 0);
  if (steps < kFewSteps) return FewSteps(row, counter, range_seconds, resets);
  std::array<double, kRateChunk> first;
  std::array<double, kRateChunk> increase;
  std::array<double, kRateChunk> out;
  for (size_t base = 0; base < steps; base += kRateChunk) {
    const uint64_t present = terms.present[base / 64];
    if (present == 0) continue;
    const uint32_t* first_at = terms.first.data() + base;
    const uint32_t* last_at = terms.last.data() + base;
    for (size_t i = 0; i < kRateChunk; ++i) {
      first[i] = v[first_at[i]];
      increase[i] = v[last_at[i]] - first[i];
    }
    if (counter && resets.any()) {
      for (uint64_t left = present; left != 0; left &= left - 1) {
        const auto i = static_cast<size_t>(std::countr_zero(left));
        increase[i] = resets.Correct(increase[i], first_at[i], last_at[i] + 1);
      }
    }
    row.bits[base / 64] = present;
    const size_t count = std::min(kRateChunk, steps - base);
    double* to = count == kRateChunk ? row.values + base : out.data();
    const ExtrapolationChunk chunk{first.data(),
                                   increase.data(),
                                   terms.sampled_interval.data() + base,
                                   terms.to_start.data() + base,
                                   terms.to_end.data() + base,
                                   range_seconds,
                                   to};
    if (counter && !ZeroRuleIsIdle(chunk)) {
      ExtrapolateCounter(chunk);
    } else {
      const double* factor = terms.factor.data() + base;
      for (size_t i = 0; i < kRateChunk; ++i) to[i] = increase[i] * factor[i];
    }
    if (to == out.data()) std::copy_n(out.data(), count, row.values + base);
  }
}

}  // namespace

void RateRow(const FloatRow& row, RangeContext& context) { ExtrapolatedRow(row, true, context.range_seconds); }
void IncreaseRow(const FloatRow& row, RangeContext&) { ExtrapolatedRow(row, true, 0); }
void DeltaRow(const FloatRow& row, RangeContext&) { ExtrapolatedRow(row, false, 0); }

}  // namespace epi::promql
