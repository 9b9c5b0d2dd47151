// Counts what a request's tree takes while it is decoded.
#pragma once

#include "remote/otlp/export_request.h"

namespace epi::remote::otlp {

// Charges in steps. Once it is over the decoders stop making objects.
class TreeMeter {
 public:
  explicit TreeMeter(Budget& budget) : charge_(budget) {}
  // Room for one more object of this size; false when there is none.
  bool Take(size_t bytes) {
    taken_ += static_cast<int64_t>(bytes);
    if (taken_ <= charge_.bytes() || failed()) return !failed();
    return Grow();
  }
  bool failed() const { return !outcome_; }
  const Result<void>& outcome() const { return outcome_; }
  BudgetCharge Release() { return std::move(charge_); }

 private:
  bool Grow() {
    constexpr int64_t kStep = 64 << 10;
    if (taken_ > kMaxTreeBytes) {
      outcome_ = Fail(ErrorCode::kLimit, "the request's metrics take too much memory");
    } else {
      outcome_ = charge_.Add(taken_ - charge_.bytes() + kStep);
    }
    return !failed();
  }

  BudgetCharge charge_;
  int64_t taken_ = 0;
  Result<void> outcome_;
};

}  // namespace epi::remote::otlp
