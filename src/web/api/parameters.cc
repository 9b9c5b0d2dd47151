#include "web/api/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "model/duration.h"
#include "model/number_format.h"
#include "web/api/answer.h"

namespace epi::web {
namespace {

constexpr std::string_view kMinTimeText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kMaxTimeText = "292277025-08-18T07:12:54.999999999Z";

std::string QuotedParameter(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

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
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
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

std::optional<TimestampMs> ParseRfc3339(std::string_view text) {
  Scanner in(text);
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, zone_hour = 0, zone_minute = 0;
  if (!in.Digits(4, 0, 9999, year) || !in.Char('-') || !in.Digits(2, 1, 12, month) || !in.Char('-') ||
      !in.Digits(2, 1, DaysInMonth(year, month), day) || !in.Char('T') || !in.Digits(2, 0, 23, hour) || !in.Char(':') ||
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

}  // namespace

Result<TimestampMs> ParseTime(std::string_view text) {
  bool out_of_range = false;
  if (const auto number = ParseGoFloat(text, &out_of_range); number && !out_of_range && std::isfinite(*number)) {
    double whole = 0;
    const double fraction = std::round(std::modf(*number, &whole) * 1000);
    constexpr double kFarthest = 9e15;  // seconds whose milliseconds fit
    if (std::abs(whole) < kFarthest) return static_cast<TimestampMs>(whole) * 1000 + static_cast<TimestampMs>(fraction);
    return whole < 0 ? kMinApiTime : kMaxApiTime;
  }
  if (const auto time = ParseRfc3339(text)) return *time;
  if (text == kMinTimeText) return kMinApiTime;
  if (text == kMaxTimeText) return kMaxApiTime;
  return Fail(ErrorCode::kInvalid, "cannot parse " + QuotedParameter(text) + " to a valid timestamp");
}

Result<int64_t> ParseApiDuration(std::string_view text) {
  bool out_of_range = false;
  if (const auto number = ParseGoFloat(text, &out_of_range); number && !out_of_range && !std::isnan(*number)) {
    const double ns = *number * 1e9;
    if (ns >= 0x1p63 || ns < -0x1p63)
      return Fail(ErrorCode::kInvalid,
                  "cannot parse " + QuotedParameter(text) + " to a valid duration. It overflows int64");
    return static_cast<int64_t>(ns);
  }
  if (const auto ms = ParseDuration(text)) return *ms * 1'000'000;
  return Fail(ErrorCode::kInvalid, "cannot parse " + QuotedParameter(text) + " to a valid duration");
}

Result<int64_t> ParseGoInteger(std::string_view text) {
  int64_t value = 0;
  std::string_view digits = text;
  if (digits.starts_with('+') && digits.size() > 1 && digits[1] != '-') digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range && end == digits.data() + digits.size())
    return Fail(ErrorCode::kInvalid, "strconv.Atoi: parsing " + QuotedParameter(text) + ": value out of range");
  if (error != std::errc() || end != digits.data() + digits.size())
    return Fail(ErrorCode::kInvalid, "strconv.Atoi: parsing " + QuotedParameter(text) + ": invalid syntax");
  return value;
}

Result<bool> ParseGoBool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == yes) return true;
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == no) return false;
  return Fail(ErrorCode::kInvalid, "strconv.ParseBool: parsing " + QuotedParameter(text) + ": invalid syntax");
}

Result<TimestampMs> TimeParameter(const net::Request& request, std::string_view name, TimestampMs otherwise) {
  const auto text = request.FormValue(name);
  if (text.empty()) return otherwise;
  auto time = ParseTime(text);
  if (time) return time;
  return Fail(InvalidParameter(name, Error(ErrorCode::kInvalid, "invalid time value for '" + std::string(name) +
                                                                    "': " + time.error().message())));
}

Result<TimeRange> RangeParameters(const net::Request& request) {
  EPI_ASSIGN(const TimestampMs start, TimeParameter(request, "start", kMinApiTime));
  EPI_ASSIGN(const TimestampMs end, TimeParameter(request, "end", kMaxApiTime));
  return TimeRange{start, end};
}

Result<size_t> LimitParameter(const net::Request& request) {
  const auto text = request.FormValue("limit");
  if (text.empty()) return size_t{0};
  const auto limit = ParseGoInteger(text);
  if (!limit) return Fail(InvalidParameter("limit", limit.error()));
  if (*limit < 0) return Fail(InvalidParameter("limit", Error(ErrorCode::kInvalid, "limit must be non-negative")));
  return static_cast<size_t>(*limit);
}

Result<int64_t> RequiredDuration(const net::Request& request, std::string_view name) {
  auto duration = ParseApiDuration(request.FormValue(name));
  if (!duration) return Fail(InvalidParameter(name, duration.error()));
  return duration;
}

Result<std::vector<std::vector<Matcher>>> MatcherSets(const net::Request& request,
                                                      const promql::ParseOptions& options) {
  std::vector<std::vector<Matcher>> sets;
  for (const auto text : request.FormValues("match[]")) {
    EPI_ASSIGN(auto set, promql::ParseMetricSelector(text, options));
    sets.push_back(std::move(set));
  }
  for (const auto& set : sets) {
    if (std::all_of(set.begin(), set.end(), [](const Matcher& matcher) { return matcher.MatchesEmpty(); }))
      return Fail(ErrorCode::kInvalid, "match[] must contain at least one non-empty matcher");
  }
  return sets;
}

bool MatchesAll(const Labels& labels, const std::vector<Matcher>& matchers) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matcher) { return matcher.Matches(labels.Get(matcher.name())); });
}

}  // namespace epi::web
