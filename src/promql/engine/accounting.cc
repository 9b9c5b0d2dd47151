#include "promql/engine/accounting.h"

#include <algorithm>

#include "model/histogram_math.h"

namespace epi::promql {

int64_t SampleSize(const FloatHistogram& h) { return static_cast<int64_t>((PrometheusSize(h) + 8) / 16); }

void OutputTally::Start(size_t steps) {
  steps_ = steps;
  total_ = 0;
  full_rows_ = 0;
  elements_.assign(steps, 0);
  histogram_extra_.clear();
}

void OutputTally::Count(const Block& block) {
  for (size_t r = 0; r < block.rows(); ++r) {
    const RowView row = block.row(r);
    total_ += row.floats;
    if (row.floats == steps_) {
      ++full_rows_;
    } else if (row.floats != 0) {
      ForEachBit(row.bits, block.words(), [this](size_t step) { ++elements_[step]; });
    }
    for (const auto& at : *row.histograms) {
      const int64_t size = SampleSize(*at.h);
      ++elements_[at.step];
      total_ += size;
      if (histogram_extra_.empty()) histogram_extra_.assign(steps_, 0);
      histogram_extra_[at.step] += size - 1;
    }
  }
}

void OutputTally::CountFullRow() {
  total_ += static_cast<int64_t>(steps_);
  ++full_rows_;
}

std::vector<int64_t> OutputTally::Elements() const {
  std::vector<int64_t> out = elements_;
  for (auto& n : out) n += full_rows_;
  return out;
}

std::vector<int64_t> OutputTally::Sizes() const {
  std::vector<int64_t> out = Elements();
  for (size_t k = 0; k < histogram_extra_.size(); ++k) out[k] += histogram_extra_[k];
  return out;
}

SampleAccount::SampleAccount(const StepGrid& grid, bool per_step, int64_t current_samples)
    : current(current_samples), grid_(grid) {
  if (per_step) {
    total_per_step_.assign(grid.count, 0);
    read_per_step_.assign(grid.count, 0);
  }
}

void SampleAccount::StepwiseEvaluation(int64_t before, const std::vector<int64_t>& gathered,
                                       const OutputTally& output) {
  const std::vector<int64_t> sizes = output.Sizes();
  int64_t held = current;
  for (size_t k = 0; k < sizes.size(); ++k) {
    const int64_t inputs = gathered.empty() ? 0 : gathered[k];
    RaisePeak(held + inputs + sizes[k]);
    held += sizes[k];
  }
  current = before + output.total_size();
  RaisePeak(current);
}

void SampleAccount::MergeReadOfSubquery(const SampleAccount& child, int64_t offset, int64_t range) {
  if (grid_.count <= 1) {
    AddRead(0, child.read);
    return;
  }
  for (size_t k = 0; k < child.read_per_step_.size(); ++k) {
    const int64_t samples = child.read_per_step_[k];
    if (samples == 0) continue;
    const TimestampMs at = child.grid_.Time(k) + offset;
    size_t step = 0;
    if (at > grid_.start) step = static_cast<size_t>((at - grid_.start + grid_.interval - 1) / grid_.interval);
    step = std::min(step, grid_.count - 1);
    if (range > 0 && at <= grid_.Time(step) - range) continue;
    AddRead(step, samples);
  }
}

}  // namespace epi::promql
