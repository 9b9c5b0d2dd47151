#include "net/worker_pool.h"

namespace epi::net {

WorkerPool::WorkerPool(Limits limits) : limits_(limits) {
  quick_.max_threads = std::max<size_t>(1, limits.quick_workers);
  normal_.max_threads = std::max<size_t>(1, limits.max_workers);
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (Queue* queue : {&quick_, &normal_}) {
    queue->wake.notify_all();
    for (auto& thread : queue->threads) thread.join();
  }
  for (auto& stream : streams_) stream.thread.join();
}

bool WorkerPool::Submit(Admission::Lane lane, std::function<void()> task) {
  if (lane == Admission::Lane::kStream) return SubmitStream(std::move(task));
  Queue& queue = lane == Admission::Lane::kQuick ? quick_ : normal_;
  const std::lock_guard lock(mutex_);
  if (stopping_ || queue.tasks.size() >= limits_.max_queued) return false;
  queue.tasks.push_back(std::move(task));
  if (queue.idle < queue.tasks.size() && queue.threads.size() < queue.max_threads)
    queue.threads.emplace_back([this, &queue] { Loop(queue); });
  queue.wake.notify_one();
  return true;
}

bool WorkerPool::SubmitStream(std::function<void()> task) {
  std::list<Stream> finished;  // joined outside the lock
  bool accepted = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = streams_.begin(); at != streams_.end();) {
      const auto next = std::next(at);
      if (at->finished) finished.splice(finished.end(), streams_, at);
      at = next;
    }
    accepted = !stopping_ && streams_.size() < limits_.max_streams;
    if (accepted) {
      Stream& stream = streams_.emplace_back();
      stream.thread = std::thread([this, &stream, work = std::move(task)] {
        work();
        const std::lock_guard done(mutex_);
        stream.finished = true;
      });
    }
  }
  for (auto& stream : finished) stream.thread.join();
  return accepted;
}

void WorkerPool::Loop(Queue& queue) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++queue.idle;
    queue.wake.wait(lock, [&] { return stopping_ || !queue.tasks.empty(); });
    --queue.idle;
    if (queue.tasks.empty()) return;
    auto task = std::move(queue.tasks.front());
    queue.tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace epi::net
