#include <algorithm>

#include "model/number_format.h"
#include "promql/cache/range_cache.h"
#include "promql/engine/engine.h"
#include "promql/parser/printer.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

constexpr int64_t kMsNs = 1'000'000;
constexpr int64_t kMaxPointsPerSeries = 11'000;
constexpr std::string_view kStatsBasic = "true", kStatsAll = "all";

// Writes at most `limit` series; 0 means all.
void WriteVector(JsonWriter& json, const promql::VectorValue& vector, size_t limit) {
  json.BeginArray();
  const size_t count = limit == 0 ? vector.size() : std::min(limit, vector.size());
  for (size_t i = 0; i < count && json.Drain(); ++i) {
    const auto& sample = vector[i];
    json.BeginObject();
    json.Key("metric");
    json.LabelSet(sample.labels);
    json.Key(sample.h ? "histogram" : "value");
    json.BeginArray();
    json.SampleTime(sample.t);
    if (sample.h) {
      json.Histogram(*sample.h);
    } else {
      json.SampleValue(sample.v);
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
}

template <typename Points, typename WritePoint>
void WritePoints(JsonWriter& json, std::string_view key, const Points& points, const WritePoint& write_point) {
  if (points.empty()) return;
  json.Key(key);
  json.BeginArray();
  for (const auto& point : points) {
    if (!json.Drain()) break;
    json.BeginArray();
    json.SampleTime(point.t);
    write_point(point);
    json.EndArray();
  }
  json.EndArray();
}

void WriteMatrix(JsonWriter& json, const promql::MatrixValue& matrix, size_t limit) {
  json.BeginArray();
  const size_t count = limit == 0 ? matrix.size() : std::min(limit, matrix.size());
  for (size_t i = 0; i < count && json.Drain(); ++i) {
    const auto& series = matrix[i];
    json.BeginObject();
    json.Key("metric");
    json.LabelSet(series.labels);
    WritePoints(json, "values", series.floats, [&](const promql::FloatPoint& point) { json.SampleValue(point.v); });
    WritePoints(json, "histograms", series.histograms,
                [&](const promql::HistogramValue& point) { json.Histogram(*point.h); });
    json.EndObject();
  }
  json.EndArray();
}

// True when the limit cut something off.
bool WriteValue(JsonWriter& json, const promql::Value& value, size_t limit) {
  if (const auto* vector = std::get_if<promql::VectorValue>(&value)) {
    WriteVector(json, *vector, limit);
    return limit != 0 && vector->size() > limit;
  }
  if (const auto* matrix = std::get_if<promql::MatrixValue>(&value)) {
    WriteMatrix(json, *matrix, limit);
    return limit != 0 && matrix->size() > limit;
  }
  json.BeginArray();
  if (const auto* scalar = std::get_if<promql::ScalarValue>(&value)) {
    json.Number(static_cast<double>(scalar->t) / 1000);
    json.String(FormatFloatPlain(scalar->v));
  } else {
    const auto& text = std::get<promql::StringValue>(value);
    json.Number(static_cast<double>(text.t) / 1000);
    json.String(text.text);
  }
  json.EndArray();
  return false;
}

void WriteSteps(JsonWriter& json, std::string_view key, const std::vector<std::pair<TimestampMs, int64_t>>& steps) {
  if (steps.empty()) return;
  json.Key(key);
  json.BeginArray();
  for (const auto& [time, count] : steps) {
    json.BeginArray();
    json.SampleTime(time);
    json.Integer(count);
    json.EndArray();
  }
  json.EndArray();
}

void WriteStats(JsonWriter& json, const promql::QueryStats& stats) {
  struct Row {
    std::string_view key;
    double seconds;
  };
  const auto& t = stats.timings;
  const Row timings[] = {
      {"evalTotalTime", t.eval_total}, {"resultSortTime", t.result_sort}, {"queryPreparationTime", t.query_preparation},
      {"innerEvalTime", t.inner_eval}, {"execQueueTime", t.exec_queue},   {"execTotalTime", t.exec_total}};
  json.Key("stats");
  json.BeginObject();
  json.Key("timings");
  json.BeginObject();
  for (const auto& row : timings) {
    json.Key(row.key);
    json.Number(row.seconds);
  }
  json.EndObject();
  json.Key("samples");
  json.BeginObject();
  WriteSteps(json, "totalQueryableSamplesPerStep", stats.samples.total_queryable_per_step);
  json.Key("totalQueryableSamples");
  json.Integer(stats.samples.total_queryable);
  WriteSteps(json, "samplesReadPerStep", stats.samples.samples_read_per_step);
  json.Key("samplesRead");
  json.Integer(stats.samples.samples_read);
  json.Key("peakSamples");
  json.Integer(stats.samples.peak);
  json.EndObject();
  json.EndObject();
}

struct RunOptions {
  promql::QuerySpec spec;
  size_t limit = 0;
  int64_t timeout_ms = 0;
  bool no_time = false;  // a timeout was given that is over before it begins
};

// The parameters that both query endpoints share, in the order in which Prometheus complains about them.
Result<void> ReadRunOptions(const Services& services, const net::Request& request, RunOptions& run) {
  if (!request.FormValue("timeout").empty()) {
    EPI_ASSIGN(const int64_t timeout_ns, RequiredDuration(request, "timeout"));
    run.timeout_ms = std::max<int64_t>(1, timeout_ns / kMsNs);
    run.no_time = timeout_ns <= 0;
  }
  if (const auto text = request.FormValue("lookback_delta"); !text.empty()) {
    const auto lookback_ns = ParseApiDuration(text);
    if (!lookback_ns) return Fail(lookback_ns.error().WithContext("error parsing lookback delta duration"));
    run.spec.lookback_delta_ms = *lookback_ns / kMsNs;
  }
  run.spec.text = request.FormValue("query");
  run.spec.per_step_stats = services.options.per_step_stats && request.FormValue("stats") == kStatsAll;
  return {};
}

// Statistics tell what the whole query reads, so a query that asks for them is evaluated whole.
bool MayUseCache(const Services& services, const net::Request& request, const promql::QuerySpec& spec) {
  return services.range_cache != nullptr && spec.step_ms > 0 && request.FormValue("stats").empty() &&
         request.FormValue("nocache") != "1";
}

// One text for all selectors that reads of this request are restricted to.
std::string ScopeText(const net::Request& request) {
  std::string text;
  for (const std::string& selector : request.identity.label_scope) {
    text += std::to_string(selector.size()) + ":" + selector;
  }
  return text;
}

Result<void> RunQuery(const Services& services, const net::Request& request, const RunOptions& run,
                      net::ResponseWriter& response) {
  if (services.engine == nullptr || services.storage == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  EPI_ASSIGN(const auto visible, RequestStorage::For(services.storage, request));
  const auto parsed = services.engine->Parse(run.spec.text);
  if (!parsed) return Fail(InvalidParameter("query", parsed.error()));
  if (run.no_time) return Fail(ErrorCode::kTimeout, "query timed out in query queue");
  promql::QueryContext context;
  context.stop = request.stop;
  context.timeout_ms = run.timeout_ms;
  context.budget = request.budget;
  auto result = MayUseCache(services, request, run.spec)
                    ? services.range_cache->Run(**parsed, run.spec, visible.get(), context, ScopeText(request))
                    : services.engine->Run(**parsed, run.spec, visible.get(), context);
  if (!result) {
    // What is wrong with the query for this kind of evaluation, such as a range vector over a range.
    if (result.error().code() == ErrorCode::kInvalid) return Fail(InvalidParameter("query", result.error()));
    return Fail(ExecutionError(result.error()));
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("resultType");
  json.String(promql::ValueKindName(result->value));
  json.Key("result");
  if (WriteValue(json, result->value, run.limit)) result->warnings.emplace_back(kTruncatedWarning);
  const auto stats = request.FormValue("stats");
  if (!stats.empty()) WriteStats(json, result->stats);
  if (!stats.empty() && stats != kStatsBasic && stats != kStatsAll) {
    std::string warning = "value ";
    AppendQuoted(warning, stats);
    result->warnings.push_back(warning +
                               " for parameter \"stats\" is deprecated and will be rejected in the next major release, "
                               "use \"true\" or \"all\"");
  }
  json.EndObject();
  return answer.Finish(result->warnings, result->infos);
}

Result<TimestampMs> RequiredTime(const net::Request& request, std::string_view name) {
  auto time = ParseTime(request.FormValue(name));
  if (!time) return Fail(InvalidParameter(name, time.error()));
  return time;
}

}  // namespace

Result<void> ServeQuery(Services& services, const net::Request& request, net::ResponseWriter& response) {
  RunOptions run;
  EPI_ASSIGN(run.limit, LimitParameter(request));
  EPI_ASSIGN(run.spec.start, TimeParameter(request, "time", services.clock->NowMs()));
  run.spec.end = run.spec.start;
  EPI_TRY(ReadRunOptions(services, request, run));
  return RunQuery(services, request, run, response);
}

Result<void> ServeQueryRange(Services& services, const net::Request& request, net::ResponseWriter& response) {
  RunOptions run;
  EPI_ASSIGN(run.limit, LimitParameter(request));
  EPI_ASSIGN(run.spec.start, RequiredTime(request, "start"));
  EPI_ASSIGN(run.spec.end, RequiredTime(request, "end"));
  if (run.spec.end < run.spec.start)
    return Fail(InvalidParameter("end", Error(ErrorCode::kInvalid, "end timestamp must not be before start time")));
  EPI_ASSIGN(const int64_t step_ns, RequiredDuration(request, "step"));
  run.spec.step_ms = step_ns / kMsNs;
  // A step below a millisecond is one that evaluation cannot make either.
  if (step_ns <= 0 || run.spec.step_ms == 0) {
    return Fail(InvalidParameter("step", Error(ErrorCode::kInvalid,
                                               "zero or negative query resolution step widths are not accepted. Try a "
                                               "positive integer")));
  }
  const auto span_ns = (static_cast<__int128>(run.spec.end) - run.spec.start) * kMsNs;
  if (std::min<__int128>(span_ns, INT64_MAX) / step_ns > kMaxPointsPerSeries) {
    return Fail(ErrorCode::kInvalid,
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
                "(?step=XX)");
  }
  EPI_TRY(ReadRunOptions(services, request, run));
  return RunQuery(services, request, run, response);
}

Result<void> ServeQueryExemplars(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  if (range.max < range.min) return Fail(ErrorCode::kInvalid, "end timestamp must not be before start timestamp");
  EPI_ASSIGN(const auto expr, promql::ParseExpr(request.FormValue("query"), services.parse_options));
  const auto selectors = promql::ExtractSelectors(*expr);
  if (selectors.empty()) return NoContent(response);
  const auto view = OpenView(services.storage, request, range);
  if (!view) return Fail(ExecutionError(view.error()));
  const auto found = (*view)->Exemplars(selectors, range);
  if (!found) return Fail(ExecutionError(found.error()));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  for (const auto& series : *found) {
    json.BeginObject();
    json.Key("seriesLabels");
    json.LabelSet(series.labels);
    json.Key("exemplars");
    json.BeginArray();
    for (const auto& exemplar : series.exemplars) {
      if (!json.Drain()) break;
      json.BeginObject();
      json.Key("labels");
      json.LabelSet(exemplar.labels);
      json.Key("value");
      json.SampleValue(exemplar.value);
      json.Key("timestamp");
      json.SampleTime(exemplar.time);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  return answer.Finish();
}

Result<void> ServeFormatQuery(Services& services, const net::Request& request, net::ResponseWriter& response) {
  const auto expr = promql::ParseExpr(request.FormValue("query"), services.parse_options);
  if (!expr) return Fail(InvalidParameter("query", expr.error()));
  EPI_ASSIGN(const std::string text, promql::ToPrettyString(**expr));
  ApiAnswer answer(response);
  answer.json().String(text);
  return answer.Finish();
}

Result<void> ServeParseQuery(Services& services, const net::Request& request, net::ResponseWriter& response) {
  const auto expr = promql::ParseExpr(request.FormValue("query"), services.parse_options);
  if (!expr) return Fail(InvalidParameter("query", expr.error()));
  ApiAnswer answer(response);
  answer.json().Raw(promql::ToAstJson(**expr));
  return answer.Finish();
}

}  // namespace epi::web
