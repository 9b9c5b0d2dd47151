// Series that have become equal in their labels.
#pragma once

#include <memory>
#include <vector>

#include "promql/engine/operator.h"

namespace epi::promql {

// Passes rows through as long as all label sets of its input differ. Where some are equal, either their rows are
// merged, which fails when two have a point at the same step, or it fails as soon as two of them have any point. Of
// merged series that differ in whether the name goes at the end, the one with the earliest point decides; the rows are
// known before the labels then.
class MergeOperator final : public Operator {
 public:
  enum class Policy : unsigned char { kMerge, kRefuse };
  // `one_name`: the child's series come from a selector that fixes the metric name, so that no two can have become
  // equal by losing it, and whether they kept it does not matter.
  MergeOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, Policy policy, bool one_name = false)
      : Operator(query, grid), child_(std::move(child)), policy_(policy), one_name_(one_name) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override { child_->Account(account, notes); }
  void CountDecoded(const std::shared_ptr<OperatorStats>& stats) override { child_->CountDecoded(stats); }

 private:
  Result<bool> Produce(Block& block) override;
  Result<bool> ProduceChecked(Block& block);
  Result<bool> ProduceMerged(Block& block);
  Result<void> GroupRows();
  Result<void> DecideNames();

  OperatorPtr child_;
  const Policy policy_;
  const bool one_name_;
  bool duplicates_ = false;
  std::vector<uint32_t> group_of_;  // per series of the child: index in series_
  std::vector<bool> seen_;
  Matrix matrix_;
  std::vector<std::vector<uint32_t>> group_rows_;  // rows of the matrix, in order of groups' first rows
  bool drained_ = false;
  size_t next_group_ = 0;
};

Error SameLabelsetError();

}  // namespace epi::promql
