#include "telemetry/summary_window.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace epi {
namespace {

// A bucket's number is the exponent of its values and the five highest bits of their fraction.
constexpr int kShift = 52 - 5;
constexpr uint32_t kOctave = 1 << 5;
constexpr double kSmallest = 0x1p-30, kLargest = 0x1.fffffffffffffp39;  // whole octaves

uint32_t BucketOf(double value) {
  return static_cast<uint32_t>(std::bit_cast<uint64_t>(std::clamp(value, kSmallest, kLargest)) >> kShift);
}

double MiddleOf(uint32_t bucket) {
  return std::bit_cast<double>((uint64_t{bucket} << kShift) | (uint64_t{1} << (kShift - 1)));
}

}  // namespace

void SummaryWindow::Observe(double value, MonotonicNs now) {
  const std::lock_guard lock(mutex_);
  Advance(now);
  ++count_;
  sum_ += value;
  if (std::isnan(value)) return;
  Step& step = steps_[current_];
  Count(step, BucketOf(value));
  step.min = std::min(step.min, value);
  step.max = std::max(step.max, value);
}

SummaryWindow::Shown SummaryWindow::Show(MonotonicNs now) {
  Shown out;
  std::vector<uint64_t> counts(BucketOf(kLargest) - BucketOf(kSmallest) + 1);
  double min = std::numeric_limits<double>::infinity(), max = -min;
  {
    const std::lock_guard lock(mutex_);
    Advance(now);
    out.count = count_;
    out.sum = sum_;
    for (const Step& step : steps_) {
      for (size_t i = 0; i < step.counts.size(); ++i) counts[step.first - BucketOf(kSmallest) + i] += step.counts[i];
      min = std::min(min, step.min);
      max = std::max(max, step.max);
    }
  }
  uint64_t total = 0;
  for (const uint64_t count : counts) total += count;
  for (const double quantile : quantiles_) {
    if (total == 0) {
      out.quantiles.push_back(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    const auto rank = static_cast<uint64_t>(std::max(std::ceil(quantile * static_cast<double>(total)), 1.0));
    uint32_t bucket = BucketOf(kSmallest);
    for (uint64_t seen = counts[0]; seen < rank; seen += counts[++bucket - BucketOf(kSmallest)]) {
    }
    // The ends are known as they were, and with them whatever was observed once or twice.
    const double ends = rank == 1 ? min : max;
    out.quantiles.push_back(rank == 1 || rank == total ? ends : std::clamp(MiddleOf(bucket), min, max));
  }
  return out;
}

void SummaryWindow::Advance(MonotonicNs now) {
  if (!current_end_) current_end_ = now + kStepNs;
  if (now < *current_end_) return;
  const auto passed = static_cast<size_t>((now - *current_end_) / kStepNs) + 1;
  for (size_t i = 0; i < std::min(passed, kSteps); ++i) {
    current_ = (current_ + 1) % kSteps;
    steps_[current_] = {};
  }
  *current_end_ += static_cast<MonotonicNs>(passed) * kStepNs;
}

void SummaryWindow::Count(Step& step, uint32_t bucket) {
  // Whole octaves, so that it grows a few times only.
  const uint32_t octave = bucket / kOctave * kOctave;
  if (step.counts.empty()) step.first = octave;
  if (octave < step.first) {
    step.counts.insert(step.counts.begin(), step.first - octave, 0);
    step.first = octave;
  }
  if (bucket - step.first >= step.counts.size()) step.counts.resize(octave + kOctave - step.first);
  ++step.counts[bucket - step.first];
}

}  // namespace epi
