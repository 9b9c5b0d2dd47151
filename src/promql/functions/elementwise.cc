#include "promql/functions/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "model/log2.h"
#include "model/sample.h"
#include "promql/functions/quantile.h"

namespace epi::promql {
namespace {

using Id = FunctionId;
constexpr double kInf = std::numeric_limits<double>::infinity();

template <double (*F)(double)>
void Each(double* values, size_t count, const double*, const double*) {
  for (size_t i = 0; i < count; ++i) values[i] = F(values[i]);
}

double Abs(double v) { return std::fabs(v); }
double Ceil(double v) { return std::ceil(v); }
double Floor(double v) { return std::floor(v); }
double Sqrt(double v) { return std::sqrt(v); }
double Exp(double v) { return std::exp(v); }
double Ln(double v) { return std::log(v); }
// By the logarithm of e, rounded once, as in Go: powers of ten stay exact.
double Log10(double v) { return std::log(v) * std::numbers::log10e; }
double Base2(double v) { return Log2(v); }
double Sin(double v) { return std::sin(v); }
double Cos(double v) { return std::cos(v); }
double Tan(double v) { return std::tan(v); }
double Asin(double v) { return std::asin(v); }
double Acos(double v) { return std::acos(v); }
double Atan(double v) { return std::atan(v); }
double Sinh(double v) { return std::sinh(v); }
double Cosh(double v) { return std::cosh(v); }
double Tanh(double v) { return std::tanh(v); }
double Asinh(double v) { return std::asinh(v); }
double Acosh(double v) { return std::acosh(v); }
double Atanh(double v) { return std::atanh(v); }
double Rad(double v) { return v * std::numbers::pi / 180; }
double Deg(double v) { return v * 180 / std::numbers::pi; }
double Sgn(double v) { return v < 0 ? -1 : v > 0 ? 1 : v; }

void Round(double* values, size_t count, const double* nearest, const double*) {
  for (size_t i = 0; i < count; ++i) {
    const double inverse = 1.0 / (nearest == nullptr ? 1.0 : nearest[i]);
    values[i] = std::floor(values[i] * inverse + 0.5) / inverse;
  }
}

void Clamp(double* values, size_t count, const double* low, const double* high) {
  for (size_t i = 0; i < count; ++i) values[i] = GoMax(low[i], GoMin(high[i], values[i]));
}
void ClampMin(double* values, size_t count, const double* low, const double*) {
  for (size_t i = 0; i < count; ++i) values[i] = GoMax(low[i], GoMin(kInf, values[i]));
}
void ClampMax(double* values, size_t count, const double* high, const double*) {
  for (size_t i = 0; i < count; ++i) values[i] = GoMax(-kInf, GoMin(high[i], values[i]));
}

// A moment in UTC, from seconds since the epoch.
struct Date {
  int64_t year = 0;
  int month = 0;  // 1..12
  int day = 0;    // 1..31
  int day_of_year = 0;
  int weekday = 0;  // Sunday is 0
  int hour = 0;
  int minute = 0;
};

bool IsLeapYear(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int DaysInMonthOf(int64_t year, int month) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[static_cast<size_t>(month - 1)];
}

// The integer part; what has none (NaN, too large) becomes the smallest integer, as the conversion does in Go on x86.
int64_t WholeSeconds(double v) {
  constexpr double kLimit = 9223372036854775808.0;
  return v >= -kLimit && v < kLimit ? static_cast<int64_t>(v) : std::numeric_limits<int64_t>::min();
}

// Go's time package counts from the first of March of this year and wraps around below it.
constexpr int64_t kFirstYear = -292'277'022'400;
constexpr int64_t kDay = 86400;
// Days from 1 March 0000 to 1 January 1970, and of 400 years.
constexpr int64_t kEpochFromMarch = 719468;
constexpr int64_t kEra = 146097;
constexpr int64_t kFirstSecond = (kFirstYear / 400 * kEra - kEpochFromMarch) * kDay;

Date DateOf(double value) {
  __int128 seconds = WholeSeconds(value);
  if (seconds < kFirstSecond) seconds += static_cast<__int128>(1) << 64;
  auto days = static_cast<int64_t>(seconds / kDay);
  auto rest = static_cast<int64_t>(seconds % kDay);
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  Date date;
  date.hour = static_cast<int>(rest / 3600);
  date.minute = static_cast<int>(rest % 3600 / 60);
  date.weekday = static_cast<int>(((days % 7) + 11) % 7);  // the epoch was a Thursday
  // Years of 365.2425 days that begin in March make the leap day the last one.
  const int64_t shifted = days + kEpochFromMarch;
  const int64_t era = (shifted >= 0 ? shifted : shifted - (kEra - 1)) / kEra;
  const int64_t day_of_era = shifted - era * kEra;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t march_month = (5 * day_of_march_year + 2) / 153;
  date.day = static_cast<int>(day_of_march_year - (153 * march_month + 2) / 5 + 1);
  date.month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  date.year = year_of_era + era * 400 + (date.month <= 2 ? 1 : 0);
  for (int month = 1; month < date.month; ++month) date.day_of_year += DaysInMonthOf(date.year, month);
  date.day_of_year += date.day;
  return date;
}

double Year(double v) { return static_cast<double>(DateOf(v).year); }
double Month(double v) { return DateOf(v).month; }
double DayOfMonth(double v) { return DateOf(v).day; }
double DayOfYear(double v) { return DateOf(v).day_of_year; }
double DayOfWeek(double v) { return DateOf(v).weekday; }
double Hour(double v) { return DateOf(v).hour; }
double Minute(double v) { return DateOf(v).minute; }
double DaysInMonth(double v) {
  const Date date = DateOf(v);
  return DaysInMonthOf(date.year, date.month);
}

constexpr std::array kElementFunctions = {
    ElementFunction{Id::kAbs, &Each<Abs>},
    ElementFunction{Id::kAcos, &Each<Acos>},
    ElementFunction{Id::kAcosh, &Each<Acosh>},
    ElementFunction{Id::kAsin, &Each<Asin>},
    ElementFunction{Id::kAsinh, &Each<Asinh>},
    ElementFunction{Id::kAtan, &Each<Atan>},
    ElementFunction{Id::kAtanh, &Each<Atanh>},
    ElementFunction{Id::kCeil, &Each<Ceil>},
    ElementFunction{Id::kClamp, &Clamp},
    ElementFunction{Id::kClampMax, &ClampMax},
    ElementFunction{Id::kClampMin, &ClampMin},
    ElementFunction{Id::kCos, &Each<Cos>},
    ElementFunction{Id::kCosh, &Each<Cosh>},
    ElementFunction{Id::kDayOfMonth, &Each<DayOfMonth>},
    ElementFunction{Id::kDayOfWeek, &Each<DayOfWeek>},
    ElementFunction{Id::kDayOfYear, &Each<DayOfYear>},
    ElementFunction{Id::kDaysInMonth, &Each<DaysInMonth>},
    ElementFunction{Id::kDeg, &Each<Deg>},
    ElementFunction{Id::kExp, &Each<Exp>},
    ElementFunction{Id::kFloor, &Each<Floor>},
    ElementFunction{Id::kHour, &Each<Hour>},
    ElementFunction{Id::kLn, &Each<Ln>},
    ElementFunction{Id::kLog10, &Each<Log10>},
    ElementFunction{Id::kLog2, &Each<Base2>},
    ElementFunction{Id::kMinute, &Each<Minute>},
    ElementFunction{Id::kMonth, &Each<Month>},
    ElementFunction{Id::kRad, &Each<Rad>},
    ElementFunction{Id::kRound, &Round},
    ElementFunction{Id::kSgn, &Each<Sgn>},
    ElementFunction{Id::kSin, &Each<Sin>},
    ElementFunction{Id::kSinh, &Each<Sinh>},
    ElementFunction{Id::kSqrt, &Each<Sqrt>},
    ElementFunction{Id::kTan, &Each<Tan>},
    ElementFunction{Id::kTanh, &Each<Tanh>},
    ElementFunction{Id::kYear, &Each<Year>},
};

}  // namespace

const ElementFunction* FindElementFunction(FunctionId id) {
  const auto at =
      std::find_if(kElementFunctions.begin(), kElementFunctions.end(), [&](const auto& f) { return f.id == id; });
  return at == kElementFunctions.end() ? nullptr : &*at;
}

bool IsClamp(FunctionId id) { return id == Id::kClamp || id == Id::kClampMin || id == Id::kClampMax; }

}  // namespace epi::promql
