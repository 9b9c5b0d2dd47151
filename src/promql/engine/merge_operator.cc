#include "promql/engine/merge_operator.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace epi::promql {
namespace {

// Of a row that has one.
size_t FirstStep(const RowView& row) {
  size_t word = 0;
  if (row.floats != 0) {
    while (row.bits[word] == 0) ++word;
  }
  const size_t first_float =
      row.floats == 0 ? SIZE_MAX : word * 64 + static_cast<size_t>(std::countr_zero(row.bits[word]));
  return row.histograms->empty() ? first_float : std::min<size_t>(first_float, row.histograms->front().step);
}

}  // namespace

Error SameLabelsetError() {
  return Error(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
}

Result<void> MergeOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  const SeriesList& input = child_->series();
  if (one_name_ && !query_.labels.dropped_type_or_unit()) {
    series_ = input;
    tally_source_ = child_.get();
    return {};
  }
  TupleMap<uint32_t> groups;
  groups.reserve(input.size());
  group_of_.resize(input.size());
  bool names_differ = false;
  for (size_t i = 0; i < input.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    const auto [at, fresh] = groups.try_emplace(input[i].labels, static_cast<uint32_t>(series_.size()));
    group_of_[i] = at->second;
    if (fresh) series_.push_back(input[i]);
    names_differ = names_differ || series_[at->second].drop_name != input[i].drop_name;
  }
  duplicates_ = series_.size() != input.size();
  if (!duplicates_) {
    tally_source_ = child_.get();
    group_of_ = {};
  }
  seen_.assign(series_.size(), false);
  return names_differ && policy_ == Policy::kMerge ? DecideNames() : Result<void>();
}

Result<void> MergeOperator::GroupRows() {
  if (drained_) return {};
  drained_ = true;
  EPI_TRY(matrix_.Drain(*child_, query_));
  std::vector<uint32_t> slot(series_.size(), ~uint32_t{0});
  for (size_t i = 0; i < matrix_.size(); ++i) {
    uint32_t& at = slot[group_of_[matrix_.row(i).series]];
    if (at == ~uint32_t{0}) {
      at = static_cast<uint32_t>(group_rows_.size());
      group_rows_.emplace_back();
    }
    group_rows_[at].push_back(static_cast<uint32_t>(i));
  }
  return {};
}

Result<void> MergeOperator::DecideNames() {
  EPI_TRY(GroupRows());
  for (const auto& rows : group_rows_) {
    size_t earliest = SIZE_MAX;
    for (const uint32_t i : rows) {
      const RowView row = matrix_.row(i);
      if (row.empty() || FirstStep(row) >= earliest) continue;
      earliest = FirstStep(row);
      series_[group_of_[row.series]].drop_name = child_->series()[row.series].drop_name;
    }
  }
  return {};
}

Result<bool> MergeOperator::Produce(Block& block) {
  if (!duplicates_) return child_->Next(block);
  return policy_ == Policy::kRefuse ? ProduceChecked(block) : ProduceMerged(block);
}

Result<bool> MergeOperator::ProduceChecked(Block& block) {
  EPI_ASSIGN(const bool more, child_->Next(block));
  if (!more) return false;
  for (size_t r = 0; r < block.rows(); ++r) {
    const uint32_t group = group_of_[block.series(r)];
    block.SetSeries(r, group);
    if (block.row(r).empty()) continue;
    if (seen_[group]) return Fail(SameLabelsetError());
    seen_[group] = true;
  }
  return true;
}

Result<bool> MergeOperator::ProduceMerged(Block& block) {
  EPI_TRY(GroupRows());
  if (next_group_ >= group_rows_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), group_rows_.size() - next_group_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const auto& rows = group_rows_[next_group_ + r];
    block.CopyRow(matrix_.row(rows[0]), r);
    block.SetSeries(r, group_of_[matrix_.row(rows[0]).series]);
    for (size_t i = 1; i < rows.size(); ++i) {
      const RowView row = matrix_.row(rows[i]);
      EPI_TRY(checkpoints_.Pass(grid_.count + row.histograms->size()));
      bool conflict = false;
      uint64_t* bits = block.bits(r);
      HistogramList& histograms = block.histograms(r);
      ForEachBit(row.bits, block.words(), [&](size_t k) {
        conflict = conflict || TestBit(bits, k);
        block.values(r)[k] = row.values[k];
        SetBit(bits, k);
      });
      HistogramList merged;
      std::merge(histograms.begin(), histograms.end(), row.histograms->begin(), row.histograms->end(),
                 std::back_inserter(merged),
                 [](const HistogramAt& a, const HistogramAt& b) { return a.step < b.step; });
      for (size_t h = 0; h < merged.size(); ++h) {
        conflict = conflict || (h > 0 && merged[h - 1].step == merged[h].step) || TestBit(bits, merged[h].step);
      }
      histograms = std::move(merged);
      if (conflict) return Fail(SameLabelsetError());
    }
    block.CountFloats(r);
  }
  next_group_ += count;
  return true;
}

}  // namespace epi::promql
