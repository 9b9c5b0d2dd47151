#include "testing/simulated_clock.h"

#include <vector>

namespace epi::testing {

int64_t SimulatedClock::NowNs() const {
  const std::lock_guard lock(mutex_);
  return wall_ns_;
}

MonotonicNs SimulatedClock::Monotonic() const {
  const std::lock_guard lock(mutex_);
  return elapsed_;
}

bool SimulatedClock::WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, MonotonicNs deadline,
                               const std::function<bool()>& done) {
  const std::pair key{lock.mutex(), &wake};
  {
    const std::lock_guard own(mutex_);
    waiters_.insert(key);
  }
  arrived_.notify_all();
  wake.wait(lock, [&] { return done() || Monotonic() >= deadline; });
  // What the caller waits with often ends with its wait: not while AdvanceMs() still holds it.
  lock.unlock();
  {
    std::unique_lock own(mutex_);
    idle_.wait(own, [this] { return advancing_ == 0; });
    waiters_.erase(waiters_.find(key));
  }
  lock.lock();
  return done();
}

void SimulatedClock::AdvanceMs(int64_t ms) {
  std::vector<std::pair<std::mutex*, std::condition_variable*>> waiters;
  {
    const std::lock_guard lock(mutex_);
    wall_ns_ += ms * 1'000'000;
    elapsed_ += ms * 1'000'000;
    waiters.assign(waiters_.begin(), waiters_.end());
    ++advancing_;
  }
  for (const auto& [mutex, wake] : waiters) {
    // Taking the waiter's mutex makes sure it is not between its check and its wait.
    { const std::lock_guard lock(*mutex); }
    wake->notify_all();
  }
  const std::lock_guard lock(mutex_);
  --advancing_;
  idle_.notify_all();
}

void SimulatedClock::StepWallMs(int64_t ms) {
  const std::lock_guard lock(mutex_);
  wall_ns_ += ms * 1'000'000;
}

void SimulatedClock::AwaitWaiters(size_t count) {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [&] { return waiters_.size() >= count; });
}

}  // namespace epi::testing
