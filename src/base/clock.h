// Time comes in from outside, so that tests move it without sleeping.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace epi {

// Milliseconds since the Unix epoch, as Prometheus stores them.
using TimestampMs = int64_t;
// Nanoseconds on a clock that never steps back; only differences mean anything.
using MonotonicNs = int64_t;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimestampMs NowMs() const = 0;
  virtual int64_t NowNs() const = 0;  // wall clock, nanoseconds since the Unix epoch
  virtual MonotonicNs Monotonic() const = 0;
  // Waits on `wake` (whose mutex `lock` holds) until `done()` is true or Monotonic() reaches `deadline`. Returns
  // done(). Whoever makes done() true notifies `wake`. A simulated clock notifies every waiter when time moves.
  virtual bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, MonotonicNs deadline,
                         const std::function<bool()>& done) = 0;
};

// The system's clocks. Lives for the whole process.
Clock& SystemClock();

}  // namespace epi
