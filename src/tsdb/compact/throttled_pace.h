// Long work that leaves room for others.
#pragma once

#include <functional>

#include "base/clock.h"
#include "tsdb/compact/compactor.h"

namespace epi::tsdb {

// Rests for a third of the time that was worked, so that one thread takes at most three quarters of a core and of the
// disk, and ends the work (kCanceled) when it is asked to. Not thread-safe.
class ThrottledPace final : public WorkPace {
 public:
  // `stop` says whether the work shall end. `rest` waits until the given moment or, if that is earlier, until the work
  // shall end.
  ThrottledPace(Clock& clock, std::function<bool()> stop, std::function<void(MonotonicNs until)> rest);
  Result<void> Step(uint64_t bytes) override;

 private:
  Clock& clock_;
  const std::function<bool()> stop_;
  const std::function<void(MonotonicNs)> rest_;
  MonotonicNs resumed_;
};

}  // namespace epi::tsdb
