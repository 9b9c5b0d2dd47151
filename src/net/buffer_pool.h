// Reuses the memory of response bodies: a server that scrapes thousands of targets allocates no body twice.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_client.h"

namespace epi::net {

// Thread-safe. Lives until the last buffer is back.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  BufferPool(size_t max_buffers, size_t max_bytes) : max_buffers_(max_buffers), max_bytes_(max_bytes) {}
  PooledBuffer Take();
  void Return(std::string&& memory);

 private:
  std::mutex mutex_;
  std::vector<std::string> free_;  // guarded by mutex_
  size_t free_bytes_ = 0;          // guarded by mutex_
  const size_t max_buffers_;
  const size_t max_bytes_;
};

}  // namespace epi::net
