#include "base/budget.h"

namespace epi {

Budget::~Budget() {
  if (parent_ != nullptr) parent_->Release(used());
}

Result<void> Budget::Charge(int64_t bytes) {
  const int64_t now = used_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (now > limit_) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return Fail(ErrorCode::kLimit, name_ + " would need " + std::to_string(now) +
                                       " bytes of memory, more than its limit of " + std::to_string(limit_));
  }
  if (parent_ != nullptr) {
    if (auto charged = parent_->Charge(bytes); !charged) {
      used_.fetch_sub(bytes, std::memory_order_relaxed);
      return charged;
    }
  }
  int64_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
  return {};
}

void Budget::Release(int64_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  if (parent_ != nullptr) parent_->Release(bytes);
}

BudgetCharge& BudgetCharge::operator=(BudgetCharge&& other) noexcept {
  if (this != &other) {
    Reset();
    budget_ = other.budget_;
    bytes_ = other.bytes_;
    other.bytes_ = 0;
  }
  return *this;
}

Result<void> BudgetCharge::Add(int64_t bytes) {
  if (budget_ == nullptr) return {};
  EPI_TRY(budget_->Charge(bytes));
  bytes_ += bytes;
  return {};
}

void BudgetCharge::Reset() {
  if (budget_ != nullptr && bytes_ != 0) budget_->Release(bytes_);
  bytes_ = 0;
}

}  // namespace epi
