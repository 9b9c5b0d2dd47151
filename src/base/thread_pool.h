// A fixed set of threads for work that is cut into indexed pieces: query leaves, replay, compaction.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace epi {

// Thread-safe. The destructor finishes what was submitted and joins.
class ThreadPool {
 public:
  explicit ThreadPool(size_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void Submit(std::function<void()> task);
  // Calls work(i) for every i in [0, count), on this thread and at most `helpers` of the pool's, and returns when all
  // are done. The caller takes part, so it is safe from inside a task.
  void ParallelFor(size_t count, size_t helpers, const std::function<void(size_t)>& work);
  size_t size() const { return threads_.size(); }

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace epi
