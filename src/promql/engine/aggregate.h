// Aggregations. Those that fold take rows in order as they come and keep one accumulator a group and step; those that
// choose among elements (topk and its like) or need all values at once (quantile, count_values) hold their input.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "promql/engine/operator.h"
#include "promql/parser/ast.h"

namespace epi::promql {

struct AggregateOptions {
  AggregateOp op = AggregateOp::kSum;
  std::vector<std::string> grouping;
  bool without = false;
  PositionRange pos;       // of the whole aggregation
  PositionRange expr_pos;  // of the aggregated expression
  PositionRange param_pos;
  bool param_is_number = false;
  std::string value_label;  // count_values
};

// Which group a series belongs to, and the groups' labels.
struct Grouping {
  std::vector<uint32_t> group_of;  // per series
  SeriesList groups;
  Result<void> Build(const SeriesList& input, const AggregateOptions& options, QueryState& query);
};

// Accumulators of one aggregation over all groups.
class GroupFold {
 public:
  virtual ~GroupFold() = default;
  // `metric` is the row's metric name, for annotations.
  virtual void Add(size_t group, const RowView& row, std::string_view metric) = 0;
  // Writes the group's result into a row of `block`, which is empty.
  virtual void Finish(size_t group, Block& block, size_t row) = 0;
};
std::unique_ptr<GroupFold> MakeGroupFold(const AggregateOptions& options, size_t groups, size_t steps,
                                         QueryState& query, Annotations& notes);

// sum, avg, count, min, max, group, stddev, stdvar, quantile.
class FoldOperator final : public Operator {
 public:
  // `param` only for quantile.
  FoldOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, OperatorPtr param, AggregateOptions options)
      : Operator(query, grid), child_(std::move(child)), param_(std::move(param)), options_(std::move(options)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  Result<void> Consume();
  Result<void> ConsumeForQuantile();
  Result<void> QuantileRow(uint32_t group, Block& block, size_t row);

  OperatorPtr child_;
  OperatorPtr param_;
  const AggregateOptions options_;
  Grouping grouping_;
  std::unique_ptr<GroupFold> fold_;
  std::vector<uint32_t> order_;  // groups that have any row, by their first
  bool consumed_ = false;
  size_t next_ = 0;
  // quantile
  Matrix matrix_;
  std::vector<std::vector<uint32_t>> group_rows_;
  std::vector<double> param_values_;
};

// topk, bottomk, limitk, limit_ratio.
class ChooseOperator final : public Operator {
 public:
  ChooseOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, OperatorPtr param,
                 AggregateOptions options)
      : Operator(query, grid), child_(std::move(child)), param_(std::move(param)), options_(std::move(options)) {}
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  Result<void> Choose();
  Result<bool> CheckParameter();
  Result<void> ChooseAtStep(size_t step, double parameter, std::vector<uint32_t>* order);
  Result<void> ChooseTile(size_t base);
  // One annotation for every histogram left out at one of the tile's steps; `wanted` is k at each.
  void NoteHistograms(const RowView& row, size_t base, const size_t* wanted);
  bool InRatio(double ratio, uint32_t row) const;

  OperatorPtr child_;
  OperatorPtr param_;
  const AggregateOptions options_;
  Grouping grouping_;
  Matrix matrix_;
  std::vector<double> param_values_;
  std::vector<uint64_t> chosen_;       // bits, rows x words
  std::vector<double> ratio_offsets_;  // limit_ratio: per row
  std::vector<uint32_t> order_;        // rows to put out
  MeteredBytes bytes_{&query_.meter};
  bool done_ = false;
  size_t next_ = 0;
};

// count_values.
class CountValuesOperator final : public Operator {
 public:
  CountValuesOperator(QueryState& query, const StepGrid& grid, OperatorPtr child, AggregateOptions options)
      : Operator(query, grid), child_(std::move(child)), options_(std::move(options)) {}
  // The labels are the values, so the input is read here already.
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  Result<bool> Produce(Block& block) override;
  OperatorPtr child_;
  const AggregateOptions options_;
  std::vector<std::vector<uint32_t>> steps_;  // per output series, a step for each element it counts
  MeteredBytes bytes_{&query_.meter};
  size_t next_ = 0;
};

}  // namespace epi::promql
