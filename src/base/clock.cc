#include "base/clock.h"

#include <time.h>

#include <chrono>

namespace epi {
namespace {

int64_t Read(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class RealClock final : public Clock {
 public:
  TimestampMs NowMs() const override { return NowNs() / 1'000'000; }
  int64_t NowNs() const override { return Read(CLOCK_REALTIME); }
  MonotonicNs Monotonic() const override { return Read(CLOCK_MONOTONIC); }
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, MonotonicNs deadline,
                 const std::function<bool()>& done) override {
    // std::chrono::steady_clock is CLOCK_MONOTONIC in libstdc++.
    const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
    return wake.wait_until(lock, until, done);
  }
};

}  // namespace

Clock& SystemClock() {
  static RealClock clock;
  return clock;
}

}  // namespace epi
