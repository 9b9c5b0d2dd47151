// Kernels over whole rows give the very bits that the kernels over one window give.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "model/kahan_sum.h"
#include "model/sample.h"
#include "promql/functions/dense_kernels.h"
#include "promql/functions/quantile.h"
#include "promql/functions/range_kernel.h"

namespace epi::promql {
namespace {

constexpr double kTestInf = std::numeric_limits<double>::infinity();

struct RowCase {
  std::vector<TimestampMs> t;
  std::vector<double> v;
};

// Times with jitter and gaps; values of one of several characters.
RowCase RandomRow(SeededRandom& random, int character) {
  RowCase out;
  TimestampMs t = 1'000'000;
  double counter = 0;
  const size_t count = random.Below(400);
  for (size_t i = 0; i < count; ++i) {
    t += random.Below(20) == 0 ? 400'000 : 15'000 + (character % 2 == 0 ? 0 : static_cast<int64_t>(random.Below(3)));
    counter = random.Below(30) == 0 ? 0 : counter + static_cast<double>(random.Below(4));
    double v = counter;
    if (character == 1) v = (random.Unit() - 0.5) * 1e3;
    if (character == 2) v = random.Below(3) == 0 ? 5 : 5.5;
    if (character == 3) v = random.Below(10) == 0 ? std::nan("") : random.Unit();
    if (character == 4) v = random.Below(40) == 0 ? (random.Below(2) == 0 ? kTestInf : -kTestInf) : random.Unit();
    if (character == 5) v = (random.Below(2) == 0 ? 1 : -1) * 1.7e308 * random.Unit();
    out.t.push_back(t);
    out.v.push_back(v);
  }
  return out;
}

uint64_t BitsOf(double v) { return std::isnan(v) ? ~uint64_t{0} : std::bit_cast<uint64_t>(v); }

void CompareForms(const RangeFunction& function, const RowCase& data, const StepGrid& grid, int64_t range_ms,
                  double argument) {
  WindowSpec spec;
  spec.range_ms = range_ms;
  Windows windows;
  windows.Compute(
      data.t.size(), [&](size_t i) { return data.t[i]; }, grid, spec);
  Annotations row_notes;
  Annotations step_notes;
  RangeContext row_context{row_notes, {}, "m", static_cast<double>(range_ms) / 1000, false, false, false, {}};
  RangeContext step_context{step_notes, {}, "m", static_cast<double>(range_ms) / 1000, false, false, false, {}};
  RateTerms rate_terms;
  LineTerms line_terms;
  const std::vector<double> arguments(grid.count, argument);
  std::vector<double> values((grid.count + 63) / 64 * 64);
  std::vector<uint64_t> bits(WordsFor(grid.count));
  function.row({grid, spec, data.t, data.v.data(), windows, rate_terms, line_terms, arguments.data(), arguments.data(),
                values.data(), bits.data()},
               row_context);
  for (size_t k = 0; k < grid.count; ++k) {
    const uint32_t lo = windows.lo[k];
    const uint32_t hi = windows.hi[k];
    Window window;
    window.t = std::span(data.t).subspan(lo, hi - lo);
    window.v = std::span(data.v).subspan(lo, hi - lo);
    window.time = grid.Time(k);
    window.range_start = spec.RangeStart(window.time);
    window.range_end = spec.RangeEnd(window.time);
    window.arg0 = window.arg1 = argument;
    StepValue expected;
    if (lo != hi) expected = function.step(window, step_context);
    ASSERT_EQ(TestBit(bits.data(), k), expected.kind == StepValue::Kind::kFloat) << "step " << k;
    if (expected.kind != StepValue::Kind::kFloat) continue;
    ASSERT_EQ(BitsOf(values[k]), BitsOf(expected.v)) << "step " << k << ": " << values[k] << " and " << expected.v;
  }
  std::vector<std::string> row_texts[2];
  std::vector<std::string> step_texts[2];
  row_notes.Render("m", row_texts[0], row_texts[1]);
  step_notes.Render("m", step_texts[0], step_texts[1]);
  EXPECT_EQ(row_texts[0], step_texts[0]);
  EXPECT_EQ(row_texts[1], step_texts[1]);
}

TEST(RowKernels, EqualTheKernelsOfOneWindow) {
  SeededRandom random{11};
  for (int id = 0; id < 256; ++id) {
    const RangeFunction* function = FindRangeFunction(static_cast<FunctionId>(id));
    if (function == nullptr || function->row == nullptr) continue;
    for (int round = 0; round < 60; ++round) {
      SCOPED_TRACE("function " + std::to_string(id) + ", round " + std::to_string(round));
      const RowCase data = RandomRow(random, round % 6);
      const auto interval = static_cast<int64_t>(1 + random.Below(4)) * 15'000;
      const StepGrid grid{900'000 + static_cast<int64_t>(random.Below(20'000)), interval, 1 + random.Below(300)};
      const int64_t range_ms = static_cast<int64_t>(1 + random.Below(60)) * 15'000;
      CompareForms(*function, data, grid, range_ms, round % 10 == 9 ? 1.5 : random.Unit());
      if (HasFatalFailure()) return;
    }
  }
}

TEST(RowKernels, LinesOfManyDifferentWindows) {
  // More offsets of samples within windows than are stored.
  SeededRandom random{5};
  RowCase data;
  for (TimestampMs t = 0; t < 4000 * 1000; t += 900 + static_cast<int64_t>(random.Below(200))) {
    data.t.push_back(t);
    data.v.push_back(random.Unit());
  }
  for (const FunctionId id : {FunctionId::kDeriv, FunctionId::kPredictLinear}) {
    CompareForms(*FindRangeFunction(id), data, {1'000'000, 5'000, 600}, 900'000, 60);
  }
}

TEST(DenseKernels, SumsEqualTheScalarOnes) {
  SeededRandom random{3};
  for (int round = 0; round < 200; ++round) {
    const size_t count = random.Below(70);
    std::vector<double> sums(count, 0);
    std::vector<double> compensations(count, 0);
    std::vector<KahanSum> expected(count);
    for (int i = 0; i < 50; ++i) {
      std::vector<double> values(count);
      for (double& v : values) {
        v = (random.Unit() - 0.5) * std::pow(10, static_cast<double>(random.Below(40)) - 20);
        if (round % 5 == 0 && random.Below(60) == 0) v = random.Below(2) == 0 ? kTestInf : -kTestInf;
        if (round % 7 == 0 && random.Below(60) == 0) v = 1.7e308;
      }
      KahanAddRow(values.data(), sums.data(), compensations.data(), count);
      for (size_t k = 0; k < count; ++k) expected[k].Add(values[k]);
    }
    for (size_t k = 0; k < count; ++k) {
      ASSERT_EQ(BitsOf(sums[k]), BitsOf(expected[k].sum));
      ASSERT_EQ(BitsOf(compensations[k]), BitsOf(expected[k].compensation));
    }
  }
}

double SortedQuantile(double q, std::vector<double> values) {
  std::sort(values.begin(), values.end(), [](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
    return a == b ? std::signbit(a) && !std::signbit(b) : a < b;
  });
  const double last = static_cast<double>(values.size()) - 1;
  const double rank = q * last;
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(last, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<size_t>(lower)] * (1 - weight) + values[static_cast<size_t>(upper)] * weight;
}

TEST(Quantile, SelectionEqualsSorting) {
  SeededRandom random{9};
  for (int round = 0; round < 3000; ++round) {
    std::vector<double> values(1 + random.Below(200));
    const uint64_t kinds = 1 + random.Below(50);
    for (double& v : values) v = round % 3 == 0 ? random.Unit() : static_cast<double>(random.Below(kinds));
    if (round % 4 == 0) values[random.Below(values.size())] = std::nan("");
    if (round % 5 == 0) values[random.Below(values.size())] = -kTestInf;
    if (round % 7 == 0) {
      for (double& v : values) v = random.Below(3) == 0 ? -0.0 : v < 1 ? 0.0 : v;
    }
    if (round % 9 == 0) std::sort(values.begin(), values.end());
    const double q = round % 10 == 0 ? static_cast<double>(round % 20 == 0) : random.Unit();
    const double expected = SortedQuantile(q, values);
    EXPECT_EQ(BitsOf(Quantile(q, values)), BitsOf(expected)) << "round " << round;
  }
}

}  // namespace
}  // namespace epi::promql
