// What a range function computes from: windows of one series. Two forms of kernel exist for a function: one that takes
// any window (floats, histograms, both), and, for speed, one that takes a whole series of floats with all its windows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/engine/annotations.h"
#include "promql/engine/block.h"
#include "promql/functions/windows.h"
#include "promql/parser/function_signatures.h"
#include "storage/view.h"

namespace epi::promql {

// One step's samples, both kinds ascending in time, no stale markers.
struct Window {
  std::span<const TimestampMs> t;  // of the floats
  std::span<const double> v;
  std::span<const TimestampMs> start_times;  // beside t; empty unless start timestamps are used and there are some
  std::span<const HistogramPoint> h;
  TimestampMs time = 0;         // of the evaluation
  TimestampMs range_start = 0;  // exclusive
  TimestampMs range_end = 0;
  double arg0 = 0;  // the function's scalar arguments at this step, in order
  double arg1 = 0;
};

// What a kernel needs beside the samples.
struct RangeContext {
  Annotations& notes;
  PositionRange pos;        // where annotations point
  std::string_view metric;  // of the series
  double range_seconds = 0;
  bool anchored = false;
  bool smoothed = false;
  bool use_start_times = false;
  std::optional<Error> error;  // set by a kernel: ends the query
};

struct StepValue {
  enum class Kind : unsigned char { kNone, kFloat, kHistogram };
  Kind kind = Kind::kNone;
  double v = 0;
  HistogramPtr h;

  static StepValue None() { return {}; }
  static StepValue Float(double v) { return {Kind::kFloat, v, nullptr}; }
  static StepValue Histogram(FloatHistogram h) {
    return {Kind::kHistogram, 0, std::make_shared<const FloatHistogram>(std::move(h))};
  }
};

using StepKernel = StepValue (*)(const Window& window, RangeContext& context);

// Everything about rate that depends on the times alone, one entry a step, padded to a multiple of 64; shared by all
// series of a timestamp column for the same steps. Only steps in `present`, those with at least two samples, are
// meaningful.
struct RateTerms {
  std::vector<double> sampled_interval;  // seconds
  std::vector<double> to_start;          // after the threshold, before the zero rule
  std::vector<double> to_end;
  std::vector<double> factor;   // of the increase, where the zero rule does not apply
  std::vector<uint32_t> first;  // index of the window's first sample
  std::vector<uint32_t> last;
  std::vector<uint64_t> present;
  bool ready = false;
};

// What a least-squares line takes from the times alone, one entry a step; shared by all series of a timestamp column.
// x is the time since the step's origin in seconds.
struct LineTerms {
  std::vector<double> sum_x;
  std::vector<double> sum_xx;
  std::vector<double> x;        // of windows; equal ones are stored once
  std::vector<uint32_t> first;  // the step's window in x; empty when they would be too many
  bool ready = false;
};

// A series of floats only, with its windows at some or all of its steps.
struct FloatRow {
  const StepGrid& grid;
  const WindowSpec& spec;
  std::span<const TimestampMs> t;
  const double* v = nullptr;
  const Windows& windows;
  RateTerms& rate_terms;         // of this column and these steps
  LineTerms& line_terms;         // likewise
  const double* arg0 = nullptr;  // scalar arguments, one a step
  const double* arg1 = nullptr;
  double* values = nullptr;  // out
  uint64_t* bits = nullptr;  // out, all clear at first
};
using FloatRowKernel = void (*)(const FloatRow& row, RangeContext& context);

struct RangeFunction {
  FunctionId id;
  StepKernel step;
  FloatRowKernel row = nullptr;
  bool keeps_name = false;
  bool uses_start_times = false;  // with use-start-timestamps
  bool rescans = false;           // `row` looks at every sample of every window
};

// The range functions; null when `id` is none of them.
const RangeFunction* FindRangeFunction(FunctionId id);

}  // namespace epi::promql
