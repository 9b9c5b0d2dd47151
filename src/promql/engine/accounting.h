// Samples as Prometheus counts them: how many a query reads, and how many it would hold at once. Prometheus evaluates a
// query node by node, each one whole; this engine streams. So operators record what went through them, and a walk over
// the finished operators in Prometheus's order gives its numbers exactly.
#pragma once

#include <cstdint>
#include <vector>

#include "promql/engine/block.h"
#include "promql/engine/steps.h"

namespace epi::promql {

// A histogram's share: its bytes in Prometheus divided by 16.
int64_t SampleSize(const FloatHistogram& h);

// What an operator put out, per step.
class OutputTally {
 public:
  void Start(size_t steps);
  void Count(const Block& block);
  void CountFullRow();
  // Elements (series) present at each step.
  std::vector<int64_t> Elements() const;
  // Samples at each step, histograms counted by size.
  std::vector<int64_t> Sizes() const;
  int64_t total_size() const { return total_; }

 private:
  size_t steps_ = 0;
  int64_t total_ = 0;
  int64_t full_rows_ = 0;                 // rows with a float at every step
  std::vector<int64_t> elements_;         // of the other rows
  std::vector<int64_t> histogram_extra_;  // sizes beyond one each; empty while there is no histogram
};

// The counters of one evaluation (the query itself, a subquery, a step-invariant part).
class SampleAccount {
 public:
  SampleAccount(const StepGrid& grid, bool per_step, int64_t current);

  const StepGrid& grid() const { return grid_; }
  int64_t current = 0;
  int64_t peak = 0;
  int64_t total = 0;
  int64_t read = 0;

  void RaisePeak(int64_t samples) {
    if (samples > peak) peak = samples;
  }
  void AddTotal(size_t step, int64_t samples) {
    total += samples;
    if (!total_per_step_.empty()) total_per_step_[step] += samples;
  }
  void AddRead(size_t step, int64_t samples) {
    read += samples;
    if (!read_per_step_.empty()) read_per_step_[step] += samples;
  }
  // An evaluation step by step over what its inputs hold: at each step the inputs' elements are gathered (counted
  // `gathered` each) and the output's are added. `before` is what was held before the inputs were evaluated.
  void StepwiseEvaluation(int64_t before, const std::vector<int64_t>& gathered, const OutputTally& output);
  // Takes over what a subquery read. Its steps that no window of this evaluation covers do not count: `offset` shifts
  // them, `range` is the window's width, 0 when all count.
  void MergeReadOfSubquery(const SampleAccount& child, int64_t offset, int64_t range);

  const std::vector<int64_t>& total_per_step() const { return total_per_step_; }
  const std::vector<int64_t>& read_per_step() const { return read_per_step_; }

 private:
  StepGrid grid_;
  std::vector<int64_t> total_per_step_;
  std::vector<int64_t> read_per_step_;
};

}  // namespace epi::promql
