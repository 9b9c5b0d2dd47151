#include "net/buffer_pool.h"

namespace epi::net {

PooledBuffer BufferPool::Take() {
  PooledBuffer buffer;
  buffer.pool_ = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return buffer;
  buffer.data_ = std::move(free_.back());
  free_.pop_back();
  free_bytes_ -= buffer.data_.capacity();
  return buffer;
}

void BufferPool::Return(std::string&& memory) {
  memory.clear();
  const size_t bytes = memory.capacity();
  const std::lock_guard lock(mutex_);
  if (free_.size() >= max_buffers_ || free_bytes_ + bytes > max_bytes_) return;
  free_bytes_ += bytes;
  free_.push_back(std::move(memory));
}

PooledBuffer& PooledBuffer::operator=(PooledBuffer&& other) noexcept {
  if (this == &other) return *this;
  if (pool_) pool_->Return(std::move(data_));
  data_ = std::move(other.data_);
  pool_ = std::move(other.pool_);
  return *this;
}

PooledBuffer::~PooledBuffer() {
  if (pool_) pool_->Return(std::move(data_));
}

}  // namespace epi::net
