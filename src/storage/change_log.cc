#include "storage/change_log.h"

#include <algorithm>

namespace epi {

uint64_t ChangeLog::Begin(TimeRange range) {
  const std::lock_guard<std::mutex> lock(mutex_);
  under_way_.push_back({++last_ticket_, range});
  return last_ticket_;
}

void ChangeLog::End(uint64_t ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto at =
      std::find_if(under_way_.begin(), under_way_.end(), [&](const Under& u) { return u.ticket == ticket; });
  if (at == under_way_.end()) return;
  const TimeRange range = at->range;
  *at = under_way_.back();
  under_way_.pop_back();
  // Nobody keeps anything so late; whoever will, watches first and sees the change.
  if (range.min > watched_) return;
  if (done_.size() == kMaxRemembered) {
    // The older half becomes one change, at the position of its newest.
    TimeRange all = done_.front().range;
    const size_t half = kMaxRemembered / 2;
    for (size_t i = 1; i < half; ++i) {
      all.min = std::min(all.min, done_[i].range.min);
      all.max = std::max(all.max, done_[i].range.max);
    }
    const Done joined{done_[half - 1].position, all};
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(half));
    done_.insert(done_.begin(), joined);
  }
  done_.push_back({++position_, range});
}

uint64_t ChangeLog::Watch(TimestampMs until) {
  const std::lock_guard<std::mutex> lock(mutex_);
  watched_ = std::max(watched_, until);
  return position_;
}

TimestampMs ChangeLog::FirstTouched(uint64_t position, TimeRange range) const {
  TimestampMs first = kNever;
  const auto touch = [&](const TimeRange& changed) {
    if (changed.Overlaps(range)) first = std::min(first, std::max(changed.min, range.min));
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Under& change : under_way_) touch(change.range);
  for (auto change = done_.rbegin(); change != done_.rend() && change->position > position; ++change) {
    touch(change->range);
  }
  return first;
}

}  // namespace epi
