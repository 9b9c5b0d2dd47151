// Operators without much of their own: constants, scalars, presence, repetition, labels.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "promql/engine/row_operators.h"

namespace epi::promql {

// Scalars that need no input, and vectors of one element without labels.
class ConstantOperator final : public StepwiseOperator {
 public:
  enum class What : unsigned char { kNumber, kTime, kDatePart };
  ConstantOperator(QueryState& query, const StepGrid& grid, What what, double number, const ElementFunction* part)
      : StepwiseOperator(query, grid, {}), what_(what), number_(number), part_(part) {}
  Result<void> Prepare() override;

 private:
  Result<bool> Produce(Block& block) override;
  const What what_;
  const double number_;
  const ElementFunction* part_;  // kDatePart: of the evaluation time
  bool done_ = false;
};

// What constant folding made of a part of the plan: its value, counted as if that part were evaluated.
class FoldedOperator final : public Operator {
 public:
  // The plan outlives it.
  FoldedOperator(QueryState& query, const StepGrid& grid, const PlanNode& number)
      : Operator(query, grid), number_(number) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  const PlanNode& number_;
  bool done_ = false;
};

// Two scalars: a binary operator, max_of, min_of.
class ScalarPairOperator final : public StepwiseOperator {
 public:
  using Kernel = void (*)(BinaryOp op, const double* a, const double* b, double* out, size_t count);
  ScalarPairOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, Kernel kernel,
                     BinaryOp op)
      : StepwiseOperator(query, grid, std::move(inputs)), kernel_(kernel), op_(op) {}
  Result<void> Prepare() override;
  static void Binary(BinaryOp op, const double* a, const double* b, double* out, size_t count);
  static void Max(BinaryOp op, const double* a, const double* b, double* out, size_t count);
  static void Min(BinaryOp op, const double* a, const double* b, double* out, size_t count);

 private:
  Result<bool> Produce(Block& block) override;
  const Kernel kernel_;
  const BinaryOp op_;
  bool done_ = false;
};

// vector(): a scalar as a vector; and the other way round.
class ToVectorOperator final : public RowOperator {
 public:
  ToVectorOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs)
      : RowOperator(query, grid, std::move(inputs), 0) {}

 private:
  Result<void> MapLabels() override { return {}; }
  Result<void> MapRow(Block&, size_t) override { return {}; }
};
class ToScalarOperator final : public StepwiseOperator {
 public:
  ToScalarOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs)
      : StepwiseOperator(query, grid, std::move(inputs)) {}
  Result<void> Prepare() override;

 private:
  Result<bool> Produce(Block& block) override;
  bool done_ = false;
};

// absent() and the second half of absent_over_time(): 1 where the input has nothing.
class AbsentOperator final : public Operator {
 public:
  // `stepwise`: counted as Prometheus counts absent(), not as it counts absent_over_time().
  AbsentOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, std::vector<Matcher> matchers,
                 bool stepwise, bool drop_name)
      : Operator(query, grid),
        child_(std::move(child)),
        matchers_(std::move(matchers)),
        stepwise_(stepwise),
        drop_name_(drop_name) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  OperatorPtr child_;
  const std::vector<Matcher> matchers_;
  const bool stepwise_;
  const bool drop_name_;
  bool done_ = false;
};

// Evaluates its child at the first step alone and repeats the answer at every step.
class StepInvariantOperator final : public Operator {
 public:
  StepInvariantOperator(QueryState& query, const StepGrid& grid, OperatorPtr child)
      : Operator(query, grid), child_(std::move(child)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  OperatorPtr child_;
  Matrix matrix_;
  bool drained_ = false;
  size_t next_ = 0;
};

// sort, sort_desc, sort_by_label, sort_by_label_desc. In range queries rows stay as they are.
class SortOperator final : public StepwiseOperator {
 public:
  struct Options {
    bool descending = false;
    bool by_label = false;
    std::vector<std::string> labels;
    PositionRange pos;
  };
  SortOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, Options options)
      : StepwiseOperator(query, grid, std::move(inputs)), options_(std::move(options)) {}
  Result<void> Prepare() override;

 private:
  Result<bool> Produce(Block& block) override;
  Result<void> Sort(const Matrix& matrix, std::vector<uint32_t>& order) const;
  const Options options_;
  Matrix matrix_;
  std::vector<uint32_t> order_;
  bool drained_ = false;
  size_t next_ = 0;
};

// label_replace and label_join: rows go through, labels change. To be followed by a MergeOperator.
class LabelOperator final : public Operator {
 public:
  // The new value of the destination label of a series, or nothing to leave it alone.
  using NewValue = std::function<std::optional<std::string>(LabelTuple labels, const LabelStore& store)>;
  LabelOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, std::string destination, NewValue new_value)
      : Operator(query, grid),
        child_(std::move(child)),
        destination_(std::move(destination)),
        new_value_(std::move(new_value)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override { child_->Account(account, notes); }

 private:
  Result<bool> Produce(Block& block) override { return child_->Next(block); }
  OperatorPtr child_;
  const std::string destination_;
  const NewValue new_value_;  // called once a series, not a sample
};

// The end of a query with delayed name removal: names are dropped now. To be followed by a MergeOperator.
class DropNamesOperator final : public Operator {
 public:
  DropNamesOperator(QueryState& query, const StepGrid& grid, OperatorPtr child)
      : Operator(query, grid), child_(std::move(child)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override { child_->Account(account, notes); }

 private:
  Result<bool> Produce(Block& block) override { return child_->Next(block); }
  OperatorPtr child_;
};

// Natural order of texts: runs of digits compare as numbers.
bool NaturalLess(std::string_view a, std::string_view b);

}  // namespace epi::promql
