// The threads that run handlers. Three lanes, so that slow queries cannot keep health checks or event streams from
// running.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "net/http_server.h"

namespace epi::net {

// Thread-safe. The destructor finishes what was submitted and joins.
class WorkerPool {
 public:
  struct Limits {
    size_t quick_workers = 2;
    size_t max_workers = 128;
    size_t max_streams = 64;
    size_t max_queued = 4096;
  };
  explicit WorkerPool(Limits limits);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the lane is full; then the task is not kept.
  bool Submit(Admission::Lane lane, std::function<void()> task);

 private:
  // Workers of one queue.
  struct Queue {
    std::deque<std::function<void()>> tasks;
    std::vector<std::thread> threads;
    size_t idle = 0;
    size_t max_threads = 0;
    std::condition_variable wake;
  };
  struct Stream {
    std::thread thread;
    bool finished = false;
  };
  bool SubmitStream(std::function<void()> task);
  void Loop(Queue& queue);

  const Limits limits_;
  std::mutex mutex_;
  Queue quick_, normal_;       // guarded by mutex_
  std::list<Stream> streams_;  // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
};

}  // namespace epi::net
