#include "model/rfc3339.h"

#include <cstdint>
#include <ctime>

namespace epi {
namespace {

// Days from 1970-01-01 in the proleptic Gregorian calendar.
int64_t DaysFromCivil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

int64_t DaysInMonth(int64_t year, int64_t month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// Reads fixed text and numbers from the front.
class TimeTextReader {
 public:
  explicit TimeTextReader(std::string_view text) : text_(text) {}
  bool Digits(size_t count, int64_t min, int64_t max, int64_t& out) {
    if (text_.size() < count) return false;
    out = 0;
    for (const char c : text_.substr(0, count)) {
      if (c < '0' || c > '9') return false;
      out = out * 10 + (c - '0');
    }
    text_.remove_prefix(count);
    return out >= min && out <= max;
  }
  // Of one digit, too, as Go takes it.
  bool Hour(int64_t& out) { return Digits(text_.size() > 1 && text_[1] == ':' ? 1 : 2, 0, 23, out); }
  bool Char(char want) {
    if (!text_.starts_with(want)) return false;
    text_.remove_prefix(1);
    return true;
  }
  // A fraction behind '.' or ',', as milliseconds, cut off.
  bool Fraction(int64_t& ms) {
    ms = 0;
    if (!Char('.') && !Char(',')) return true;
    int64_t scale = 100;
    size_t count = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1), ++count) {
      ms += (text_.front() - '0') * scale;
      scale /= 10;
    }
    return count > 0;
  }
  bool empty() const { return text_.empty(); }

 private:
  std::string_view text_;
};

}  // namespace

std::optional<TimestampMs> ParseRfc3339(std::string_view text) {
  TimeTextReader in(text);
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, zone_hour = 0, zone_minute = 0;
  if (!in.Digits(4, 0, 9999, year) || !in.Char('-') || !in.Digits(2, 1, 12, month) || !in.Char('-') ||
      !in.Digits(2, 1, DaysInMonth(year, month), day) || !in.Char('T') || !in.Hour(hour) || !in.Char(':') ||
      !in.Digits(2, 0, 59, minute) || !in.Char(':') || !in.Digits(2, 0, 59, second) || !in.Fraction(ms))
    return std::nullopt;
  int64_t offset = 0;
  if (!in.Char('Z')) {
    const int64_t sign = in.Char('+') ? 1 : in.Char('-') ? -1 : 0;
    if (sign == 0 || !in.Digits(2, 0, 24, zone_hour) || !in.Char(':') || !in.Digits(2, 0, 60, zone_minute))
      return std::nullopt;
    offset = sign * (zone_hour * 3600 + zone_minute * 60);
  }
  if (!in.empty()) return std::nullopt;
  const int64_t seconds = DaysFromCivil(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second - offset;
  return seconds * 1000 + ms;
}

std::string FormatRfc3339(int64_t time_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t seconds = time_ns / kSecond, nanos = time_ns % kSecond;
  if (nanos < 0) {
    nanos += kSecond;
    --seconds;
  }
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[64];
  std::string out(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts));
  if (nanos != 0) {
    std::string digits = std::to_string(kSecond + nanos).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += "." + digits;
  }
  return out + "Z";
}

}  // namespace epi
