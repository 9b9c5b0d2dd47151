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
constexpr double kLog10E = 0.434294481903251827651128918916605082;
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

// A day of the proleptic Gregorian calendar.
struct Date {
  int64_t year = 1970;
  int month = 1;
  int day = 1;
  int day_of_year = 1;
};

bool IsLeap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }
int DaysIn(int month, int64_t year) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kDays[month - 1];
}

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Counted out year by year and month by month.
Date DateOf(double seconds) {
  Date out;
  int64_t days = FloorDivide(static_cast<int64_t>(seconds), 86400);
  for (; days < 0; --out.year) days += IsLeap(out.year - 1) ? 366 : 365;
  for (; days >= (IsLeap(out.year) ? 366 : 365); ++out.year) days -= IsLeap(out.year) ? 366 : 365;
  out.day_of_year = static_cast<int>(days) + 1;
  for (; days >= DaysIn(out.month, out.year); ++out.month) days -= DaysIn(out.month, out.year);
  out.day = static_cast<int>(days) + 1;
  return out;
}

double PartOfDay(double seconds, int64_t unit, int64_t units) {
  const int64_t whole = FloorDivide(static_cast<int64_t>(seconds), unit);
  return static_cast<double>(whole - FloorDivide(whole, units) * units);
}

double DayOfWeek(double seconds) {
  const int64_t days = FloorDivide(static_cast<int64_t>(seconds), 86400) + 4;  // 1970-01-01 was a Thursday
  return static_cast<double>(days - FloorDivide(days, 7) * 7);
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
    {FunctionId::kLog10, [](double v, const Args&) -> Answer { return std::log(v) * kLog10E; }},
    {FunctionId::kTan, [](double v, const Args&) -> Answer { return std::tan(v); }},
    {FunctionId::kAsin, [](double v, const Args&) -> Answer { return std::asin(v); }},
    {FunctionId::kAcos, [](double v, const Args&) -> Answer { return std::acos(v); }},
    {FunctionId::kSinh, [](double v, const Args&) -> Answer { return std::sinh(v); }},
    {FunctionId::kCosh, [](double v, const Args&) -> Answer { return std::cosh(v); }},
    {FunctionId::kAsinh, [](double v, const Args&) -> Answer { return std::asinh(v); }},
    {FunctionId::kAcosh, [](double v, const Args&) -> Answer { return std::acosh(v); }},
    {FunctionId::kAtanh, [](double v, const Args&) -> Answer { return std::atanh(v); }},
    {FunctionId::kMinute, [](double v, const Args&) -> Answer { return PartOfDay(v, 60, 60); }},
    {FunctionId::kHour, [](double v, const Args&) -> Answer { return PartOfDay(v, 3600, 24); }},
    {FunctionId::kDayOfWeek, [](double v, const Args&) -> Answer { return DayOfWeek(v); }},
    {FunctionId::kDayOfMonth, [](double v, const Args&) -> Answer { return DateOf(v).day; }},
    {FunctionId::kDayOfYear, [](double v, const Args&) -> Answer { return DateOf(v).day_of_year; }},
    {FunctionId::kDaysInMonth, [](double v, const Args&) -> Answer { return DaysIn(DateOf(v).month, DateOf(v).year); }},
    {FunctionId::kMonth, [](double v, const Args&) -> Answer { return DateOf(v).month; }},
    {FunctionId::kYear, [](double v, const Args&) -> Answer { return static_cast<double>(DateOf(v).year); }},
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
