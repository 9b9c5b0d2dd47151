// Bytes are accounted: whoever allocates in bulk charges a Budget first, and passing a limit is an Error, never an
// abort.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace epi {

// A limit in bytes that may stand under a wider one (a query under all queries). Thread-safe. The parent outlives it.
class Budget {
 public:
  static constexpr int64_t kUnlimited = INT64_MAX;
  explicit Budget(std::string name, int64_t limit_bytes = kUnlimited, Budget* parent = nullptr)
      : name_(std::move(name)), limit_(limit_bytes), parent_(parent) {}
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // kLimit, naming the budget and its limit, when this or a parent's limit would be passed; then nothing is charged.
  Result<void> Charge(int64_t bytes);
  void Release(int64_t bytes);
  int64_t used() const { return used_.load(std::memory_order_relaxed); }
  int64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  int64_t limit() const { return limit_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  int64_t limit_;
  Budget* parent_;
  std::atomic<int64_t> used_{0};
  std::atomic<int64_t> peak_{0};
};

// Holds a charge and gives it back. Move-only; the budget outlives it.
class BudgetCharge {
 public:
  BudgetCharge() = default;
  explicit BudgetCharge(Budget& budget) : budget_(&budget) {}
  BudgetCharge(BudgetCharge&& other) noexcept : budget_(other.budget_), bytes_(other.bytes_) { other.bytes_ = 0; }
  BudgetCharge& operator=(BudgetCharge&& other) noexcept;
  ~BudgetCharge() { Reset(); }
  Result<void> Add(int64_t bytes);
  void Reset();
  int64_t bytes() const { return bytes_; }

 private:
  Budget* budget_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace epi
