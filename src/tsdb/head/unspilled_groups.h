// Which groups have sealed runs in memory only, so that spilling need not look at all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace epi::tsdb {

// Thread-safe.
class UnspilledGroups {
 public:
  void Add(uint32_t group) {
    const std::lock_guard<std::mutex> lock(mutex_);
    groups_.push_back(group);
  }
  // Each once, ascending; then there are none.
  std::vector<uint32_t> Take() {
    std::vector<uint32_t> out;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      out.swap(groups_);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

 private:
  std::mutex mutex_;
  std::vector<uint32_t> groups_;  // guarded by mutex_
};

}  // namespace epi::tsdb
