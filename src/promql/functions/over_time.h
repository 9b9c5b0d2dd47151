// The *_over_time family, changes and resets.
#pragma once

#include "promql/functions/range_kernel.h"

namespace epi::promql {

StepValue AvgOverTime(const Window& window, RangeContext& context);
StepValue SumOverTime(const Window& window, RangeContext& context);
StepValue CountOverTime(const Window& window, RangeContext& context);
StepValue PresentOverTime(const Window& window, RangeContext& context);
StepValue MinOverTime(const Window& window, RangeContext& context);
StepValue MaxOverTime(const Window& window, RangeContext& context);
StepValue FirstOverTime(const Window& window, RangeContext& context);
StepValue LastOverTime(const Window& window, RangeContext& context);
StepValue TsOfFirstOverTime(const Window& window, RangeContext& context);
StepValue TsOfLastOverTime(const Window& window, RangeContext& context);
StepValue TsOfMinOverTime(const Window& window, RangeContext& context);
StepValue TsOfMaxOverTime(const Window& window, RangeContext& context);
StepValue StddevOverTime(const Window& window, RangeContext& context);
StepValue StdvarOverTime(const Window& window, RangeContext& context);
StepValue QuantileOverTime(const Window& window, RangeContext& context);  // arg0: the quantile
StepValue MadOverTime(const Window& window, RangeContext& context);
StepValue Changes(const Window& window, RangeContext& context);
StepValue Resets(const Window& window, RangeContext& context);

void AvgRow(const FloatRow& row, RangeContext& context);
void SumRow(const FloatRow& row, RangeContext& context);
void CountRow(const FloatRow& row, RangeContext& context);
void PresentRow(const FloatRow& row, RangeContext& context);
void MinRow(const FloatRow& row, RangeContext& context);
void StdvarRow(const FloatRow& row, RangeContext& context);
void StddevRow(const FloatRow& row, RangeContext& context);
void ChangesRow(const FloatRow& row, RangeContext& context);
void ResetsRow(const FloatRow& row, RangeContext& context);
void QuantileRow(const FloatRow& row, RangeContext& context);
void MaxRow(const FloatRow& row, RangeContext& context);
void FirstRow(const FloatRow& row, RangeContext& context);
void LastRow(const FloatRow& row, RangeContext& context);

}  // namespace epi::promql
