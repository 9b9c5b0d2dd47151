#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace epi {

ThreadPool::ThreadPool(size_t threads) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::Submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void ThreadPool::Loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

void ThreadPool::ParallelFor(size_t count, size_t helpers, const std::function<void(size_t)>& work) {
  // Shared with helpers that may start only after all pieces are taken: they find nothing to do and must not touch
  // `work`.
  struct State {
    std::atomic<size_t> next{0};
    std::atomic<size_t> done{0};
    std::mutex mutex;
    std::condition_variable wake;
  };
  const auto state = std::make_shared<State>();
  const auto run = [state, count, &work] {
    size_t finished = 0;
    for (size_t i; (i = state->next.fetch_add(1)) < count; ++finished) work(i);
    if (finished > 0 && state->done.fetch_add(finished) + finished == count) {
      const std::lock_guard lock(state->mutex);
      state->wake.notify_all();
    }
  };
  helpers = std::min({helpers, threads_.size(), count > 0 ? count - 1 : 0});
  for (size_t i = 0; i < helpers; ++i) Submit(run);
  run();
  std::unique_lock lock(state->mutex);
  state->wake.wait(lock, [&] { return state->done.load() == count; });
}

}  // namespace epi
