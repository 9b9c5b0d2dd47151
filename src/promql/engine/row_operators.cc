#include "promql/engine/row_operators.h"

#include <algorithm>

#include "model/histogram_math.h"
#include "promql/engine/binary_kernels.h"

namespace epi::promql {

Result<void> StepwiseOperator::PrepareInputs() {
  for (auto& input : inputs_) {
    if (input != nullptr) EPI_TRY(input->Prepare());
  }
  return {};
}

void StepwiseOperator::Account(SampleAccount& account, Annotations& notes) const {
  const int64_t before = account.current;
  std::vector<int64_t> gathered(grid_.count, 0);
  for (const auto& input : inputs_) {
    if (input == nullptr) continue;
    input->Account(account, notes);
    const std::vector<int64_t> elements = input->tally().Elements();
    for (size_t k = 0; k < gathered.size(); ++k) gathered[k] += elements[k];
  }
  account.StepwiseEvaluation(before, gathered, tally());
  notes.Merge(notes_);
}

Result<void> RowOperator::Prepare() {
  EPI_TRY(PrepareInputs());
  series_ = inputs_[vector_]->series();
  EPI_TRY(MapLabels());
  return query_.meter.status();
}

Result<void> RowOperator::DropNames() {
  for (auto& series : series_) series.drop_name = true;
  return query_.features.delayed_name_removal ? Result<void>() : DropMarkedNames();
}

Result<bool> RowOperator::Produce(Block& block) {
  if (!opened_) {
    opened_ = true;
    scalars_.resize(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (i == vector_ || inputs_[i] == nullptr) continue;
      EPI_ASSIGN(scalars_[i], DrainScalar(*inputs_[i], query_));
    }
  }
  EPI_ASSIGN(const bool more, inputs_[vector_]->Next(block));
  if (!more) return false;
  for (size_t r = 0; r < block.rows(); ++r) {
    EPI_TRY(checkpoints_.Pass(block.steps() + block.histograms(r).size() * Checkpoints::kPerHistogram));
    EPI_TRY(MapRow(block, r));
  }
  return true;
}

Result<void> ElementOperator::MapRow(Block& block, size_t row) {
  block.histograms(row).clear();
  if (block.floats(row) == 0) return {};
  const double* a = inputs_.size() > 1 ? Scalar(1) : nullptr;
  const double* b = inputs_.size() > 2 ? Scalar(2) : nullptr;
  const auto from = [](const double* argument, size_t step) { return argument == nullptr ? nullptr : argument + step; };
  EPI_TRY(ForEachStretch(block.steps(), query_, [&](size_t first, size_t count) {
    function_.kernel(block.values(row) + first, count, from(a, first), from(b, first));
  }));
  if (function_.id != FunctionId::kClamp) return {};
  bool removed = false;
  for (size_t k = 0; k < block.steps(); ++k) {
    if (b[k] < a[k]) {
      ClearBit(block.bits(row), k);
      removed = true;
    }
  }
  if (removed) block.CountFloats(row);
  return {};
}

Result<void> EvaluationTimeOperator::MapRow(Block& block, size_t row) {
  if (empty_) {
    block.ClearRow(row);
    return {};
  }
  double* values = block.values(row);
  for (size_t k = 0; k < block.steps(); ++k) values[k] = static_cast<double>(grid_.Time(k)) / 1000;
  for (const auto& at : block.histograms(row)) SetBit(block.bits(row), at.step);
  block.histograms(row).clear();
  block.CountFloats(row);
  return {};
}

Result<void> NegateOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  series_ = child_->series();
  for (auto& series : series_) series.drop_name = true;
  if (!query_.features.delayed_name_removal) EPI_TRY(DropMarkedNames());
  tally_source_ = child_.get();
  return query_.meter.status();
}

Result<bool> NegateOperator::Produce(Block& block) {
  EPI_ASSIGN(const bool more, child_->Next(block));
  if (!more) return false;
  for (size_t r = 0; r < block.rows(); ++r) {
    EPI_TRY(checkpoints_.Pass(block.steps() + block.histograms(r).size() * Checkpoints::kPerHistogram));
    double* values = block.values(r);
    for (size_t k = 0; k < block.steps(); ++k) values[k] = -values[k];
    for (auto& at : block.histograms(r)) {
      FloatHistogram negated = *at.h;
      Multiply(negated, -1);
      at.h = std::make_shared<const FloatHistogram>(std::move(negated));
    }
  }
  return true;
}

Result<void> VectorScalarOperator::MapLabels() {
  return IsArithmetic(options_.op) || options_.return_bool ? DropNames() : Result<void>();
}

void VectorScalarOperator::Account(SampleAccount& account, Annotations& notes) const {
  RowOperator::Account(account, notes);
  last_notes_.AddTo(notes, options_.op, options_.pos);
}

Result<void> VectorScalarOperator::MapRow(Block& block, size_t row) {
  const double* scalar = Scalar(options_.scalar_left ? 0 : 1);
  double* values = block.values(row);
  uint64_t* bits = block.bits(row);
  const size_t steps = block.steps();
  if (!block.histograms(row).empty()) MapHistograms(block, row, scalar);
  if (block.floats(row) == 0 && block.histograms(row).empty()) return {};
  const double* left = options_.scalar_left ? scalar : values;
  const double* right = options_.scalar_left ? values : scalar;
  if (IsArithmetic(options_.op)) {
    return ForEachStretch(steps, query_, [&](size_t first, size_t count) {
      ArithmeticKernel(options_.op, left + first, right + first, values + first, count);
    });
  }
  if (!IsComparison(options_.op)) {  // trimming a float
    ForEachBit(bits, block.words(),
               [&](size_t k) { last_notes_.Offer(grid_, k, 0, {}, {}, BinaryNote::kIncompatibleTypes); });
    std::fill_n(bits, block.words(), uint64_t{0});
    block.CountFloats(row);
    return {};
  }
  std::vector<uint64_t> holds(block.words());
  ComparisonKernel(options_.op, left, right, holds.data(), steps);
  if (options_.return_bool) {
    for (size_t k = 0; k < steps; ++k) values[k] = TestBit(holds.data(), k) ? 1 : 0;
  } else {
    for (size_t w = 0; w < holds.size(); ++w) bits[w] &= holds[w];
  }
  block.CountFloats(row);
  return {};
}

void VectorScalarOperator::MapHistograms(Block& block, size_t row, const double* scalar) {
  HistogramList kept;
  for (auto& at : block.histograms(row)) {
    // Rows come in the order of the elements: what is said of a later one is the last.
    Operand a{0, &at.h};
    Operand b{scalar[at.step], nullptr};
    if (options_.scalar_left) std::swap(a, b);
    BinaryOutcome out = HistogramBinary(options_.op, a, b);
    last_notes_.Offer(grid_, at.step, 0, a, b, out.note);
    if (out.defined && out.h != nullptr) kept.push_back({at.step, std::move(out.h)});
  }
  block.histograms(row) = std::move(kept);
}

}  // namespace epi::promql
