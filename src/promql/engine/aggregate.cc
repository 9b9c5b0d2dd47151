#include "promql/engine/aggregate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/xxhash64.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "promql/functions/quantile.h"

namespace epi::promql {

Result<void> Grouping::Build(const SeriesList& input, const AggregateOptions& options, QueryState& query) {
  LabelStore& labels = query.labels;
  std::vector<std::string> names = options.grouping;
  // without() drops the metric name besides what it lists.
  if (options.without) names.emplace_back(kMetricName);
  const LabelSelector selector(names, !options.without, labels);
  group_of.resize(input.size());
  if (!options.without && options.grouping.empty()) {
    if (!input.empty()) groups.emplace_back();
    return {};
  }
  TupleMap<uint32_t> found;
  LabelBuffer key;
  Checkpoints checkpoints(query);
  for (size_t i = 0; i < input.size(); ++i) {
    EPI_TRY(checkpoints.Pass(Checkpoints::kPerLabelSet));
    selector.Apply(input[i].labels, key);
    auto at = found.find(LabelTuple(key));
    if (at == found.end()) {
      const LabelTuple stored = labels.Store(key);
      at = found.emplace(stored, static_cast<uint32_t>(groups.size())).first;
      groups.push_back({stored, false});
    }
    group_of[i] = at->second;
  }
  return {};
}

Result<void> FoldOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  if (param_) EPI_TRY(param_->Prepare());
  EPI_TRY(grouping_.Build(child_->series(), options_, query_));
  series_ = grouping_.groups;
  // A group loses its name in the end when one of its elements would. Where only some series would, that depends on
  // which of them have points.
  const SeriesList& input = child_->series();
  const auto drops = [](const SeriesLabels& series) { return series.drop_name; };
  if (query_.features.delayed_name_removal && std::any_of(input.begin(), input.end(), drops)) {
    if (!std::all_of(input.begin(), input.end(), drops)) {
      consumed_ = true;
      return options_.op == AggregateOp::kQuantile ? ConsumeForQuantile() : Consume();
    }
    for (auto& series : series_) series.drop_name = true;
  }
  return query_.meter.status();
}

Result<bool> FoldOperator::Produce(Block& block) {
  if (!consumed_) {
    consumed_ = true;
    EPI_TRY(options_.op == AggregateOp::kQuantile ? ConsumeForQuantile() : Consume());
  }
  if (next_ >= order_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), order_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const uint32_t group = order_[next_ + r];
    block.SetSeries(r, group);
    if (fold_) {
      fold_->Finish(group, block, r);
      EPI_TRY(checkpoints_.Pass(grid_.count + block.histograms(r).size() * Checkpoints::kPerHistogram));
    } else {
      EPI_TRY(QuantileRow(group, block, r));
    }
  }
  next_ += count;
  return true;
}

Result<void> FoldOperator::Consume() {
  fold_ = MakeGroupFold(options_, series_.size(), grid_.count, query_, notes_);
  std::vector<bool> seen(series_.size(), false);
  Block block;
  for (;;) {
    EPI_ASSIGN(const bool more, child_->Next(block));
    if (!more) break;
    for (size_t r = 0; r < block.rows(); ++r) {
      const RowView row = block.row(r);
      if (row.empty()) continue;
      const uint32_t group = grouping_.group_of[row.series];
      if (!seen[group]) {
        seen[group] = true;
        order_.push_back(group);
      }
      const SeriesLabels& from = child_->series()[row.series];
      if (from.drop_name) series_[group].drop_name = true;
      const bool nameless = from.drop_name && !query_.features.delayed_name_removal;
      const std::string_view metric =
          row.histograms->empty() || nameless ? std::string_view() : query_.labels.MetricName(from.labels);
      fold_->Add(group, row, metric);
      EPI_TRY(checkpoints_.Pass(grid_.count + row.histograms->size() * Checkpoints::kPerHistogram));
    }
  }
  return {};
}

Result<void> FoldOperator::ConsumeForQuantile() {
  EPI_ASSIGN(param_values_, DrainScalar(*param_, query_));
  double lowest = std::numeric_limits<double>::max();
  double highest = -lowest;
  bool any_nan = false;
  for (const double q : param_values_) {
    highest = GoMax(highest, q);
    lowest = GoMin(lowest, q);
    any_nan = any_nan || std::isnan(q);
  }
  if (any_nan) notes_.InvalidQuantile(NormalNaN(), options_.param_pos);
  if (highest > 1) notes_.InvalidQuantile(highest, options_.param_pos);
  if (lowest < 0) notes_.InvalidQuantile(lowest, options_.param_pos);
  EPI_TRY(matrix_.Drain(*child_, query_));
  group_rows_.resize(series_.size());
  for (uint32_t i = 0; i < matrix_.size(); ++i) {
    const RowView row = matrix_.row(i);
    const uint32_t group = grouping_.group_of[row.series];
    if (group_rows_[group].empty()) order_.push_back(group);
    group_rows_[group].push_back(i);
    if (child_->series()[row.series].drop_name) series_[group].drop_name = true;
    if (!row.histograms->empty()) notes_.HistogramIgnoredInAggregation("quantile", options_.expr_pos);
  }
  return {};
}

Result<void> FoldOperator::QuantileRow(uint32_t group, Block& block, size_t row) {
  // One group can hold all series at all steps.
  std::vector<double> values;
  for (size_t k = 0; k < grid_.count; ++k) {
    values.clear();
    EPI_TRY(checkpoints_.Pass(group_rows_[group].size()));
    for (const uint32_t i : group_rows_[group]) {
      const RowView from = matrix_.row(i);
      if (TestBit(from.bits, k)) values.push_back(from.values[k]);
    }
    if (values.empty()) continue;
    block.values(row)[k] = Quantile(param_values_[k], values);
    SetBit(block.bits(row), k);
  }
  block.CountFloats(row);
  return {};
}

void FoldOperator::Account(SampleAccount& account, Annotations& notes) const {
  const int64_t before = account.current;
  if (param_) param_->Account(account, notes);
  child_->Account(account, notes);
  account.current = before + tally().total_size();
  account.RaisePeak(account.current);
  notes.Merge(notes_);
}

Result<void> CountValuesOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  Matrix matrix;
  EPI_TRY(matrix.Drain(*child_, query_));
  AggregateOptions options = options_;
  if (!options.without) options.grouping.push_back(options.value_label);
  if (options.without) options.grouping.emplace_back(kMetricName);
  const LabelSelector selector(options.grouping, !options.without, query_.labels);
  const SymbolId value_name = query_.labels.Intern(options.value_label);
  TupleMap<uint32_t> found;
  LabelBuffer key;
  int64_t elements = 0;
  const auto count = [&](LabelTuple labels, size_t step, std::string_view value) -> Result<void> {
    LabelBuffer with(labels.begin(), labels.end());
    query_.labels.Set(with, value_name, query_.labels.Intern(value));
    selector.Apply(with, key);
    auto at = found.find(LabelTuple(key));
    if (at == found.end()) {
      const LabelTuple stored = query_.labels.Store(key);
      at = found.emplace(stored, static_cast<uint32_t>(series_.size())).first;
      series_.push_back({stored, false});
      steps_.emplace_back();
      ++elements;
    }
    steps_[at->second].push_back(static_cast<uint32_t>(step));
    ++elements;
    // Finding the text and its label set costs as much as several of the latter.
    return checkpoints_.Pass(4 * Checkpoints::kPerLabelSet);
  };
  for (size_t i = 0; i < matrix.size(); ++i) {
    const RowView row = matrix.row(i);
    const LabelTuple labels = child_->series()[row.series].labels;
    Result<void> counted;
    ForEachBit(row.bits, WordsFor(grid_.count), [&](size_t k) {
      if (counted) counted = count(labels, k, FormatFloatPlain(row.values[k]));
    });
    EPI_TRY(counted);
    for (const auto& at : *row.histograms) {
      EPI_TRY(checkpoints_.Pass(4 * Checkpoints::kPerHistogram));
      EPI_TRY(count(labels, at.step, HistogramToString(*at.h)));
    }
    bytes_.Set(elements * static_cast<int64_t>(sizeof(uint32_t) + sizeof(SeriesLabels)));
  }
  return query_.Check();
}

Result<bool> CountValuesOperator::Produce(Block& block) {
  if (next_ >= series_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), series_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    block.SetSeries(r, static_cast<uint32_t>(next_ + r));
    for (const uint32_t k : steps_[next_ + r]) {
      const double before = TestBit(block.bits(r), k) ? block.values(r)[k] : 0;
      block.values(r)[k] = before + 1;
      SetBit(block.bits(r), k);
    }
    block.CountFloats(r);
  }
  next_ += count;
  return true;
}

void CountValuesOperator::Account(SampleAccount& account, Annotations& notes) const {
  const int64_t before = account.current;
  child_->Account(account, notes);
  account.StepwiseEvaluation(before, child_->tally().Elements(), tally());
  notes.Merge(notes_);
}

}  // namespace epi::promql
