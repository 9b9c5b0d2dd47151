#include <cmath>
#include <limits>

#include "model/log2.h"
#include "naive/functions.h"

namespace epi::naive {
namespace {

using promql::FunctionId;
using Args = std::vector<double>;
using Answer = std::optional<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPi = 3.14159265358979323846264338327950288;

// Go's: an infinity on its own side beats NaN.
double Max(double a, double b) {
  if (a == kInfinity || b == kInfinity) return kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  if (a == 0 && b == 0) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}
double Min(double a, double b) {
  if (a == -kInfinity || b == -kInfinity) return -kInfinity;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  if (a == 0 && b == 0) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

Answer Clamp(double v, double low, double high) {
  if (high < low) return std::nullopt;
  return Max(low, Min(high, v));
}

struct FunctionRow {
  FunctionId id;
  FloatFunction function;
};

const FunctionRow kFunctions[] = {
    {FunctionId::kAbs, [](double v, const Args&) -> Answer { return std::fabs(v); }},
    {FunctionId::kCeil, [](double v, const Args&) -> Answer { return std::ceil(v); }},
    {FunctionId::kFloor, [](double v, const Args&) -> Answer { return std::floor(v); }},
    {FunctionId::kExp, [](double v, const Args&) -> Answer { return std::exp(v); }},
    {FunctionId::kSqrt, [](double v, const Args&) -> Answer { return std::sqrt(v); }},
    {FunctionId::kLn, [](double v, const Args&) -> Answer { return std::log(v); }},
    {FunctionId::kLog2, [](double v, const Args&) -> Answer { return Log2(v); }},
    {FunctionId::kSin, [](double v, const Args&) -> Answer { return std::sin(v); }},
    {FunctionId::kCos, [](double v, const Args&) -> Answer { return std::cos(v); }},
    {FunctionId::kAtan, [](double v, const Args&) -> Answer { return std::atan(v); }},
    {FunctionId::kTanh, [](double v, const Args&) -> Answer { return std::tanh(v); }},
    {FunctionId::kRad, [](double v, const Args&) -> Answer { return v * kPi / 180; }},
    {FunctionId::kDeg, [](double v, const Args&) -> Answer { return v * 180 / kPi; }},
    {FunctionId::kSgn, [](double v, const Args&) -> Answer { return v < 0   ? -1
                                                                    : v > 0 ? 1
                                                                            : v; }},
    {FunctionId::kRound,
     [](double v, const Args& args) -> Answer {
       const double inverse = 1.0 / (args.empty() ? 1 : args[0]);
       return std::floor(v * inverse + 0.5) / inverse;
     }},
    {FunctionId::kClamp, [](double v, const Args& args) -> Answer { return Clamp(v, args[0], args[1]); }},
    {FunctionId::kClampMax, [](double v, const Args& args) -> Answer { return Clamp(v, -kInfinity, args[0]); }},
    {FunctionId::kClampMin, [](double v, const Args& args) -> Answer { return Clamp(v, args[0], kInfinity); }},
};

}  // namespace

FloatFunction FindFloatFunction(FunctionId id) {
  for (const FunctionRow& row : kFunctions) {
    if (row.id == id) return row.function;
  }
  return nullptr;
}

}  // namespace epi::naive
