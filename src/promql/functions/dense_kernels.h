// Loops over plain arrays that decide how fast range queries are. Where the processor has AVX2 it is used; results are
// the same bit by bit, because no operation is reordered or fused.
#pragma once

#include <cstddef>
#include <cstdint>

namespace epi::promql {

// Whether any of the values is a stale marker.
bool AnyStale(const double* values, size_t count);
// Whether any value is smaller than the one before it.
bool AnyDescent(const double* values, size_t count);
// Adds values to sums with compensation, in exactly KahanSum's operations. No two arrays overlap.
void KahanAddRow(const double* values, double* sums, double* compensations, size_t count);

// 64 steps of rate, increase or delta, after resets were corrected.
struct ExtrapolationChunk {
  static constexpr size_t kSteps = 64;
  const double* first;     // the window's first value
  const double* increase;  // last - first, resets included
  const double* sampled;   // seconds between first and last
  const double* to_start;  // seconds extrapolated to before the first
  const double* to_end;
  double range_seconds;  // divides, for rate; 0: does not
  double* out;
};
// The zero rule of counters may shorten to_start.
void ExtrapolateCounter(const ExtrapolationChunk& chunk);
// True when the zero rule cannot apply at any of the 64 steps, so that the factor depends on the times alone.
bool ZeroRuleIsIdle(const ExtrapolationChunk& chunk);

// Compensated sums for four windows of one length at once: element i of window w is at[w][i]. Sums and compensations go
// on from what they are and end as KahanSum's, except where one of the two ends infinite or NaN: such a window has to
// be computed again.
struct FourSums {
  const double* at[4] = {};
  double sums[4] = {};
  double compensations[4] = {};
};
void SumFour(FourSums& four, size_t count);
// Sums of y and of x times y.
void SumFourProducts(const double* const* x, FourSums& y, FourSums& xy, size_t count);
// The running mean, begun from nothing, and the sum of squared deviations from it.
void VarianceFour(FourSums& mean, FourSums& squares, size_t count);

}  // namespace epi::promql
