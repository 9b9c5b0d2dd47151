// Binary operators between two vectors. Both sides are held; match tables are built once from labels, and then each
// pair of series is computed over all steps at once.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "promql/engine/binary_kernels.h"
#include "promql/engine/row_operators.h"
#include "promql/parser/ast.h"

namespace epi::promql {

struct JoinOptions {
  BinaryOp op = BinaryOp::kAdd;
  bool return_bool = false;
  VectorMatching matching;
  PositionRange pos;
};

// The match signature of each row of two matrices as a dense number.
struct Signatures {
  std::vector<uint32_t> left;  // per row of the left matrix
  std::vector<uint32_t> right;
  uint32_t count = 0;
  Result<void> Build(const VectorMatching& matching, const SeriesList& left_series, const Matrix& left_rows,
                     const SeriesList& right_series, const Matrix& right_rows, QueryState& query);
};

// and, or, unless.
class SetOperator final : public StepwiseOperator {
 public:
  SetOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, JoinOptions options)
      : StepwiseOperator(query, grid, std::move(inputs)), options_(std::move(options)) {}
  Result<void> Prepare() override;

 private:
  Result<bool> Produce(Block& block) override;
  Result<void> Match();

  const JoinOptions options_;
  Matrix left_;
  Matrix right_;
  Signatures signatures_;
  std::vector<uint64_t> masks_;  // bits, signatures x words: steps at which the deciding side has an element
  MeteredBytes bytes_{&query_.meter};
  bool matched_ = false;
  size_t next_ = 0;
};

// Arithmetic and comparison between vectors, with fill modifiers.
class JoinOperator final : public StepwiseOperator {
 public:
  JoinOperator(QueryState& query, const StepGrid& grid, std::vector<OperatorPtr> inputs, JoinOptions options)
      : StepwiseOperator(query, grid, std::move(inputs)), options_(std::move(options)) {}
  // Labels of the result depend on which series match, and these must have points: the inputs are read here already.
  Result<void> Prepare() override;
  void Account(SampleAccount& account, Annotations& notes) const override;

 private:
  // The "many" side is called left below, the "one" side right, whichever way they are written; so are fill values, as
  // in Prometheus.
  static constexpr uint32_t kFill = ~uint32_t{0};
  struct Pair {
    uint32_t left;   // row, or kFill
    uint32_t right;  // row, or kFill
    uint32_t output = 0;
  };
  // Which rows of a signature stand on either side.
  struct Match {
    std::vector<uint32_t> left;
    std::vector<uint32_t> right;
  };

  Result<bool> Produce(Block& block) override;
  Result<void> BuildMatches();
  // Ambiguous matches that show in the rows alone; before BuildPairs, which they could make endless.
  Result<void> FindConflicts();
  // Several of the many whose results have equal labels.
  Result<void> FindEqualResults();
  // Adds the steps at which two of these rows have an element and both sides have any.
  Result<void> AddOverlaps(const Matrix& matrix, std::span<const uint32_t> rows, std::vector<uint64_t>& overlaps);
  Result<void> CheckSteps(const std::vector<uint64_t>& steps);
  Result<void> CheckStep(size_t step);
  Result<void> BuildPairs();
  Result<void> AddPair(Pair pair);
  uint32_t OutputFor(LabelTuple left, LabelTuple right);
  LabelTuple ResultLabels(LabelTuple left, LabelTuple right) const;
  LabelTuple MatchLabels(LabelTuple labels) const;
  Result<void> ComputePair(const Pair& pair, bool first, Block& block, size_t row);
  void ComputeDirectly(const RowView& left, const RowView& right, const std::vector<uint64_t>& both, Block& block,
                       size_t row);
  void ComputeFloats(const double* left, const double* right, const std::vector<uint64_t>& both, Block& block,
                     size_t row);
  // Steps at which both rows of a pair have an element; a fill value is there where the other side has no match.
  Result<void> PairSteps(const Pair& pair, std::vector<uint64_t>& steps);
  // Takes away the steps at which the two rows have operands that do not go together: there they count as not matched.
  void DropUndefinedSteps(const RowView& left, const RowView& right, std::vector<uint64_t>& steps) const;
  static void PresentSteps(const RowView& row, std::vector<uint64_t>& steps);
  LabelTuple LeftLabels(uint32_t row) const;
  LabelTuple RightLabels(uint32_t row) const;

  const JoinOptions options_;
  bool swapped_ = false;
  Matrix left_;
  Matrix right_;
  SeriesList left_series_;
  SeriesList right_series_;
  std::vector<uint32_t> left_signature_;
  std::vector<uint32_t> right_signature_;
  std::vector<Match> matches_;        // per signature
  std::vector<uint64_t> both_sides_;  // steps at which either side has any element
  std::vector<Pair> pairs_;           // sorted by output
  TupleMap<uint32_t> outputs_;
  MeteredBytes bytes_{&query_.meter};
  size_t next_pair_ = 0;
  LastNotes last_notes_;
  // Kept from pair to pair.
  std::vector<uint64_t> steps_;
  std::vector<uint64_t> other_;
  std::vector<uint64_t> holds_;
};

}  // namespace epi::promql
