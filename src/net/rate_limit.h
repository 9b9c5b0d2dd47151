// A token bucket over all requests: one token each interval, at most `burst` saved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace epi::net {

// Thread-safe.
class RateLimit {
 public:
  // An interval of 0 lets everything pass.
  RateLimit(int64_t interval_ns, int64_t burst) : interval_ns_(interval_ns), burst_(burst), tokens_(burst) {}
  bool Take(MonotonicNs now) {
    if (interval_ns_ <= 0) return true;
    const std::lock_guard lock(mutex_);
    if (last_ == 0) last_ = now;
    const int64_t earned = (now - last_) / interval_ns_;
    tokens_ = std::min(burst_, tokens_ + earned);
    last_ += earned * interval_ns_;
    if (tokens_ < 1) return false;
    --tokens_;
    return true;
  }

 private:
  const int64_t interval_ns_;
  const int64_t burst_;
  std::mutex mutex_;
  int64_t tokens_;        // guarded by mutex_
  MonotonicNs last_ = 0;  // guarded by mutex_
};

}  // namespace epi::net
