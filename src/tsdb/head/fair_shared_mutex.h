// A shared mutex whose writers are not starved: std::shared_mutex on glibc lets readers overtake a waiting writer for
// ever.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace epi::tsdb {

// Usable with std::unique_lock and std::shared_lock.
class FairSharedMutex {
 public:
  void lock() {
    gate_.lock();  // readers that come now wait behind us
    mutex_.lock();
  }
  void unlock() {
    mutex_.unlock();
    gate_.unlock();
  }
  void lock_shared() {
    const std::lock_guard<std::mutex> turn(gate_);
    mutex_.lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::mutex gate_;
  std::shared_mutex mutex_;
};

}  // namespace epi::tsdb
