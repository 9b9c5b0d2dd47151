#include "promql/parser/function_signatures.h"

#include <algorithm>
#include <array>

#include "base/result.h"

namespace epi::promql {
namespace {

constexpr ValueType kI = ValueType::kVector;
constexpr ValueType kM = ValueType::kMatrix;
constexpr ValueType kS = ValueType::kScalar;
constexpr ValueType kStr = ValueType::kString;

// Argument lists; each is shared by the functions that have it.
constexpr std::array<ValueType, 1> kArgsI{kI};
constexpr std::array<ValueType, 2> kArgsII{kI, kI};
constexpr std::array<ValueType, 2> kArgsIS{kI, kS};
constexpr std::array<ValueType, 3> kArgsISS{kI, kS, kS};
constexpr std::array<ValueType, 2> kArgsIStr{kI, kStr};
constexpr std::array<ValueType, 4> kArgsIStr3{kI, kStr, kStr, kStr};
constexpr std::array<ValueType, 5> kArgsIStr4{kI, kStr, kStr, kStr, kStr};
constexpr std::array<ValueType, 4> kArgsIStrSS{kI, kStr, kS, kS};
constexpr std::array<ValueType, 1> kArgsM{kM};
constexpr std::array<ValueType, 2> kArgsMS{kM, kS};
constexpr std::array<ValueType, 3> kArgsMSS{kM, kS, kS};
constexpr std::array<ValueType, 1> kArgsS{kS};
constexpr std::array<ValueType, 2> kArgsSI{kS, kI};
constexpr std::array<ValueType, 2> kArgsSM{kS, kM};
constexpr std::array<ValueType, 2> kArgsSS{kS, kS};
constexpr std::array<ValueType, 3> kArgsSSI{kS, kS, kI};
constexpr std::span<const ValueType> kNoArgs{};

constexpr bool kExperimental = true;
constexpr bool kStable = false;
constexpr int kAnyNumber = -1;

using Id = FunctionId;
constexpr Function kFunctions[] = {
    {"abs", Id::kAbs, kArgsI, 0, kI, kStable},
    {"absent", Id::kAbsent, kArgsI, 0, kI, kStable},
    {"absent_over_time", Id::kAbsentOverTime, kArgsM, 0, kI, kStable},
    {"acos", Id::kAcos, kArgsI, 0, kI, kStable},
    {"acosh", Id::kAcosh, kArgsI, 0, kI, kStable},
    {"asin", Id::kAsin, kArgsI, 0, kI, kStable},
    {"asinh", Id::kAsinh, kArgsI, 0, kI, kStable},
    {"atan", Id::kAtan, kArgsI, 0, kI, kStable},
    {"atanh", Id::kAtanh, kArgsI, 0, kI, kStable},
    {"avg_over_time", Id::kAvgOverTime, kArgsM, 0, kI, kStable},
    {"ceil", Id::kCeil, kArgsI, 0, kI, kStable},
    {"changes", Id::kChanges, kArgsM, 0, kI, kStable},
    {"clamp", Id::kClamp, kArgsISS, 0, kI, kStable},
    {"clamp_max", Id::kClampMax, kArgsIS, 0, kI, kStable},
    {"clamp_min", Id::kClampMin, kArgsIS, 0, kI, kStable},
    {"cos", Id::kCos, kArgsI, 0, kI, kStable},
    {"cosh", Id::kCosh, kArgsI, 0, kI, kStable},
    {"count_over_time", Id::kCountOverTime, kArgsM, 0, kI, kStable},
    {"day_of_month", Id::kDayOfMonth, kArgsI, 1, kI, kStable},
    {"day_of_week", Id::kDayOfWeek, kArgsI, 1, kI, kStable},
    {"day_of_year", Id::kDayOfYear, kArgsI, 1, kI, kStable},
    {"days_in_month", Id::kDaysInMonth, kArgsI, 1, kI, kStable},
    {"deg", Id::kDeg, kArgsI, 0, kI, kStable},
    {"delta", Id::kDelta, kArgsM, 0, kI, kStable},
    {"deriv", Id::kDeriv, kArgsM, 0, kI, kStable},
    {"double_exponential_smoothing", Id::kDoubleExponentialSmoothing, kArgsMSS, 0, kI, kExperimental},
    {"end", Id::kEnd, kNoArgs, 0, kS, kExperimental},
    {"exp", Id::kExp, kArgsI, 0, kI, kStable},
    {"first_over_time", Id::kFirstOverTime, kArgsM, 0, kI, kStable},
    {"floor", Id::kFloor, kArgsI, 0, kI, kStable},
    {"histogram_avg", Id::kHistogramAvg, kArgsI, 0, kI, kStable},
    {"histogram_count", Id::kHistogramCount, kArgsI, 0, kI, kStable},
    {"histogram_fraction", Id::kHistogramFraction, kArgsSSI, 0, kI, kStable},
    {"histogram_quantile", Id::kHistogramQuantile, kArgsSI, 0, kI, kStable},
    {"histogram_quantiles", Id::kHistogramQuantiles, kArgsIStrSS, 9, kI, kExperimental},
    {"histogram_stddev", Id::kHistogramStddev, kArgsI, 0, kI, kStable},
    {"histogram_stdvar", Id::kHistogramStdvar, kArgsI, 0, kI, kStable},
    {"histogram_sum", Id::kHistogramSum, kArgsI, 0, kI, kStable},
    {"hour", Id::kHour, kArgsI, 1, kI, kStable},
    {"idelta", Id::kIdelta, kArgsM, 0, kI, kStable},
    {"increase", Id::kIncrease, kArgsM, 0, kI, kStable},
    {"info", Id::kInfo, kArgsII, 1, kI, kExperimental},
    {"irate", Id::kIrate, kArgsM, 0, kI, kStable},
    {"label_join", Id::kLabelJoin, kArgsIStr3, kAnyNumber, kI, kStable},
    {"label_replace", Id::kLabelReplace, kArgsIStr4, 0, kI, kStable},
    {"last_over_time", Id::kLastOverTime, kArgsM, 0, kI, kStable},
    {"ln", Id::kLn, kArgsI, 0, kI, kStable},
    {"log10", Id::kLog10, kArgsI, 0, kI, kStable},
    {"log2", Id::kLog2, kArgsI, 0, kI, kStable},
    {"mad_over_time", Id::kMadOverTime, kArgsM, 0, kI, kExperimental},
    {"max_of", Id::kMaxOf, kArgsSS, 0, kS, kExperimental},
    {"max_over_time", Id::kMaxOverTime, kArgsM, 0, kI, kStable},
    {"min_of", Id::kMinOf, kArgsSS, 0, kS, kExperimental},
    {"min_over_time", Id::kMinOverTime, kArgsM, 0, kI, kStable},
    {"minute", Id::kMinute, kArgsI, 1, kI, kStable},
    {"month", Id::kMonth, kArgsI, 1, kI, kStable},
    {"pi", Id::kPi, kNoArgs, 0, kS, kStable},
    {"predict_linear", Id::kPredictLinear, kArgsMS, 0, kI, kStable},
    {"present_over_time", Id::kPresentOverTime, kArgsM, 0, kI, kStable},
    {"quantile_over_time", Id::kQuantileOverTime, kArgsSM, 0, kI, kStable},
    {"rad", Id::kRad, kArgsI, 0, kI, kStable},
    {"range", Id::kRange, kNoArgs, 0, kS, kExperimental},
    {"rate", Id::kRate, kArgsM, 0, kI, kStable},
    {"resets", Id::kResets, kArgsM, 0, kI, kStable},
    {"round", Id::kRound, kArgsIS, 1, kI, kStable},
    {"scalar", Id::kScalar, kArgsI, 0, kS, kStable},
    {"sgn", Id::kSgn, kArgsI, 0, kI, kStable},
    {"sin", Id::kSin, kArgsI, 0, kI, kStable},
    {"sinh", Id::kSinh, kArgsI, 0, kI, kStable},
    {"sort", Id::kSort, kArgsI, 0, kI, kStable},
    {"sort_by_label", Id::kSortByLabel, kArgsIStr, kAnyNumber, kI, kExperimental},
    {"sort_by_label_desc", Id::kSortByLabelDesc, kArgsIStr, kAnyNumber, kI, kExperimental},
    {"sort_desc", Id::kSortDesc, kArgsI, 0, kI, kStable},
    {"sqrt", Id::kSqrt, kArgsI, 0, kI, kStable},
    {"start", Id::kStart, kNoArgs, 0, kS, kExperimental},
    {"start_timestamp", Id::kStartTimestamp, kArgsI, 0, kI, kExperimental},
    {"stddev_over_time", Id::kStddevOverTime, kArgsM, 0, kI, kStable},
    {"stdvar_over_time", Id::kStdvarOverTime, kArgsM, 0, kI, kStable},
    {"step", Id::kStep, kNoArgs, 0, kS, kExperimental},
    {"sum_over_time", Id::kSumOverTime, kArgsM, 0, kI, kStable},
    {"tan", Id::kTan, kArgsI, 0, kI, kStable},
    {"tanh", Id::kTanh, kArgsI, 0, kI, kStable},
    {"time", Id::kTime, kNoArgs, 0, kS, kStable},
    {"timestamp", Id::kTimestamp, kArgsI, 0, kI, kStable},
    {"ts_of_first_over_time", Id::kTsOfFirstOverTime, kArgsM, 0, kI, kExperimental},
    {"ts_of_last_over_time", Id::kTsOfLastOverTime, kArgsM, 0, kI, kExperimental},
    {"ts_of_max_over_time", Id::kTsOfMaxOverTime, kArgsM, 0, kI, kExperimental},
    {"ts_of_min_over_time", Id::kTsOfMinOverTime, kArgsM, 0, kI, kExperimental},
    {"vector", Id::kVector, kArgsS, 0, kI, kStable},
    {"year", Id::kYear, kArgsI, 1, kI, kStable},
};

constexpr bool TableIsOrdered() {
  for (size_t i = 0; i < std::size(kFunctions); ++i) {
    if (static_cast<size_t>(kFunctions[i].id) != i) return false;
    if (i > 0 && kFunctions[i - 1].name >= kFunctions[i].name) return false;
  }
  return true;
}
static_assert(TableIsOrdered(), "rows stand in the order of FunctionId, which is by name");

}  // namespace

std::span<const Function> Functions() { return kFunctions; }

const Function* FindFunction(std::string_view name) {
  const auto* const end = std::end(kFunctions);
  const auto* const found = std::lower_bound(std::begin(kFunctions), end, name,
                                             [](const Function& row, std::string_view key) { return row.name < key; });
  return found != end && found->name == name ? found : nullptr;
}

const Function& GetFunction(FunctionId id) { return kFunctions[static_cast<size_t>(id)]; }

}  // namespace epi::promql
