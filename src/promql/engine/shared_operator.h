// One evaluation for several places of a query.
#pragma once

#include <memory>
#include <vector>

#include "promql/engine/operator.h"

namespace epi::promql {

// The evaluation itself, held whole once it is done.
class SharedEvaluation {
 public:
  SharedEvaluation(QueryState& query, OperatorPtr op) : query_(query), op_(std::move(op)) {}
  Result<void> Prepare();
  Result<const Matrix*> Get();
  const Operator& op() const { return *op_; }

 private:
  QueryState& query_;
  OperatorPtr op_;
  Matrix matrix_;
  bool prepared_ = false;
  bool drained_ = false;
};

// One of the places. Prometheus evaluates anew at each, so each is accounted, and annotations point at each: `moved`
// has the positions that differ from those of the evaluation.
class SharedOperator final : public Operator {
 public:
  SharedOperator(QueryState& query, const StepGrid& grid, std::shared_ptr<SharedEvaluation> evaluation,
                 std::vector<MovedPosition> moved)
      : Operator(query, grid), evaluation_(std::move(evaluation)), moved_(std::move(moved)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  std::shared_ptr<SharedEvaluation> evaluation_;
  const std::vector<MovedPosition> moved_;
  MatrixReader reader_;
};

}  // namespace epi::promql
