// One thread that calls things when they are due, for any number of scrape loops.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace epi::scrape {

// Thread-safe. Callbacks run on the scheduler's thread, one at a time, must be quick, and may call At.
class Scheduler {
 public:
  using Task = std::function<void(MonotonicNs due)>;
  explicit Scheduler(Clock& clock);  // starts the thread
  ~Scheduler();                      // what is not due by then is never called
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Calls `task` once, as soon as the monotonic clock shows `due`.
  void At(MonotonicNs due, Task task);
  // Returns when no callback runs any more; drops what is waiting. Not from a callback. Idempotent.
  void Stop();
  // For tests: returns when everything that is due by now has been called.
  void AwaitQuiet();

 private:
  struct Entry {
    MonotonicNs due;
    uint64_t sequence;  // equal times run in the order they were given
    Task task;
  };
  static bool Later(const Entry& a, const Entry& b);
  void Loop();

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Entry> heap_;  // guarded by mutex_; the earliest is on top
  uint64_t sequence_ = 0;    // guarded by mutex_
  bool calling_ = false;     // guarded by mutex_
  std::condition_variable quiet_;
  bool stopping_ = false;  // guarded by mutex_
  bool earlier_ = false;   // guarded by mutex_: something earlier came in
  std::thread thread_;
};

}  // namespace epi::scrape
