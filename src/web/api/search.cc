// The search endpoints: names and values that look like what somebody types, as lines of JSON.
#include <algorithm>
#include <map>

#include "base/escaping.h"
#include "scrape/status.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/api/search_score.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

constexpr size_t kMaxTerms = 32;
constexpr int64_t kDefaultLimit = 100, kDefaultBatch = 100;
constexpr int64_t kHourMs = 3'600'000;

enum class SearchOrder : unsigned char { kValueAscending, kValueDescending, kScore };

struct SearchParameters {
  TimeRange range;
  std::vector<std::vector<Matcher>> matcher_sets;
  std::vector<std::string_view> terms;
  int64_t fuzz_threshold = 0;  // percent
  FuzzyAlgorithm algorithm = FuzzyAlgorithm::kSubsequence;
  bool case_sensitive = true;
  bool include_score = false;
  SearchOrder order = SearchOrder::kValueAscending;
  size_t limit = 0;
  size_t batch_size = 0;
};

struct Match {
  std::string value;
  double score = 0;
};

std::string QuotedSearch(std::string_view text) {
  std::string out;
  AppendQuoted(out, text);
  return out;
}

Result<bool> BoolParameter(const net::Request& request, std::string_view name, bool otherwise) {
  const auto text = request.FormValue(name);
  if (text.empty()) return otherwise;
  auto parsed = ParseGoBool(text);
  if (!parsed)
    return Fail(ErrorCode::kInvalid, "invalid " + std::string(name) + " " + QuotedSearch(text) + ": must be boolean");
  return parsed;
}

// A positive integer.
Result<int64_t> CountParameter(const net::Request& request, std::string_view name, int64_t otherwise) {
  const auto text = request.FormValue(name);
  if (text.empty()) return otherwise;
  const auto number = ParseGoInteger(text);
  if (!number || *number <= 0) {
    return Fail(ErrorCode::kInvalid,
                "invalid " + std::string(name) + " " + QuotedSearch(text) + ": must be a positive integer");
  }
  return *number;
}

// A time without the prefix that other endpoints put before the error.
Result<TimestampMs> SearchTime(const net::Request& request, std::string_view name, TimestampMs otherwise) {
  const auto text = request.FormValue(name);
  if (text.empty()) return otherwise;
  auto time = ParseTime(text);
  if (!time) return Fail(time.error().WithContext("invalid time value for '" + std::string(name) + "'"));
  return time;
}

Result<void> ReadFuzziness(const net::Request& request, SearchParameters& out) {
  if (const auto text = request.FormValue("fuzz_threshold"); !text.empty()) {
    const auto number = ParseGoInteger(text);
    if (!number || *number < 0 || *number > 100)
      return Fail(ErrorCode::kInvalid, "invalid fuzz_threshold " + QuotedSearch(text) + ": must be 0-100");
    out.fuzz_threshold = *number;
  }
  const auto algorithm = request.FormValue("fuzz_alg");
  if (algorithm == "jarowinkler") {
    out.algorithm = FuzzyAlgorithm::kJaroWinkler;
  } else if (!algorithm.empty() && algorithm != "subsequence") {
    return Fail(ErrorCode::kInvalid,
                "unsupported fuzz_alg " + QuotedSearch(algorithm) + ": must be one of [subsequence jarowinkler]");
  }
  EPI_ASSIGN(out.case_sensitive, BoolParameter(request, "case_sensitive", true));
  EPI_ASSIGN(out.include_score, BoolParameter(request, "include_score", false));
  return {};
}

Result<void> ReadOrder(const net::Request& request, SearchParameters& out) {
  const auto by = request.FormValue("sort_by"), direction = request.FormValue("sort_dir");
  if (!direction.empty() && by.empty()) return Fail(ErrorCode::kInvalid, "sort_dir is only valid when sort_by is set");
  if (!direction.empty() && by == "score")
    return Fail(ErrorCode::kInvalid, "sort_dir is not supported for sort_by=score");
  if (!direction.empty() && direction != "asc" && direction != "dsc")
    return Fail(ErrorCode::kInvalid, "invalid sort_dir " + QuotedSearch(direction) + ": must be \"asc\" or \"dsc\"");
  if (by == "score" && out.terms.empty()) return Fail(ErrorCode::kInvalid, "sort_by=score requires search[] to be set");
  if (by == "score") out.order = SearchOrder::kScore;
  if (by == "alpha" && direction == "dsc") out.order = SearchOrder::kValueDescending;
  return {};
}

Result<void> ReadLimits(const Services& services, const net::Request& request, SearchParameters& out) {
  const int64_t cap = services.options.search_max_limit;
  EPI_ASSIGN(const int64_t limit,
             CountParameter(request, "limit", cap > 0 ? std::min(cap, kDefaultLimit) : kDefaultLimit));
  if (cap > 0 && limit > cap) {
    return Fail(ErrorCode::kInvalid, "limit " + std::to_string(limit) + " exceeds the configured maximum (" +
                                         std::to_string(cap) + ", see --web.search.max-limit)");
  }
  EPI_ASSIGN(const int64_t batch, CountParameter(request, "batch_size", kDefaultBatch));
  out.limit = static_cast<size_t>(limit);
  out.batch_size = static_cast<size_t>(batch);
  return {};
}

Result<SearchParameters> ReadParameters(const Services& services, const net::Request& request,
                                        std::string_view endpoint) {
  SearchParameters out;
  const TimestampMs now = services.clock->NowMs();
  EPI_ASSIGN(out.range.min, SearchTime(request, "start", now - kHourMs));
  EPI_ASSIGN(out.range.max, SearchTime(request, "end", now));
  if (out.range.max < out.range.min)
    return Fail(ErrorCode::kInvalid, "end timestamp must not be before start timestamp");
  EPI_ASSIGN(out.matcher_sets, MatcherSets(request, services.parse_options));
  out.terms = request.FormValues("search[]");
  if (out.terms.size() > kMaxTerms) {
    return Fail(ErrorCode::kInvalid, "too many search[] terms: got " + std::to_string(out.terms.size()) +
                                         ", maximum is " + std::to_string(kMaxTerms));
  }
  EPI_TRY(ReadFuzziness(request, out));
  EPI_TRY(ReadOrder(request, out));
  EPI_TRY(ReadLimits(services, request, out));
  const auto by = request.FormValue("sort_by");
  if (!by.empty() && by != "alpha" && by != "score") {
    return Fail(ErrorCode::kInvalid, "invalid sort_by " + QuotedSearch(by) + " for " + std::string(endpoint) +
                                         ": must be \"alpha\" or \"score\"");
  }
  return out;
}

// Everything that the storage has, filtered, ordered, and one more than the limit at most.
Result<std::vector<Match>> Search(const View& view, std::string_view label, const SearchParameters& parameters,
                                  Budget& budget) {
  const SearchFilter filter(parameters.terms, static_cast<double>(parameters.fuzz_threshold) / 100,
                            parameters.algorithm, parameters.case_sensitive);
  std::map<std::string, double> found;  // by value: several sets may give the same
  const auto ask = [&](std::span<const Matcher> matchers) -> Result<void> {
    EPI_ASSIGN(auto values,
               label.empty() ? view.LabelNames(matchers, 0, budget) : view.LabelValues(label, matchers, 0, budget));
    for (auto& value : values)
      if (const auto score = filter.Score(value)) found.emplace(std::move(value), *score);
    return {};
  };
  if (parameters.matcher_sets.empty()) EPI_TRY(ask({}));
  for (const auto& set : parameters.matcher_sets) EPI_TRY(ask(set));
  std::vector<Match> matches;
  for (auto& [value, score] : found) matches.push_back({value, score});
  if (parameters.order == SearchOrder::kValueDescending) std::reverse(matches.begin(), matches.end());
  if (parameters.order == SearchOrder::kScore)
    std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.score > b.score; });
  if (matches.size() > parameters.limit + 1) matches.resize(parameters.limit + 1);
  return matches;
}

using MetadataMap = std::map<std::string, MetricMetadata, std::less<>>;

MetadataMap CollectMetadata(const Services& services) {
  MetadataMap out;
  if (services.scrape == nullptr) return out;
  services.scrape->ForEachMetadata(
      [&](const Labels&, const scrape::FamilyMetadata& family) { out.emplace(family.family, family.metadata); });
  return out;
}

void WriteMatch(JsonWriter& json, std::string_view key, const Match& match, bool with_score,
                const MetadataMap& metadata) {
  json.BeginObject();
  json.Key(key);
  json.String(match.value);
  if (with_score) {
    json.Key("score");
    json.Number(match.score);
  }
  if (const auto at = metadata.find(match.value); at != metadata.end()) {
    const auto optional = [&](std::string_view name, std::string_view text) {
      if (text.empty()) return;
      json.Key(name);
      json.String(text);
    };
    optional("type", MetricTypeName(at->second.type));
    optional("help", at->second.help);
    optional("unit", at->second.unit);
  }
  json.EndObject();
}

Result<void> Stream(const std::vector<Match>& matches, std::string_view key, const SearchParameters& parameters,
                    const MetadataMap& metadata, const net::Request& request, net::ResponseWriter& response) {
  const bool has_more = matches.size() > parameters.limit;
  const size_t count = std::min(matches.size(), parameters.limit);
  response.headers().Set("Content-Type", "application/x-ndjson; charset=utf-8");
  size_t at = 0;
  do {  // one line at least
    if (request.stop.stop_requested()) return {};
    JsonWriter json([&](std::string_view bytes) { return response.Write(bytes); });
    json.BeginObject();
    json.Key("results");
    json.BeginArray();
    const size_t end = at + std::min(parameters.batch_size, count - at);
    for (; at < end; ++at) WriteMatch(json, key, matches[at], parameters.include_score, metadata);
    json.EndArray();
    json.EndObject();
    EPI_TRY(json.Finish());
    EPI_TRY(response.Write("\n"));
    EPI_TRY(response.Flush());
  } while (at < count);
  return response.Write(std::string("{\"status\":\"success\",\"has_more\":") + (has_more ? "true" : "false") + "}\n");
}

struct Endpoint {
  std::string_view name;
  std::string_view key;    // of a result
  std::string_view label;  // whose values; empty: names of labels
};

Result<void> Serve(const Endpoint& endpoint, Services& services, const net::Request& request,
                   net::ResponseWriter& response) {
  if (!request.form_error.empty()) return Fail(ErrorCode::kInvalid, "error parsing form values: " + request.form_error);
  EPI_ASSIGN(const SearchParameters parameters, ReadParameters(services, request, endpoint.name));
  bool include_metadata = false;
  if (endpoint.name == "metric_names") {
    EPI_ASSIGN(include_metadata, BoolParameter(request, "include_metadata", false));
  }
  const auto view = OpenView(services.storage, request, parameters.range);
  if (!view) return Fail(ExecutionError(view.error()));
  if (endpoint.name == "label_values" && endpoint.label.empty())
    return Fail(ErrorCode::kInvalid, "missing required parameter \"label\"");
  const auto matches = Search(**view, endpoint.label, parameters, *request.budget);
  if (!matches) return Fail(ExecutionError(matches.error()));
  return Stream(*matches, endpoint.key, parameters, include_metadata ? CollectMetadata(services) : MetadataMap(),
                request, response);
}

Result<void> Enabled(const Services& services) {
  if (!services.options.enable_search) return Fail(ErrorCode::kUnavailable, "search API disabled");
  if (services.options.agent_mode) return Fail(ErrorCode::kExecution, "unavailable with Prometheus Agent");
  return {};
}

}  // namespace

Result<void> ServeSearchMetricNames(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_TRY(Enabled(services));
  return Serve({"metric_names", "name", kMetricName}, services, request, response);
}

Result<void> ServeSearchLabelNames(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_TRY(Enabled(services));
  return Serve({"label_names", "name", {}}, services, request, response);
}

Result<void> ServeSearchLabelValues(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_TRY(Enabled(services));
  return Serve({"label_values", "value", request.FormValue("label")}, services, request, response);
}

}  // namespace epi::web
