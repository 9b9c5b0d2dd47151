#include "web/api/parameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/escaping.h"
#include "model/duration.h"
#include "model/number_format.h"
#include "model/rfc3339.h"
#include "web/api/answer.h"

namespace epi::web {
namespace {

constexpr std::string_view kMinTimeText = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kMaxTimeText = "292277025-08-18T07:12:54.999999999Z";

// What NaN and infinities become where Go makes times of them (on amd64, with its overflows).
constexpr TimestampMs kNoNumberTime = -9'223'372'036'854;

std::string QuotedParameter(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

}  // namespace

Result<TimestampMs> ParseTime(std::string_view text) {
  bool out_of_range = false;
  if (const auto number = ParseGoFloat(text, &out_of_range); number && !out_of_range) {
    if (!std::isfinite(*number)) return kNoNumberTime;
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
  if (const auto number = ParseGoFloat(text, &out_of_range); number && !out_of_range) {
    if (std::isnan(*number)) return std::numeric_limits<int64_t>::min();  // as Go converts it
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
