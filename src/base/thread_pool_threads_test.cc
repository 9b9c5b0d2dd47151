#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/budget.h"
#include "base/thread_pool.h"

namespace epi {
namespace {

TEST(ThreadPool, ParallelForVisitsEveryIndexOnce) {
  ThreadPool pool(3);
  for (const size_t count : {0u, 1u, 2u, 1000u}) {
    std::vector<std::atomic<int>> visits(count);
    pool.ParallelFor(count, 3, [&](size_t i) { visits[i]++; });
    for (const auto& v : visits) EXPECT_EQ(v.load(), 1);
  }
}

TEST(ThreadPool, ParallelForNests) {
  ThreadPool pool(1);
  std::atomic<int> sum{0};
  pool.ParallelFor(4, 1, [&](size_t) { pool.ParallelFor(4, 1, [&](size_t) { sum++; }); });
  EXPECT_EQ(sum.load(), 16);
}

TEST(ThreadPool, FinishesWhatWasSubmitted) {
  std::atomic<int> done{0};
  {
    ThreadPool pool(2);
    for (int i = 0; i < 100; ++i) pool.Submit([&] { done++; });
  }
  EXPECT_EQ(done.load(), 100);
}

TEST(Budget, NeverPassesItsLimitUnderContention) {
  Budget budget("b", 64);
  ThreadPool pool(3);
  std::atomic<int64_t> refused{0};
  pool.ParallelFor(10000, 3, [&](size_t) {
    if (!budget.Charge(32)) {
      refused++;
      return;
    }
    EXPECT_LE(budget.peak(), 64);
    budget.Release(32);
  });
  EXPECT_EQ(budget.used(), 0);
  EXPECT_LT(refused.load(), 10000);
}

}  // namespace
}  // namespace epi
