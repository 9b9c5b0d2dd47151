// rate, increase, delta, irate, idelta.
#pragma once

#include "promql/functions/range_kernel.h"

namespace epi::promql {

StepValue Rate(const Window& window, RangeContext& context);
StepValue Increase(const Window& window, RangeContext& context);
StepValue Delta(const Window& window, RangeContext& context);
StepValue Irate(const Window& window, RangeContext& context);
StepValue Idelta(const Window& window, RangeContext& context);

void RateRow(const FloatRow& row, RangeContext& context);
void IncreaseRow(const FloatRow& row, RangeContext& context);
void DeltaRow(const FloatRow& row, RangeContext& context);

// Whether a start timestamp says that a counter began anew between two samples.
bool IsStartTimeReset(TimestampMs previous_start, TimestampMs previous, TimestampMs start, TimestampMs time);

// The value at `t` on the line through two points. A counter that fell is taken to have begun at zero.
double Interpolate(TimestampMs t1, double v1, TimestampMs t2, double v2, TimestampMs t, bool counter);
// The same for histograms; nothing when their schemas do not mix (annotated).
std::optional<FloatHistogram> InterpolateHistograms(const HistogramPoint& a, const HistogramPoint& b, TimestampMs t,
                                                    bool counter, RangeContext& context);

// The floats that a matrix of an anchored or smoothed selector shows: with points at the range's own ends.
struct ExtendedFloats {
  std::vector<TimestampMs> t;
  std::vector<double> v;
};
ExtendedFloats ExtendFloats(std::span<const TimestampMs> t, std::span<const double> v, TimestampMs range_start,
                            TimestampMs range_end, bool smoothed);

}  // namespace epi::promql
