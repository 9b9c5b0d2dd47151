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

[[gnu::always_inline]] inline void KahanAddBody(const double* values, double* sums, double* compensations,
                                                size_t count) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    Four sum = Load(sums + i);
    Four compensation = Load(compensations + i);
    KahanStep(Load(values + i), sum, compensation);
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

[[gnu::always_inline]] inline void KahanSumFourBody(FourSums& four, size_t count) {
  Four sums = Load(four.sums);
  Four compensations = Load(four.compensations);
  for (size_t i = 0; i < count; ++i) {
    KahanStep(Four{four.at[0][i], four.at[1][i], four.at[2][i], four.at[3][i]}, sums, compensations);
  }
  Store(four.sums, sums);
  Store(four.compensations, compensations);
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
EPI_AVX2 void KahanSumFourAvx2(FourSums& four, size_t count) { KahanSumFourBody(four, count); }
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
void KahanSumFourAvx2(FourSums& four, size_t count) { KahanSumFourBody(four, count); }
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

void KahanSumFour(FourSums& four, size_t count) {
  kHasAvx2 ? KahanSumFourAvx2(four, count) : KahanSumFourBody(four, count);
}

}  // namespace epi::promql
