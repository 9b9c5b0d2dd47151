// Counts and times every writing of a block, from the head or from other blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "telemetry/stopwatch.h"

namespace epi::tsdb {

// Thread-safe.
class BlockWriteMeter {
 public:
  // `seconds` may be null. All outlive it.
  BlockWriteMeter(const Clock& clock, Observer* seconds) : clock_(clock), seconds_(seconds) {}

  // Lives as long as one block is written, whatever comes of it.
  class Scope {
   public:
    explicit Scope(BlockWriteMeter& meter) : meter_(meter) {
      if (meter.seconds_ != nullptr) watch_.emplace(meter.clock_, *meter.seconds_);
      meter_.writing_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Scope() {
      meter_.writing_.fetch_sub(1, std::memory_order_relaxed);
      meter_.writes_.fetch_add(1, std::memory_order_relaxed);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    BlockWriteMeter& meter_;
    std::optional<Stopwatch> watch_;
  };

  uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }
  bool writing() const { return writing_.load(std::memory_order_relaxed) > 0; }

 private:
  const Clock& clock_;
  Observer* const seconds_;
  std::atomic<uint64_t> writes_{0};
  std::atomic<int> writing_{0};
};

}  // namespace epi::tsdb
