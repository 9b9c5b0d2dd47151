// Calendar times in UTC, formatted as Go's time package does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rules/template/value.h"

namespace epi::rules {

// time.Time.String().
inline constexpr std::string_view kGoDefaultTimeLayout = "2006-01-02 15:04:05.999999999 -0700 MST";

struct CivilTime {
  int64_t year = 1970;
  int month = 1;  // from 1
  int day = 1;    // from 1
  int hour = 0;
  int minute = 0;
  int second = 0;
  int weekday = 4;  // 0 = Sunday
  int year_day = 1;
};
CivilTime ToCivil(int64_t unix_seconds);
int64_t FromCivil(int64_t year, int month, int day);  // seconds at midnight; month and day may be out of range

// Go's reference-time layouts ("2006-01-02T15:04:05Z07:00").
std::string FormatTime(const TimeValue& time, std::string_view layout);
std::string_view MonthName(int month);      // "January"; "%!Month(13)" is beyond what occurs
std::string_view WeekdayName(int weekday);  // "Sunday"

// Seconds to a time with nanoseconds. The error is Prometheus's: "… cannot be represented as a nanoseconds timestamp
// since it overflows int64".
Result<TimeValue> TimeFromSeconds(double seconds);

}  // namespace epi::rules
