// Parameters of API requests: times, durations, limits, selectors, with Prometheus's rules and error texts.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/matcher.h"
#include "model/sample.h"
#include "net/http_message.h"
#include "promql/parser/parser.h"

namespace epi::web {

// The ends of time, as the API knows them: they can be written as RFC 3339 with more than four digits for the year.
inline constexpr TimestampMs kMinApiTime = -9223309901257974000;
inline constexpr TimestampMs kMaxApiTime = 9223309901257974999;

// Seconds as a number, or RFC 3339. `cannot parse "x" to a valid timestamp`
Result<TimestampMs> ParseTime(std::string_view text);
// Seconds as a number, or Prometheus's notation. Nanoseconds. `cannot parse "x" to a valid duration`
Result<int64_t> ParseApiDuration(std::string_view text);
// strconv.Atoi.
Result<int64_t> ParseGoInteger(std::string_view text);
// strconv.ParseBool.
Result<bool> ParseGoBool(std::string_view text);

// The following read a parameter of the form and report errors as `invalid parameter "name": …`.
Result<TimestampMs> TimeParameter(const net::Request& request, std::string_view name, TimestampMs otherwise);
Result<TimeRange> RangeParameters(const net::Request& request);  // start and end, all of time by default
Result<size_t> LimitParameter(const net::Request& request);      // 0: none
Result<int64_t> RequiredDuration(const net::Request& request, std::string_view name);
// match[]; `match[] must contain at least one non-empty matcher`. May be empty. The error has no parameter prefix.
Result<std::vector<std::vector<Matcher>>> MatcherSets(const net::Request& request, const promql::ParseOptions& options);

bool MatchesAll(const Labels& labels, const std::vector<Matcher>& matchers);

}  // namespace epi::web
