// An append-only array whose elements never move, read without locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/result.h"

namespace epi::tsdb {

// Appending is serialised by the owner; elements below size() may be read from any thread. What an element points to is
// ordered by the owner's own publication (size() is an acquire load).
template <typename T, unsigned kPageBits, size_t kMaxPages>
class PagedArray {
 public:
  static constexpr size_t kPageSize = size_t{1} << kPageBits;
  static constexpr size_t kCapacity = kPageSize * kMaxPages;

  PagedArray() : pages_(new std::atomic<T*>[kMaxPages]) {
    for (size_t i = 0; i < kMaxPages; ++i) pages_[i].store(nullptr, std::memory_order_relaxed);
  }
  ~PagedArray() {
    for (size_t i = 0; i < kMaxPages; ++i) delete[] pages_[i].load(std::memory_order_relaxed);
  }
  PagedArray(const PagedArray&) = delete;
  PagedArray& operator=(const PagedArray&) = delete;

  size_t size() const { return size_.load(std::memory_order_acquire); }
  const T& operator[](size_t i) const {
    return pages_[i >> kPageBits].load(std::memory_order_acquire)[i & (kPageSize - 1)];
  }
  T& operator[](size_t i) { return pages_[i >> kPageBits].load(std::memory_order_acquire)[i & (kPageSize - 1)]; }
  // The owner checks full() first.
  bool full() const { return size() == kCapacity; }
  void Append(T value) {
    Reserve(size() + 1);
    (*this)[size()] = std::move(value);
    size_.store(size() + 1, std::memory_order_release);
  }
  // Makes size() at least `count`; new elements are value-initialised.
  void Grow(size_t count) {
    if (count <= size()) return;
    Reserve(count);
    size_.store(count, std::memory_order_release);
  }
  size_t bytes() const {
    return kMaxPages * sizeof(std::atomic<T*>) + ((size() + kPageSize - 1) >> kPageBits) * kPageSize * sizeof(T);
  }

 private:
  void Reserve(size_t count) {
    EPI_CHECK(count <= kCapacity);
    for (size_t page = size() >> kPageBits; page < (count + kPageSize - 1) >> kPageBits; ++page) {
      if (pages_[page].load(std::memory_order_relaxed) == nullptr) {
        pages_[page].store(new T[kPageSize](), std::memory_order_release);
      }
    }
  }
  std::unique_ptr<std::atomic<T*>[]> pages_;
  std::atomic<size_t> size_{0};
};

}  // namespace epi::tsdb
