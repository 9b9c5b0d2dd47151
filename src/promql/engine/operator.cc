#include "promql/engine/operator.h"

#include <algorithm>

#include "model/sample.h"

namespace epi::promql {

Result<bool> Operator::Next(Block& block) {
  EPI_TRY(query_.Check());
  if (grid_.count == 0) return false;
  EPI_ASSIGN(const bool more, stats_ == nullptr ? Produce(block) : Measured(block));
  if (!more) return false;
  if (tally_source_ != nullptr) return true;
  tally_.Count(block);
  // Prometheus would hold all of this operator's output, and more: a lower bound that spares work that must fail.
  if (tally_.total_size() > query_.max_samples) return Fail(TooManySamplesError());
  return true;
}

Result<void> Operator::DropMarkedNames() {
  LabelStore& labels = query_.labels;
  const auto has_more = [&](const SeriesLabels& one) { return labels.HasTypeOrUnit(one.labels); };
  if (names_unneeded_ && std::none_of(series_.begin(), series_.end(), has_more)) return {};
  for (auto& one : series_) {
    if (one.drop_name) one.labels = labels.DropMetadata(one.labels);
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
  }
  return {};
}

Result<bool> Operator::Measured(Block& block) {
  const MonotonicNs began = query_.clock.Monotonic();
  auto produced = Produce(block);
  stats_->spent += query_.clock.Monotonic() - began;
  if (!produced || !*produced) return produced;
  for (size_t r = 0; r < block.rows(); ++r) {
    const RowView row = block.row(r);
    if (row.empty()) continue;
    ++stats_->series;
    stats_->samples += row.floats;
    stats_->bytes += static_cast<int64_t>(block.steps() * sizeof(double) + block.words() * sizeof(uint64_t));
    for (const auto& at : *row.histograms) {
      stats_->samples += SampleSize(*at.h);
      stats_->bytes += static_cast<int64_t>(HistogramBytes(*at.h));
    }
  }
  return true;
}

Result<void> Matrix::Drain(Operator& source, QueryState& query) {
  for (;;) {
    Block block;
    EPI_ASSIGN(const bool more, source.Next(block));
    if (!more) break;
    block.ChargeHistograms();
    const auto index = static_cast<uint32_t>(blocks_.size());
    for (size_t r = 0; r < block.rows(); ++r) {
      if (!block.row(r).empty()) rows_.emplace_back(index, static_cast<uint32_t>(r));
    }
    blocks_.push_back(std::move(block));
  }
  return query.Check();
}

size_t Matrix::FindSeries(uint32_t series) const {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (blocks_[rows_[i].first].series(rows_[i].second) == series) return i;
  }
  return npos;
}

void Matrix::Clear() {
  blocks_.clear();
  rows_.clear();
}

bool MatrixReader::Next(const Matrix& matrix, size_t steps, MemoryMeter& meter, Block& block) {
  if (next_ >= matrix.size()) return false;
  const size_t count = std::min(RowsPerBlock(steps), matrix.size() - next_);
  block.Reset(count, steps, meter);
  for (size_t r = 0; r < count; ++r) block.CopyRow(matrix.row(next_ + r), r);
  next_ += count;
  return true;
}

Result<std::vector<double>> DrainScalar(Operator& source, QueryState& query) {
  Matrix matrix;
  EPI_TRY(matrix.Drain(source, query));
  std::vector<double> values(source.grid().count, NormalNaN());
  if (matrix.size() > 0) {
    const RowView row = matrix.row(0);
    ForEachBit(row.bits, WordsFor(values.size()), [&](size_t k) { values[k] = row.values[k]; });
  }
  return values;
}

}  // namespace epi::promql
