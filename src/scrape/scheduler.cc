#include "scrape/scheduler.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace epi::scrape {

Scheduler::Scheduler(Clock& clock) : clock_(clock), thread_([this] { Loop(); }) {}

Scheduler::~Scheduler() { Stop(); }

void Scheduler::Stop() {
  std::vector<Entry> dropped;  // destroyed without the lock: tasks own what they call
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(heap_);
    wake_.notify_all();
    quiet_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool Scheduler::Later(const Entry& a, const Entry& b) {
  return std::pair(a.due, a.sequence) > std::pair(b.due, b.sequence);
}

void Scheduler::At(MonotonicNs due, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  const bool first = heap_.empty() || due < heap_.front().due;
  heap_.push_back({due, sequence_++, std::move(task)});
  std::push_heap(heap_.begin(), heap_.end(), Later);
  if (!first) return;
  earlier_ = true;
  wake_.notify_all();
}

void Scheduler::AwaitQuiet() {
  std::unique_lock lock(mutex_);
  quiet_.wait(lock,
              [this] { return stopping_ || (!calling_ && (heap_.empty() || heap_.front().due > clock_.Monotonic())); });
}

void Scheduler::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const MonotonicNs due = heap_.empty() ? std::numeric_limits<MonotonicNs>::max() : heap_.front().due;
    if (heap_.empty()) {
      earlier_ = false;
      wake_.wait(lock, [this] { return stopping_ || earlier_; });
      continue;
    }
    if (clock_.Monotonic() < due) {
      earlier_ = false;
      clock_.WaitUntil(lock, wake_, due, [this] { return stopping_ || earlier_; });
      continue;
    }
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    calling_ = true;
    lock.unlock();
    entry.task(entry.due);
    entry.task = nullptr;
    lock.lock();
    calling_ = false;
    quiet_.notify_all();
  }
}

}  // namespace epi::scrape
