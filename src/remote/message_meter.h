// Counts what the objects of a request take while it is decoded: a small message can name many objects.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/budget.h"

namespace epi::remote {

// Charges `budget` (which outlives it) in steps, and never more than `limit_bytes`. Once it has failed the decoders
// stop making objects.
class MessageMeter {
 public:
  MessageMeter(Budget& budget, int64_t limit_bytes) : charge_(budget), limit_(limit_bytes) {}
  // Room for objects of so many bytes; false when there is none, now and from then on.
  bool Take(size_t bytes) {
    taken_ += static_cast<int64_t>(bytes);
    return Cover(taken_);
  }
  // The same for what is used again for the next part of the request: not summed up.
  bool Borrow(size_t bytes) { return Cover(taken_ + static_cast<int64_t>(bytes)); }
  bool failed() const { return !outcome_; }
  // kInvalid when the request alone is too large, kLimit when there is no room beside the others.
  const Result<void>& outcome() const { return outcome_; }
  BudgetCharge Release() { return std::move(charge_); }

 private:
  bool Cover(int64_t bytes) { return (bytes <= charge_.bytes() && !failed()) || Grow(bytes); }
  bool Grow(int64_t bytes) {
    constexpr int64_t kStep = 64 << 10;
    if (failed()) return false;
    if (bytes > limit_) {
      outcome_ =
          Fail(ErrorCode::kInvalid, "the request takes more than " + std::to_string(limit_) + " bytes of memory");
    } else {
      outcome_ = charge_.Add(bytes - charge_.bytes() + kStep);
    }
    return !failed();
  }

  BudgetCharge charge_;
  const int64_t limit_;
  int64_t taken_ = 0;
  Result<void> outcome_;
};

}  // namespace epi::remote
