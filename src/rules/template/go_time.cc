#include "rules/template/go_time.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/ascii.h"
#include "model/number_format.h"

namespace epi::rules {
namespace {

constexpr int64_t kSecondsPerDay = 86'400;
constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

// Days since the epoch of a proleptic Gregorian date; the calendar repeats every 400 years of 146097 days.
int64_t DaysFromCivil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = FloorDiv(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

void AppendPadded(std::string& out, int64_t value, int width) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*lld", width, static_cast<long long>(value));
  out += text;
}

// One element of a layout, and how it is written. Longest first where one begins another.
enum class Element : unsigned char {
  kLongMonth,
  kMonth,
  kLongWeekday,
  kWeekday,
  kZone,
  kMonthZero,
  kDayZero,
  kHour12Zero,
  kMinuteZero,
  kSecondZero,
  kYearShort,
  kYearDay,
  kMonthNumber,
  kHour24,
  kHour12,
  kDayUnder,
  kYearDayUnder,
  kDay,
  kMinute,
  kSecond,
  kYearLong,
  kUpperPm,
  kLowerPm,
  kOffset,
  kOffsetColon,
  kOffsetShort,
  kIsoOffset,
  kIsoOffsetColon,
  kIsoOffsetShort,
  kOffsetSeconds,
  kOffsetColonSeconds,
  kIsoOffsetSeconds,
  kIsoOffsetColonSeconds,
};
struct LayoutRow {
  std::string_view text;
  Element element;
};
constexpr std::array kLayout = {
    LayoutRow{"January", Element::kLongMonth},
    LayoutRow{"Jan", Element::kMonth},
    LayoutRow{"Monday", Element::kLongWeekday},
    LayoutRow{"Mon", Element::kWeekday},
    LayoutRow{"MST", Element::kZone},
    LayoutRow{"002", Element::kYearDay},
    LayoutRow{"01", Element::kMonthZero},
    LayoutRow{"02", Element::kDayZero},
    LayoutRow{"03", Element::kHour12Zero},
    LayoutRow{"04", Element::kMinuteZero},
    LayoutRow{"05", Element::kSecondZero},
    LayoutRow{"06", Element::kYearShort},
    LayoutRow{"15", Element::kHour24},
    LayoutRow{"1", Element::kMonthNumber},
    LayoutRow{"2006", Element::kYearLong},
    LayoutRow{"2", Element::kDay},
    LayoutRow{"__2", Element::kYearDayUnder},
    LayoutRow{"_2006", Element::kYearLong},
    LayoutRow{"_2", Element::kDayUnder},
    LayoutRow{"3", Element::kHour12},
    LayoutRow{"4", Element::kMinute},
    LayoutRow{"5", Element::kSecond},
    LayoutRow{"PM", Element::kUpperPm},
    LayoutRow{"pm", Element::kLowerPm},
    LayoutRow{"-070000", Element::kOffsetSeconds},
    LayoutRow{"-07:00:00", Element::kOffsetColonSeconds},
    LayoutRow{"-0700", Element::kOffset},
    LayoutRow{"-07:00", Element::kOffsetColon},
    LayoutRow{"-07", Element::kOffsetShort},
    LayoutRow{"Z070000", Element::kIsoOffsetSeconds},
    LayoutRow{"Z07:00:00", Element::kIsoOffsetColonSeconds},
    LayoutRow{"Z0700", Element::kIsoOffset},
    LayoutRow{"Z07:00", Element::kIsoOffsetColon},
    LayoutRow{"Z07", Element::kIsoOffsetShort},
};

int Hour12(int hour) { return hour % 12 == 0 ? 12 : hour % 12; }

void AppendElement(std::string& out, Element element, const CivilTime& t) {
  switch (element) {
    case Element::kLongMonth:
      out += MonthName(t.month);
      break;
    case Element::kMonth:
      out += MonthName(t.month).substr(0, 3);
      break;
    case Element::kLongWeekday:
      out += WeekdayName(t.weekday);
      break;
    case Element::kWeekday:
      out += WeekdayName(t.weekday).substr(0, 3);
      break;
    case Element::kZone:
      out += "UTC";
      break;
    case Element::kMonthZero:
      AppendPadded(out, t.month, 2);
      break;
    case Element::kDayZero:
      AppendPadded(out, t.day, 2);
      break;
    case Element::kHour12Zero:
      AppendPadded(out, Hour12(t.hour), 2);
      break;
    case Element::kMinuteZero:
      AppendPadded(out, t.minute, 2);
      break;
    case Element::kSecondZero:
      AppendPadded(out, t.second, 2);
      break;
    case Element::kYearShort:
      AppendPadded(out, (t.year % 100 + 100) % 100, 2);
      break;
    case Element::kYearDay:
      AppendPadded(out, t.year_day, 3);
      break;
    case Element::kYearDayUnder:
      out.append(t.year_day < 10 ? 2 : t.year_day < 100 ? 1 : 0, ' ');
      AppendPadded(out, t.year_day, 1);
      break;
    case Element::kMonthNumber:
      AppendPadded(out, t.month, 1);
      break;
    case Element::kHour24:
      AppendPadded(out, t.hour, 2);
      break;
    case Element::kHour12:
      AppendPadded(out, Hour12(t.hour), 1);
      break;
    case Element::kDayUnder:
      if (t.day < 10) out += ' ';
      AppendPadded(out, t.day, 1);
      break;
    case Element::kDay:
      AppendPadded(out, t.day, 1);
      break;
    case Element::kMinute:
      AppendPadded(out, t.minute, 1);
      break;
    case Element::kSecond:
      AppendPadded(out, t.second, 1);
      break;
    case Element::kYearLong:
      AppendPadded(out, t.year, 4);
      break;
    case Element::kUpperPm:
      out += t.hour >= 12 ? "PM" : "AM";
      break;
    case Element::kLowerPm:
      out += t.hour >= 12 ? "pm" : "am";
      break;
    case Element::kOffset:
      out += "+0000";
      break;
    case Element::kOffsetColon:
      out += "+00:00";
      break;
    case Element::kOffsetShort:
      out += "+00";
      break;
    case Element::kOffsetSeconds:
      out += "+000000";
      break;
    case Element::kOffsetColonSeconds:
      out += "+00:00:00";
      break;
    default:
      out += 'Z';
      break;
  }
}

// A run of 0 or 9 behind a point or comma, not followed by a digit: fractional seconds. Its length with the point, or
// 0.
size_t FractionLength(std::string_view layout) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',') || (layout[1] != '0' && layout[1] != '9')) return 0;
  size_t end = 1;
  while (end < layout.size() && layout[end] == layout[1]) ++end;
  return end < layout.size() && IsAsciiDigit(layout[end]) ? 0 : end;
}

void AppendFraction(std::string& out, std::string_view form, int32_t nanoseconds) {
  std::string digits;
  AppendPadded(digits, nanoseconds, 9);
  const size_t places = form.size() - 1;
  digits.resize(places < 9 ? places : 9);
  if (form[1] == '9') {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    if (digits.empty()) return;
  }
  out += form[0];
  out += digits;
}

}  // namespace

CivilTime ToCivil(int64_t unix_seconds) {
  const int64_t days = FloorDiv(unix_seconds, kSecondsPerDay);
  const int64_t rest = unix_seconds - days * kSecondsPerDay;
  CivilTime out;
  out.hour = static_cast<int>(rest / 3600);
  out.minute = static_cast<int>(rest / 60 % 60);
  out.second = static_cast<int>(rest % 60);
  out.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  const int64_t shifted = days + 719'468;
  const int64_t era = FloorDiv(shifted, 146'097);
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;
  out.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  out.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  out.year = year_of_era + era * 400 + (out.month <= 2);
  out.year_day = static_cast<int>(days - DaysFromCivil(out.year, 1, 1) + 1);
  return out;
}

int64_t FromCivil(int64_t year, int month, int day) {
  const int64_t months = year * 12 + (month - 1);
  year = FloorDiv(months, 12);
  const auto in_range = static_cast<int>(months - year * 12) + 1;
  return (DaysFromCivil(year, in_range, 1) + day - 1) * kSecondsPerDay;
}

std::string_view MonthName(int month) { return month >= 1 && month <= 12 ? kMonths[month - 1] : "%!Month"; }
std::string_view WeekdayName(int weekday) { return weekday >= 0 && weekday <= 6 ? kWeekdays[weekday] : "%!Weekday"; }

std::string FormatTime(const TimeValue& time, std::string_view layout) {
  const CivilTime civil = ToCivil(time.seconds);
  std::string out;
  while (!layout.empty()) {
    if (const size_t fraction = FractionLength(layout); fraction > 0) {
      AppendFraction(out, layout.substr(0, fraction), time.nanoseconds);
      layout.remove_prefix(fraction);
      continue;
    }
    const LayoutRow* best = nullptr;
    for (const LayoutRow& row : kLayout) {
      if (layout.starts_with(row.text) && (best == nullptr || row.text.size() > best->text.size())) best = &row;
    }
    // "Jan" begins "January" but not "Janitor"; so it is with "Mon".
    if (best != nullptr && (best->element == Element::kMonth || best->element == Element::kWeekday) &&
        layout.size() > 3 && layout[3] >= 'a' && layout[3] <= 'z') {
      best = nullptr;
    }
    if (best == nullptr) {
      out += layout.front();
      layout.remove_prefix(1);
      continue;
    }
    if (best->text == "_2006") out += '_';
    AppendElement(out, best->element, civil);
    layout.remove_prefix(best->text.size());
  }
  return out;
}

Result<TimeValue> TimeFromSeconds(double seconds) {
  const double ns = seconds * 1e9;
  if (!(ns < 0x1p63 && ns >= -0x1p63)) {
    return Fail(ErrorCode::kInvalid, FormatFloatGeneral(seconds) +
                                         " cannot be represented as a nanoseconds timestamp since it overflows int64");
  }
  // Prometheus goes through its own milliseconds here, cut towards zero.
  const int64_t ms = static_cast<int64_t>(ns) / 1'000'000;
  const int64_t seconds_down = FloorDiv(ms, 1000);
  return TimeValue{seconds_down, static_cast<int32_t>((ms - seconds_down * 1000) * 1'000'000)};
}

}  // namespace epi::rules
