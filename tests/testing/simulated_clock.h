// A clock that moves only when the test says so. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "base/clock.h"

namespace epi::testing {

class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(TimestampMs now_ms = 1'700'000'000'000) : wall_ns_(now_ms * 1'000'000) {}
  TimestampMs NowMs() const override { return NowNs() / 1'000'000; }
  int64_t NowNs() const override;
  MonotonicNs Monotonic() const override;
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, MonotonicNs deadline,
                 const std::function<bool()>& done) override;

  // Moves both clocks and wakes every waiter.
  void AdvanceMs(int64_t ms);
  // Moves only the wall clock, as an administrator or NTP would.
  void StepWallMs(int64_t ms);
  // Blocks (in real time) until `count` threads wait on this clock.
  void AwaitWaiters(size_t count);

 private:
  struct Waiter {
    std::mutex* mutex;
    std::condition_variable* wake;
  };
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable idle_;
  int advancing_ = 0;                                                        // guarded by mutex_: calls of AdvanceMs()
  int64_t wall_ns_;                                                          // guarded by mutex_
  MonotonicNs elapsed_ = 0;                                                  // guarded by mutex_
  std::multiset<std::pair<std::mutex*, std::condition_variable*>> waiters_;  // guarded by mutex_
};

}  // namespace epi::testing
