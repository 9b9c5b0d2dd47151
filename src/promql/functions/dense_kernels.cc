#include "promql/functions/dense_kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/kahan_sum.h"
#include "model/sample.h"

namespace epi::promql {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();
constexpr size_t kChunk = ExtrapolationChunk::kSteps;

// Four doubles at a time, in whatever registers the target has.
using Four = double __attribute__((vector_size(32)));
using FourBits = int64_t __attribute__((vector_size(32)));

[[gnu::always_inline]] inline Four Load(const double* from) {
  Four out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
[[gnu::always_inline]] inline void Store(double* to, const Four& value) { std::memcpy(to, &value, sizeof(value)); }
[[gnu::always_inline]] inline Four Absolute(const Four& value) {
  constexpr int64_t kNoSign = std::numeric_limits<int64_t>::max();
  const FourBits bits = std::bit_cast<FourBits>(value) & FourBits{kNoSign, kNoSign, kNoSign, kNoSign};
  return std::bit_cast<Four>(bits);
}
[[gnu::always_inline]] inline Four Select(const FourBits& mask, const Four& yes, const Four& no) {
  const FourBits bits = (std::bit_cast<FourBits>(yes) & mask) | (std::bit_cast<FourBits>(no) & ~mask);
  return std::bit_cast<Four>(bits);
}

[[gnu::always_inline]] inline bool AnyStaleBody(const double* values, size_t count) {
  constexpr auto kStale = static_cast<int64_t>(kStaleNaNBits);
  FourBits found{0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const Four four = Load(values + i);
    found |= std::bit_cast<FourBits>(four) == FourBits{kStale, kStale, kStale, kStale};
  }
  bool any = (found[0] | found[1] | found[2] | found[3]) != 0;
  for (; i < count; ++i) any |= IsStaleNaN(values[i]);
  return any;
}

[[gnu::always_inline]] inline bool AnyDescentBody(const double* values, size_t count) {
  FourBits found{0, 0, 0, 0};
  size_t i = 1;
  for (; i + 4 <= count; i += 4) found |= Load(values + i) < Load(values + i - 1);
  bool any = (found[0] | found[1] | found[2] | found[3]) != 0;
  for (; i < count; ++i) any |= values[i] < values[i - 1];
  return any;
}

[[gnu::always_inline]] inline void KahanStep(const Four& value, Four& sum, Four& compensation) {
  const Four total = sum + value;
  const FourBits sum_larger = Absolute(sum) >= Absolute(value);
  const Four large = Select(sum_larger, sum, value);
  const Four small = Select(sum_larger, value, sum);
  const Four corrected = compensation + ((large - total) + small);
  const FourBits infinite = Absolute(total) > Four{kMax, kMax, kMax, kMax};
  compensation = Select(infinite, Four{0, 0, 0, 0}, corrected);
  sum = total;
}

// The same sum and compensation while nothing overflows: the rounding error of an addition is exact however it is
// found, and this way needs neither magnitudes nor a choice.
[[gnu::always_inline]] inline void FiniteStep(const Four& value, Four& sum, Four& compensation) {
  const Four total = sum + value;
  const Four added = total - sum;
  compensation += (sum - (total - added)) + (value - added);
  sum = total;
}

[[gnu::always_inline]] inline bool AllFinite(const Four& value) {
  const FourBits finite = Absolute(value) <= Four{kMax, kMax, kMax, kMax};
  return (finite[0] & finite[1] & finite[2] & finite[3]) != 0;
}

[[gnu::always_inline]] inline void KahanAddBody(const double* values, double* sums, double* compensations,
                                                size_t count) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const Four value = Load(values + i);
    const Four before = Load(sums + i);
    Four sum = before;
    Four compensation = Load(compensations + i);
    FiniteStep(value, sum, compensation);
    if (!AllFinite(sum)) {
      sum = before;
      compensation = Load(compensations + i);
      KahanStep(value, sum, compensation);
    }
    Store(sums + i, sum);
    Store(compensations + i, compensation);
  }
  for (; i < count; ++i) KahanAdd(values[i], sums[i], compensations[i]);
}

[[gnu::always_inline]] inline void ExtrapolateBody(const ExtrapolationChunk& c) {
  const Four zero{0, 0, 0, 0};
  const Four range{c.range_seconds, c.range_seconds, c.range_seconds, c.range_seconds};
  for (size_t i = 0; i < kChunk; i += 4) {
    const Four first = Load(c.first + i);
    const Four increase = Load(c.increase + i);
    const Four sampled = Load(c.sampled + i);
    const Four to_start = Load(c.to_start + i);
    const Four to_zero = sampled * (first / increase);
    // Comparisons with NaN are false and leave to_start alone.
    const FourBits applies = (increase > zero) & (first >= zero) & (to_zero < to_start);
    Four factor = (sampled + Select(applies, to_zero, to_start) + Load(c.to_end + i)) / sampled;
    if (c.range_seconds != 0) factor /= range;
    Store(c.out + i, increase * factor);
  }
}

// first >= 2 * increase means that zero lies at least twice the sampled interval before the first sample, and to_start
// is not longer than the interval.
[[gnu::always_inline]] inline bool ZeroRuleIsIdleBody(const ExtrapolationChunk& c) {
  const Four zero{0, 0, 0, 0};
  FourBits active{0, 0, 0, 0};
  for (size_t i = 0; i < kChunk; i += 4) {
    const Four increase = Load(c.increase + i);
    const FourBits idle = (Load(c.first + i) >= increase + increase) & (Load(c.to_start + i) <= Load(c.sampled + i));
    active |= (increase > zero) & ~idle;
  }
  return (active[0] | active[1] | active[2] | active[3]) == 0;
}

[[gnu::always_inline]] inline Four Gather(const double* const* at, size_t i) {
  return Four{at[0][i], at[1][i], at[2][i], at[3][i]};
}

[[gnu::always_inline]] inline void SumFourBody(FourSums& four, size_t count) {
  Four sums = Load(four.sums);
  Four compensations = Load(four.compensations);
  for (size_t i = 0; i < count; ++i) FiniteStep(Gather(four.at, i), sums, compensations);
  Store(four.sums, sums);
  Store(four.compensations, compensations);
}

[[gnu::always_inline]] inline void SumFourProductsBody(const double* const* x, FourSums& y, FourSums& xy,
                                                       size_t count) {
  Four y_sums = Load(y.sums);
  Four y_compensations = Load(y.compensations);
  Four xy_sums = Load(xy.sums);
  Four xy_compensations = Load(xy.compensations);
  for (size_t i = 0; i < count; ++i) {
    const Four value = Gather(y.at, i);
    FiniteStep(value, y_sums, y_compensations);
    FiniteStep(Gather(x, i) * value, xy_sums, xy_compensations);
  }
  Store(y.sums, y_sums);
  Store(y.compensations, y_compensations);
  Store(xy.sums, xy_sums);
  Store(xy.compensations, xy_compensations);
}

[[gnu::always_inline]] inline void VarianceFourBody(FourSums& mean, FourSums& squares, size_t count) {
  Four means = Load(mean.sums);
  Four mean_compensations = Load(mean.compensations);
  Four sums = Load(squares.sums);
  Four compensations = Load(squares.compensations);
  for (size_t i = 0; i < count; ++i) {
    const Four value = Gather(mean.at, i);
    const double n = static_cast<double>(i + 1);
    const Four delta = value - (means + mean_compensations);
    FiniteStep(delta / Four{n, n, n, n}, means, mean_compensations);
    FiniteStep(delta * (value - (means + mean_compensations)), sums, compensations);
  }
  Store(mean.sums, means);
  Store(mean.compensations, mean_compensations);
  Store(squares.sums, sums);
  Store(squares.compensations, compensations);
}

#if defined(__x86_64__)
#define EPI_AVX2 __attribute__((target("avx2")))
const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
EPI_AVX2 bool AnyStaleAvx2(const double* values, size_t count) { return AnyStaleBody(values, count); }
EPI_AVX2 bool AnyDescentAvx2(const double* values, size_t count) { return AnyDescentBody(values, count); }
EPI_AVX2 void KahanAddAvx2(const double* values, double* sums, double* compensations, size_t count) {
  KahanAddBody(values, sums, compensations, count);
}
EPI_AVX2 void ExtrapolateAvx2(const ExtrapolationChunk& chunk) { ExtrapolateBody(chunk); }
EPI_AVX2 bool ZeroRuleIsIdleAvx2(const ExtrapolationChunk& chunk) { return ZeroRuleIsIdleBody(chunk); }
EPI_AVX2 void SumFourAvx2(FourSums& four, size_t count) { SumFourBody(four, count); }
EPI_AVX2 void SumFourProductsAvx2(const double* const* x, FourSums& y, FourSums& xy, size_t count) {
  SumFourProductsBody(x, y, xy, count);
}
EPI_AVX2 void VarianceFourAvx2(FourSums& mean, FourSums& squares, size_t count) {
  VarianceFourBody(mean, squares, count);
}
#undef EPI_AVX2
#else
constexpr bool kHasAvx2 = false;
bool AnyStaleAvx2(const double* values, size_t count) { return AnyStaleBody(values, count); }
bool AnyDescentAvx2(const double* values, size_t count) { return AnyDescentBody(values, count); }
void KahanAddAvx2(const double* values, double* sums, double* compensations, size_t count) {
  KahanAddBody(values, sums, compensations, count);
}
void ExtrapolateAvx2(const ExtrapolationChunk& chunk) { ExtrapolateBody(chunk); }
bool ZeroRuleIsIdleAvx2(const ExtrapolationChunk& chunk) { return ZeroRuleIsIdleBody(chunk); }
void SumFourAvx2(FourSums& four, size_t count) { SumFourBody(four, count); }
void SumFourProductsAvx2(const double* const* x, FourSums& y, FourSums& xy, size_t count) {
  SumFourProductsBody(x, y, xy, count);
}
void VarianceFourAvx2(FourSums& mean, FourSums& squares, size_t count) { VarianceFourBody(mean, squares, count); }
#endif

}  // namespace

bool AnyStale(const double* values, size_t count) {
  return kHasAvx2 ? AnyStaleAvx2(values, count) : AnyStaleBody(values, count);
}

bool AnyDescent(const double* values, size_t count) {
  return kHasAvx2 ? AnyDescentAvx2(values, count) : AnyDescentBody(values, count);
}

void KahanAddRow(const double* values, double* sums, double* compensations, size_t count) {
  kHasAvx2 ? KahanAddAvx2(values, sums, compensations, count) : KahanAddBody(values, sums, compensations, count);
}

void ExtrapolateCounter(const ExtrapolationChunk& chunk) { kHasAvx2 ? ExtrapolateAvx2(chunk) : ExtrapolateBody(chunk); }

bool ZeroRuleIsIdle(const ExtrapolationChunk& chunk) {
  return kHasAvx2 ? ZeroRuleIsIdleAvx2(chunk) : ZeroRuleIsIdleBody(chunk);
}

void SumFour(FourSums& four, size_t count) { kHasAvx2 ? SumFourAvx2(four, count) : SumFourBody(four, count); }

void SumFourProducts(const double* const* x, FourSums& y, FourSums& xy, size_t count) {
  kHasAvx2 ? SumFourProductsAvx2(x, y, xy, count) : SumFourProductsBody(x, y, xy, count);
}

void VarianceFour(FourSums& mean, FourSums& squares, size_t count) {
  kHasAvx2 ? VarianceFourAvx2(mean, squares, count) : VarianceFourBody(mean, squares, count);
}

}  // namespace epi::promql
