// deriv, predict_linear, double_exponential_smoothing.
#pragma once

#include "promql/functions/range_kernel.h"

namespace epi::promql {

StepValue Deriv(const Window& window, RangeContext& context);
StepValue PredictLinear(const Window& window, RangeContext& context);  // arg0: seconds ahead
void DerivRow(const FloatRow& row, RangeContext& context);
void PredictLinearRow(const FloatRow& row, RangeContext& context);
StepValue DoubleExponentialSmoothing(const Window& window, RangeContext& context);  // arg0, arg1: factors

}  // namespace epi::promql
