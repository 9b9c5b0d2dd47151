#include <algorithm>
#include <array>

#include "promql/functions/over_time.h"
#include "promql/functions/range_kernel.h"
#include "promql/functions/rate.h"
#include "promql/functions/regression.h"

namespace epi::promql {
namespace {

using Id = FunctionId;

// absent_over_time is evaluated as present_over_time and turned round by its operator.
constexpr std::array kRangeFunctions = {
    RangeFunction{Id::kAbsentOverTime, &PresentOverTime, &PresentRow},
    RangeFunction{Id::kAvgOverTime, &AvgOverTime, &AvgRow, false, false, true},
    RangeFunction{Id::kChanges, &Changes, &ChangesRow},
    RangeFunction{Id::kCountOverTime, &CountOverTime, &CountRow},
    RangeFunction{Id::kDelta, &Delta, &DeltaRow},
    RangeFunction{Id::kDeriv, &Deriv, &DerivRow, false, false, true},
    RangeFunction{Id::kDoubleExponentialSmoothing, &DoubleExponentialSmoothing},
    RangeFunction{Id::kFirstOverTime, &FirstOverTime, &FirstRow, true},
    RangeFunction{Id::kIdelta, &Idelta},
    RangeFunction{Id::kIncrease, &Increase, &IncreaseRow, false, true},
    RangeFunction{Id::kIrate, &Irate, nullptr, false, true},
    RangeFunction{Id::kLastOverTime, &LastOverTime, &LastRow, true},
    RangeFunction{Id::kMadOverTime, &MadOverTime},
    RangeFunction{Id::kMaxOverTime, &MaxOverTime, &MaxRow},
    RangeFunction{Id::kMinOverTime, &MinOverTime, &MinRow},
    RangeFunction{Id::kPredictLinear, &PredictLinear, &PredictLinearRow, false, false, true},
    RangeFunction{Id::kPresentOverTime, &PresentOverTime, &PresentRow},
    RangeFunction{Id::kQuantileOverTime, &QuantileOverTime, &QuantileRow, false, false, true},
    RangeFunction{Id::kRate, &Rate, &RateRow, false, true},
    RangeFunction{Id::kResets, &Resets, &ResetsRow, false, true},
    RangeFunction{Id::kStddevOverTime, &StddevOverTime, &StddevRow, false, false, true},
    RangeFunction{Id::kStdvarOverTime, &StdvarOverTime, &StdvarRow, false, false, true},
    RangeFunction{Id::kSumOverTime, &SumOverTime, &SumRow, false, false, true},
    RangeFunction{Id::kTsOfFirstOverTime, &TsOfFirstOverTime},
    RangeFunction{Id::kTsOfLastOverTime, &TsOfLastOverTime},
    RangeFunction{Id::kTsOfMaxOverTime, &TsOfMaxOverTime},
    RangeFunction{Id::kTsOfMinOverTime, &TsOfMinOverTime},
};

}  // namespace

const RangeFunction* FindRangeFunction(FunctionId id) {
  const auto at =
      std::find_if(kRangeFunctions.begin(), kRangeFunctions.end(), [&](const RangeFunction& f) { return f.id == id; });
  return at == kRangeFunctions.end() ? nullptr : &*at;
}

}  // namespace epi::promql
