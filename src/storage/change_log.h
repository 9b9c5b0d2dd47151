// Which past of a storage has changed since when: what lets a reader keep an answer and know later whether it still
// holds. Writers say what time range they are about to change and when everybody sees it; only changes to a past that
// somebody relies on are remembered.
//
// A reader that wants to keep what it reads:
//   position = log.Watch(until);      // before it opens its view; `until`: no kept part depends on anything later
//   view = storage.OpenView(…); … read …; keep the answer with `position`
// and one that wants to use what was kept at `kept`:
//   position = log.Watch(until); view = storage.OpenView(…);
//   log.FirstTouched(min(kept, position), what the kept answer has read): everything before that time is what the view
//   would give.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "model/sample.h"

namespace epi {

// Thread-safe.
class ChangeLog {
 public:
  static constexpr TimestampMs kNever = std::numeric_limits<TimestampMs>::max();

  // Samples in `range` may become different from now on: before any view can see it.
  uint64_t Begin(TimeRange range);
  // Every view that opens from now on sees the change, or there was none. `ticket` is what Begin returned.
  void End(uint64_t ticket);

  // From now on changes at or before `until` are remembered. The position of the last change so far.
  uint64_t Watch(TimestampMs until);
  // The earliest time within `range` that may have changed after `position`, which Watch has given for at least
  // range.max; kNever when nothing there has.
  TimestampMs FirstTouched(uint64_t position, TimeRange range) const;

 private:
  struct Under {
    uint64_t ticket;
    TimeRange range;
  };
  struct Done {
    uint64_t position;
    TimeRange range;
  };
  // Beyond so many, old ones are taken together: more than what changed counts as changed then.
  static constexpr size_t kMaxRemembered = 256;

  mutable std::mutex mutex_;
  TimestampMs watched_ = std::numeric_limits<TimestampMs>::min();  // guarded by mutex_
  uint64_t position_ = 0;                                          // guarded by mutex_
  uint64_t last_ticket_ = 0;                                       // guarded by mutex_
  std::vector<Under> under_way_;                                   // guarded by mutex_
  std::vector<Done> done_;                                         // guarded by mutex_; by position
};

// A change from construction to destruction. `log` may be null.
class ScopedChange {
 public:
  ScopedChange(ChangeLog* log, TimeRange range) : log_(log), ticket_(log == nullptr ? 0 : log->Begin(range)) {}
  ~ScopedChange() {
    if (log_ != nullptr) log_->End(ticket_);
  }
  ScopedChange(const ScopedChange&) = delete;
  ScopedChange& operator=(const ScopedChange&) = delete;

 private:
  ChangeLog* const log_;
  const uint64_t ticket_;
};

}  // namespace epi
