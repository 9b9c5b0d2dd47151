#include "promql/engine/range_source.h"

#include <algorithm>

#include "model/histogram_reset.h"

namespace epi::promql {

size_t ReadSize::Note(const SourceBatch& batch) {
  size_t samples = 0;
  for (const auto& series : batch.samples) samples += series.t.size() + series.histograms.size();
  const size_t fitting = kSamples * batch.samples.size() / std::max<size_t>(samples, 1);
  series_ = std::clamp(fitting, size_t{1}, SeriesBatch::kMaxSeries);
  return samples;
}

Result<void> SelectionSource::Prepare() {
  auto selected = query_.view.Select(matchers_, hints_, query_.meter.budget());
  if (!selected) {
    const Error& error = selected.error();
    if (error.code() == ErrorCode::kLimit || error.code() == ErrorCode::kCanceled) return Fail(error);
    return Fail(error.code(), "expanding series: " + error.message());
  }
  selection_ = std::move(*selected);
  cost_ = &query_.NoteSelector(matchers_, selection_->size());
  series_.resize(selection_->size());
  Checkpoints checkpoints(query_);
  for (size_t i = 0; i < series_.size(); ++i) {
    EPI_TRY(checkpoints.Pass(Checkpoints::kPerLabelSet));
    series_[i] = {selection_->labels(i), false};
  }
  return query_.meter.status();
}

Result<void> SelectionSource::Read(size_t first, size_t count, SourceBatch& batch) const {
  EPI_TRY(selection_->Read(first, count, batch.storage));
  int64_t samples = 0;
  for (const auto& series : batch.storage.series)
    samples += static_cast<int64_t>(series.t.size() + series.histograms.size());
  cost_->samples.fetch_add(samples, std::memory_order_relaxed);
  batch.samples = batch.storage.series;
  if (histogram_stats_) StripHistograms(batch);
  return {};
}

void SelectionSource::StripHistograms(SourceBatch& batch) {
  const auto& series = batch.storage.series;
  if (std::all_of(series.begin(), series.end(), [](const SeriesSamples& s) { return s.histograms.empty(); })) return;
  batch.rows.resize(std::max(batch.rows.size(), series.size()));
  batch.row_samples.assign(series.begin(), series.end());
  for (size_t i = 0; i < series.size(); ++i) {
    auto& row = batch.rows[i];
    row.points.clear();
    row.owners.clear();
    const FloatHistogram* previous = nullptr;
    for (const auto& point : series[i].histograms) {
      auto stripped = std::make_shared<FloatHistogram>();
      stripped->counter_reset_hint = point.h->counter_reset_hint;
      stripped->schema = point.h->schema;
      stripped->count = point.h->count;
      stripped->sum = point.h->sum;
      if (!IsStaleNaN(point.h->sum)) {
        if (previous != nullptr && point.h->counter_reset_hint == CounterResetHint::kUnknown) {
          stripped->counter_reset_hint =
              DetectReset(*point.h, *previous) ? CounterResetHint::kReset : CounterResetHint::kNotReset;
        }
        previous = point.h;
      }
      row.points.push_back({point.t, stripped.get(), point.start_time});
      row.owners.push_back(std::move(stripped));
    }
    batch.row_samples[i].histograms = row.points;
  }
  batch.samples = batch.row_samples;
}

Result<void> SubquerySource::Open() {
  EPI_TRY(matrix_.Drain(*child_, query_));
  times_.resize(child_->grid().count);
  for (size_t k = 0; k < times_.size(); ++k) times_[k] = child_->grid().Time(k);
  return {};
}

Result<void> SubquerySource::Read(size_t first, size_t count, SourceBatch& batch) const {
  const StepGrid& grid = child_->grid();
  const size_t words = WordsFor(grid.count);
  batch.rows.resize(std::max(batch.rows.size(), count));
  batch.row_samples.assign(count, {});
  for (size_t i = 0; i < count; ++i) {
    const RowView row = matrix_.row(first + i);
    SeriesSamples& out = batch.row_samples[i];
    if (row.floats == grid.count) {
      out.column = ColumnId{0};
      out.t = times_;
      out.v = {row.values, grid.count};
      continue;
    }
    auto& buffers = batch.rows[i];
    buffers.t.clear();
    buffers.v.clear();
    buffers.points.clear();
    buffers.owners.clear();
    ForEachBit(row.bits, words, [&](size_t k) {
      buffers.t.push_back(grid.Time(k));
      buffers.v.push_back(row.values[k]);
    });
    for (const auto& at : *row.histograms) {
      HistogramPtr h = at.h;
      // A subquery leaves samples out or repeats them, so hints about neighbours no longer hold.
      if (h->counter_reset_hint == CounterResetHint::kReset || h->counter_reset_hint == CounterResetHint::kNotReset) {
        auto unhinted = std::make_shared<FloatHistogram>(*h);
        unhinted->counter_reset_hint = CounterResetHint::kUnknown;
        h = std::move(unhinted);
      }
      buffers.points.push_back({grid.Time(at.step), h.get(), 0});
      buffers.owners.push_back(std::move(h));
    }
    out.t = buffers.t;
    out.v = buffers.v;
    out.histograms = buffers.points;
  }
  batch.samples = batch.row_samples;
  return {};
}

}  // namespace epi::promql
