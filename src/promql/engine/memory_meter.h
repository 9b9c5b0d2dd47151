// The bytes of one query. Charging never stops the code that charges: the first refusal is remembered, and whoever
// drives the query asks for it between batches. What is allocated after a refusal is at most one batch.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/budget.h"

namespace epi::promql {

// Thread-safe.
class MemoryMeter {
 public:
  explicit MemoryMeter(Budget& budget) : budget_(budget) {}
  Budget& budget() { return budget_; }

  // False when the budget refused; then nothing is charged and status() is the refusal from now on.
  bool Charge(int64_t bytes) {
    auto charged = budget_.Charge(bytes);
    if (charged) return true;
    const std::lock_guard lock(mutex_);
    if (!refusal_) refusal_ = charged.error();
    refused_.store(true, std::memory_order_release);
    return false;
  }
  void Release(int64_t bytes) { budget_.Release(bytes); }
  Result<void> status() const {
    if (!refused_.load(std::memory_order_acquire)) return {};
    const std::lock_guard lock(mutex_);
    return Fail(*refusal_);
  }

 private:
  Budget& budget_;
  std::atomic<bool> refused_{false};
  mutable std::mutex mutex_;
  std::optional<Error> refusal_;  // guarded by mutex_
};

// What one object has charged. Move-only; the meter outlives it.
class MeteredBytes {
 public:
  MeteredBytes() = default;
  explicit MeteredBytes(MemoryMeter* meter) : meter_(meter) {}
  MeteredBytes(MeteredBytes&& other) noexcept : meter_(other.meter_), bytes_(other.bytes_) { other.bytes_ = 0; }
  MeteredBytes& operator=(MeteredBytes&& other) noexcept {
    if (this != &other) {
      Set(0);
      meter_ = other.meter_;
      bytes_ = other.bytes_;
      other.bytes_ = 0;
    }
    return *this;
  }
  ~MeteredBytes() { Set(0); }
  // The object holds `bytes` now.
  void Set(int64_t bytes) {
    if (meter_ == nullptr) return;
    if (bytes < bytes_) {
      meter_->Release(bytes_ - bytes);
      bytes_ = bytes;
    } else if (bytes > bytes_ && meter_->Charge(bytes - bytes_)) {
      bytes_ = bytes;
    }
  }
  void Add(int64_t bytes) { Set(bytes_ + bytes); }
  // The charge stays when this object goes: whoever owns the budget gives it back.
  void Leave() { bytes_ = 0; }

 private:
  MemoryMeter* meter_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace epi::promql
