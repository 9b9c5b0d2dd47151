// Operators that turn each row of their input into one row of output.
#pragma once

#include <memory>
#include <vector>

#include "promql/engine/binary_kernels.h"
#include "promql/engine/operator.h"
#include "promql/functions/elementwise.h"
#include "promql/parser/ast.h"

namespace epi::promql {

// An operator that evaluates step by step over inputs, as Prometheus counts it.
class StepwiseOperator : public Operator {
 public:
  void Account(SampleAccount& account, Annotations& notes) const override;

 protected:
  StepwiseOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs)
      : Operator(query, grid), inputs_(std::move(inputs)) {}
  // Prepares all inputs, in order.
  Result<void> PrepareInputs();

  std::vector<OperatorPtr> inputs_;  // in the order of evaluation; null for one that is not evaluated (text)
};

// One vector, the rest scalars. Rows come out in the order they come in.
class RowOperator : public StepwiseOperator {
 public:
  Result<void> Prepare() override;

 protected:
  RowOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, size_t vector_input)
      : StepwiseOperator(query, grid, std::move(inputs)), vector_(vector_input) {}
  Result<bool> Produce(Block& block) final;
  // Changes series_, which is the input's at first.
  virtual Result<void> MapLabels() { return DropNames(); }
  virtual Result<void> MapRow(Block& block, size_t row) = 0;
  // Drops name labels, now or at the end of the query.
  Result<void> DropNames();
  // A scalar input's values, one a step.
  const double* Scalar(size_t input) const { return scalars_[input].data(); }

 private:
  const size_t vector_;
  std::vector<std::vector<double>> scalars_;  // beside inputs_; empty for the vector
  bool opened_ = false;
};

// abs(), round(), clamp(), hour(), ….
class ElementOperator final : public RowOperator {
 public:
  ElementOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs,
                  const ElementFunction& function)
      : RowOperator(query, grid, std::move(inputs), 0), function_(function) {}

 private:
  Result<void> MapRow(Block& block, size_t row) override;
  const ElementFunction& function_;
};

// timestamp() of anything but a plain selector: the evaluation time; start_timestamp() of such: nothing.
class EvaluationTimeOperator final : public RowOperator {
 public:
  EvaluationTimeOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, bool empty)
      : RowOperator(query, grid, std::move(inputs), 0), empty_(empty) {}

 private:
  Result<void> MapRow(Block& block, size_t row) override;
  const bool empty_;
};

// Unary minus.
class NegateOperator final : public Operator {
 public:
  NegateOperator(QueryState& query, const StepGrid& grid, OperatorPtr child)
      : Operator(query, grid), child_(std::move(child)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override { child_->Account(account, notes); }

 private:
  Result<bool> Produce(Block& block) override;
  OperatorPtr child_;
};

// A vector and a scalar with an arithmetic or comparison operator between them.
class VectorScalarOperator final : public RowOperator {
 public:
  struct Options {
    BinaryOp op = BinaryOp::kAdd;
    bool return_bool = false;
    bool scalar_left = false;
    PositionRange pos;
  };
  VectorScalarOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, Options options)
      : RowOperator(query, grid, std::move(inputs), options.scalar_left ? 1 : 0), options_(options) {}
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<void> MapLabels() override;
  Result<void> MapRow(Block& block, size_t row) override;
  void MapHistograms(Block& block, size_t row, const double* scalar);
  const Options options_;
  LastNotes last_notes_;
};

}  // namespace epi::promql
