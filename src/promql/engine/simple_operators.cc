#include "promql/engine/simple_operators.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "promql/engine/binary_kernels.h"
#include "promql/engine/sort_while_wanted.h"
#include "promql/functions/quantile.h"
#include "promql/plan/subtrees.h"

namespace epi::promql {
namespace {

// One row without labels, with a float at every step.
double* OneRow(Block& block, const StepGrid& grid, QueryState& query) {
  block.Reset(1, grid.count, query.meter);
  block.SetFull(0);
  return block.values(0);
}

}  // namespace

Result<void> ConstantOperator::Prepare() {
  series_.resize(1);
  return {};
}

Result<bool> ConstantOperator::Produce(Block& block) {
  if (done_) return false;
  done_ = true;
  double* values = OneRow(block, grid_, query_);
  for (size_t k = 0; k < grid_.count; ++k) {
    switch (what_) {
      case What::kNumber:
        values[k] = number_;
        break;
      case What::kTime:
        values[k] = static_cast<double>(grid_.Time(k)) / 1000;
        break;
      case What::kDatePart:
        values[k] = static_cast<double>(grid_.Time(k) / 1000);
        break;
    }
  }
  if (part_ != nullptr) part_->kernel(values, grid_.count, nullptr, nullptr);
  return true;
}

namespace {

// Counts the evaluation of scalars that are made of numbers.
void AccountConstants(const PlanNode& node, const StepGrid& grid, SampleAccount& account) {
  if (node.kind == PlanKind::kNegate) return AccountConstants(*node.children[0], grid, account);
  OutputTally row;
  row.Start(grid.count);
  row.CountFullRow();
  if (node.kind == PlanKind::kStepInvariant) {
    const StepGrid inside = InvariantGrid(grid);
    SampleAccount once(inside, false, account.current);
    AccountConstants(*node.children[0], inside, once);
    account.current = once.current + row.total_size() - static_cast<int64_t>(inside.count);
    account.RaisePeak(once.peak);
    account.RaisePeak(account.current);
    return;
  }
  const int64_t before = account.current;
  for (const auto& child : node.children) AccountConstants(*child, grid, account);
  const std::vector<int64_t> gathered(grid.count, static_cast<int64_t>(node.children.size()));
  account.StepwiseEvaluation(before, gathered, row);
}

}  // namespace

Result<void> FoldedOperator::Prepare() {
  series_.resize(1);
  return {};
}

Result<bool> FoldedOperator::Produce(Block& block) {
  if (done_) return false;
  done_ = true;
  std::fill_n(OneRow(block, grid_, query_), grid_.count, number_.number);
  return true;
}

void FoldedOperator::Account(SampleAccount& account, Annotations&) const {
  AccountConstants(*number_.folded, grid_, account);
}

Result<void> ScalarPairOperator::Prepare() {
  series_.resize(1);
  return PrepareInputs();
}

Result<bool> ScalarPairOperator::Produce(Block& block) {
  if (done_) return false;
  done_ = true;
  EPI_ASSIGN(const auto a, DrainScalar(*inputs_[0], query_));
  EPI_ASSIGN(const auto b, DrainScalar(*inputs_[1], query_));
  if (!IsArithmetic(op_) && !IsComparison(op_) && grid_.count > 0) {
    return Fail(ErrorCode::kExecution,
                "operator \"" + std::string(BinaryOpName(op_)) + "\" not allowed for Scalar operations");
  }
  double* out = OneRow(block, grid_, query_);
  EPI_TRY(ForEachStretch(grid_.count, query_, [&](size_t first, size_t count) {
    kernel_(op_, a.data() + first, b.data() + first, out + first, count);
  }));
  return true;
}

void ScalarPairOperator::Binary(BinaryOp op, const double* a, const double* b, double* out, size_t count) {
  if (IsArithmetic(op)) return ArithmeticKernel(op, a, b, out, count);
  for (size_t k = 0; k < count; ++k) out[k] = ScalarBinary(op, a[k], b[k]);
}
void ScalarPairOperator::Max(BinaryOp, const double* a, const double* b, double* out, size_t count) {
  for (size_t k = 0; k < count; ++k) out[k] = GoMax(a[k], b[k]);
}
void ScalarPairOperator::Min(BinaryOp, const double* a, const double* b, double* out, size_t count) {
  for (size_t k = 0; k < count; ++k) out[k] = GoMin(a[k], b[k]);
}

Result<void> ToScalarOperator::Prepare() {
  series_.resize(1);
  return PrepareInputs();
}

Result<bool> ToScalarOperator::Produce(Block& block) {
  if (done_) return false;
  done_ = true;
  std::vector<double> values(grid_.count, NormalNaN());
  std::vector<uint8_t> found(grid_.count, 0);
  for (;;) {
    EPI_ASSIGN(const bool more, inputs_[0]->Next(block));
    if (!more) break;
    for (size_t r = 0; r < block.rows(); ++r) {
      const RowView row = block.row(r);
      ForEachBit(row.bits, block.words(), [&](size_t k) {
        values[k] = found[k] == 0 ? row.values[k] : NormalNaN();
        found[k] = 1;
      });
    }
  }
  std::copy(values.begin(), values.end(), OneRow(block, grid_, query_));
  return true;
}

Result<void> AbsentOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  // Labels that an equality matcher, and no other matcher, names.
  std::vector<std::pair<SymbolId, std::string>> pairs;
  std::vector<std::string> seen;
  for (const auto& matcher : matchers_) {
    if (matcher.name() == kMetricName) continue;
    const SymbolId name = query_.labels.Intern(matcher.name());
    const bool first = std::find(seen.begin(), seen.end(), matcher.name()) == seen.end();
    if (matcher.type() == MatchType::kEqual && first) {
      pairs.emplace_back(name, matcher.value());
      seen.push_back(matcher.name());
    } else {
      std::erase_if(pairs, [&](const auto& pair) { return pair.first == name; });
    }
  }
  LabelBuffer labels;
  for (const auto& [name, value] : pairs) {
    if (!value.empty()) query_.labels.Set(labels, name, query_.labels.Intern(value));
  }
  series_.push_back({query_.labels.Store(labels), drop_name_});
  return {};
}

Result<bool> AbsentOperator::Produce(Block& block) {
  if (done_) return false;
  done_ = true;
  std::vector<uint64_t> present(WordsFor(grid_.count), 0);
  for (;;) {
    EPI_ASSIGN(const bool more, child_->Next(block));
    if (!more) break;
    for (size_t r = 0; r < block.rows(); ++r) {
      const RowView row = block.row(r);
      for (size_t w = 0; w < present.size(); ++w) present[w] |= row.bits[w];
      for (const auto& at : *row.histograms) SetBit(present.data(), at.step);
    }
  }
  std::fill_n(OneRow(block, grid_, query_), grid_.count, 1.0);
  for (size_t w = 0; w < present.size(); ++w) block.bits(0)[w] &= ~present[w];
  block.CountFloats(0);
  return true;
}

void AbsentOperator::Account(SampleAccount& account, Annotations& notes) const {
  const int64_t before = account.current;
  child_->Account(account, notes);
  if (stepwise_) account.StepwiseEvaluation(before, child_->tally().Elements(), tally());
}

Result<void> StepInvariantOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  series_ = child_->series();
  return {};
}

Result<bool> StepInvariantOperator::Produce(Block& block) {
  if (!drained_) {
    drained_ = true;
    EPI_TRY(matrix_.Drain(*child_, query_));
  }
  if (next_ >= matrix_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), matrix_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const RowView row = matrix_.row(next_ + r);
    block.SetSeries(r, row.series);
    if (row.floats > 0) {
      std::fill_n(block.values(r), grid_.count, row.values[0]);
      block.SetFull(r);
      continue;
    }
    auto& list = block.histograms(r);
    list.reserve(grid_.count);
    for (size_t k = 0; k < grid_.count; ++k) list.push_back({static_cast<uint32_t>(k), row.histograms->front().h});
  }
  next_ += count;
  return true;
}

void StepInvariantOperator::Account(SampleAccount& account, Annotations& notes) const {
  SampleAccount once(child_->grid(), false, account.current);
  child_->Account(once, notes);
  account.current = once.current;
  account.RaisePeak(once.peak);
  for (size_t k = 0; k < grid_.count; ++k) account.AddTotal(k, once.total);
  if (grid_.count > 0) {
    account.AddRead(0, once.read);
    account.current += child_->tally().total_size() * static_cast<int64_t>(grid_.count - 1);
  }
  account.RaisePeak(account.current);
}

bool NaturalLess(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  // Splits off the leading run of digits or of other characters.
  const auto chunk = [&](std::string_view& text) {
    size_t n = 1;
    while (n < text.size() && digit(text[n]) == digit(text[0])) ++n;
    const std::string_view out = text.substr(0, n);
    text.remove_prefix(n);
    return out;
  };
  while (!a.empty() && !b.empty()) {
    std::string_view x = chunk(a);
    std::string_view y = chunk(b);
    if (digit(x[0]) && digit(y[0])) {
      std::string_view short_x = x.substr(std::min(x.find_first_not_of('0'), x.size()));
      std::string_view short_y = y.substr(std::min(y.find_first_not_of('0'), y.size()));
      if (short_x.size() != short_y.size()) return short_x.size() < short_y.size();
      if (short_x != short_y) return short_x < short_y;
      if (x.size() != y.size()) return x.size() < y.size();
      continue;
    }
    if (x != y) return x < y;
  }
  return a.empty() && !b.empty();
}

Result<void> SortOperator::Prepare() {
  EPI_TRY(PrepareInputs());
  series_ = inputs_[0]->series();
  if (!grid_.instant()) notes_.SortInRangeQuery(options_.pos);
  return {};
}

Result<void> SortOperator::Sort(const Matrix& matrix, std::vector<uint32_t>& order) const {
  if (!options_.by_label) {
    const auto before = [&](uint32_t i, uint32_t j) {
      const double a = matrix.row(i).values[0];
      const double b = matrix.row(j).values[0];
      if (std::isnan(a) || std::isnan(b)) return std::isnan(b) && !std::isnan(a);
      return options_.descending ? a > b : a < b;
    };
    return SortWhileWanted(order, before, query_);
  }
  std::vector<SymbolId> names;
  for (const auto& label : options_.labels) names.push_back(query_.labels.Intern(label));
  const auto before = [&](uint32_t i, uint32_t j) {
    if (options_.descending) std::swap(i, j);
    const LabelTuple a = series_[matrix.row(i).series].labels;
    const LabelTuple b = series_[matrix.row(j).series].labels;
    for (const SymbolId name : names) {
      const std::string_view x = query_.labels.Get(a, name);
      const std::string_view y = query_.labels.Get(b, name);
      if (x != y) return NaturalLess(x, y);
    }
    return query_.labels.Compare(a, b) < 0;
  };
  return SortWhileWanted(order, before, query_);
}

Result<bool> SortOperator::Produce(Block& block) {
  if (!drained_) {
    drained_ = true;
    EPI_TRY(matrix_.Drain(*inputs_[0], query_));
    for (uint32_t i = 0; i < matrix_.size(); ++i) {
      // Sorting by value leaves histograms out, in range queries too.
      if (options_.by_label || matrix_.row(i).floats > 0) order_.push_back(i);
    }
    if (grid_.instant()) EPI_TRY(Sort(matrix_, order_));
  }
  if (next_ >= order_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), order_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    block.CopyRow(matrix_.row(order_[next_ + r]), r);
    if (!options_.by_label) block.histograms(r).clear();
  }
  next_ += count;
  return true;
}

Result<void> LabelOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  series_ = child_->series();
  const SymbolId name = query_.labels.Intern(destination_);
  for (auto& series : series_) {
    EPI_TRY(checkpoints_.Pass(4 * Checkpoints::kPerLabelSet));
    const std::optional<std::string> value = new_value_(series.labels, query_.labels);
    if (!value) continue;
    series.labels = query_.labels.With(series.labels, name, *value);
    if (destination_ == kMetricName) series.drop_name = false;
  }
  tally_source_ = child_.get();
  return query_.meter.status();
}

Result<void> DropNamesOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  series_ = child_->series();
  EPI_TRY(DropMarkedNames());
  tally_source_ = child_.get();
  return query_.meter.status();
}

}  // namespace epi::promql
