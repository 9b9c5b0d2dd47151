// Operators: the running form of a query plan. An operator first announces the labels of every series it may put out,
// then hands out blocks of rows until there are none left. One thread drives a tree of operators; leaves use more
// inside.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/result.h"
#include "promql/engine/accounting.h"
#include "promql/engine/annotations.h"
#include "promql/engine/block.h"
#include "promql/engine/profile.h"
#include "promql/engine/query_state.h"
#include "promql/engine/steps.h"

namespace epi::promql {

class Operator {
 public:
  Operator(QueryState& query, const StepGrid& grid) : query_(query), grid_(grid) { tally_.Start(grid.count); }
  virtual ~Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  // Selects series and settles labels, children first. Once, before anything else.
  virtual Result<void> Prepare() = 0;
  const SeriesList& series() const { return series_; }
  const StepGrid& grid() const { return grid_; }

  // The next rows; false when there are no more. Each series comes at most once; one without any point need not come.
  // Rows come in the order in which their samples stand in Prometheus's vectors.
  Result<bool> Next(Block& block);

  // After the last row: counts what Prometheus would count and collects annotations, both in its order of evaluation.
  virtual void Account(SampleAccount& account, Annotations& notes) const = 0;
  // Measures from now on; before the first Next.
  void Attach(std::shared_ptr<OperatorStats> stats) {
    CountDecoded(stats);
    stats_ = std::move(stats);
  }
  // Where samples of storage are counted: a leaf keeps it, whatever hides one passes it on.
  virtual void CountDecoded(const std::shared_ptr<OperatorStats>&) {}
  // Nothing above looks at the names of its series; before Prepare.
  void SetNamesUnneeded() { names_unneeded_ = true; }
  const OutputTally& tally() const { return tally_source_ != nullptr ? tally_source_->tally() : tally_; }

 protected:
  virtual Result<bool> Produce(Block& block) = 0;
  // While preparing: takes the name labels from those of series_ that are marked to lose them. All keep them when
  // nothing above looks at names, as long as none has one of the other two labels that go with the name.
  Result<void> DropMarkedNames();

  QueryState& query_;
  const StepGrid grid_;
  Checkpoints checkpoints_{query_};  // of the driving thread
  SeriesList series_;
  Annotations notes_;
  // Set when exactly that operator's rows go through: they are counted there.
  const Operator* tally_source_ = nullptr;
  std::shared_ptr<OperatorStats> stats_;  // null: not measured
  bool names_unneeded_ = false;

 private:
  Result<bool> Measured(Block& block);

  OutputTally tally_;
};
using OperatorPtr = std::unique_ptr<Operator>;

// Everything an operator puts out, for those that need it at once.
class Matrix {
 public:
  Result<void> Drain(Operator& source, QueryState& query);
  size_t size() const { return rows_.size(); }
  RowView row(size_t i) const { return blocks_[rows_[i].first].row(rows_[i].second); }
  // Index into rows of a series of the source, or npos when it has no point.
  static constexpr size_t npos = ~size_t{0};
  size_t FindSeries(uint32_t series) const;
  void Clear();

 private:
  std::vector<Block> blocks_;
  std::vector<std::pair<uint32_t, uint32_t>> rows_;  // block, row; only rows with points
};

// Hands out the rows of a matrix block by block.
class MatrixReader {
 public:
  // False when all rows are out.
  bool Next(const Matrix& matrix, size_t steps, MemoryMeter& meter, Block& block);

 private:
  size_t next_ = 0;
};

// A scalar expression's value at every step.
Result<std::vector<double>> DrainScalar(Operator& source, QueryState& query);

}  // namespace epi::promql
