#include <algorithm>

#include "base/escaping.h"
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

// The text of a range's times. Series after series asks for nearly the same ones in the same order, so each is made
// once.
class StepTexts {
 public:
  // `position` is the point's place in its series. Valid until the next call.
  std::string_view Of(size_t position, TimestampMs time) {
    if (position >= texts_.size()) texts_.resize(position + 1);
    Text& at = texts_[position];
    if (at.text.empty() || at.time != time) {
      at.time = time;
      at.text.clear();
      AppendJsonSampleTime(at.text, time);
    }
    return at.text;
  }

 private:
  struct Text {
    TimestampMs time = 0;
    std::string text;
  };
  std::vector<Text> texts_;
};

void WriteFloats(JsonWriter& json, const std::vector<promql::FloatPoint>& points, StepTexts& times) {
  if (points.empty()) return;
  json.Key("values");
  json.BeginArray();
  for (size_t i = 0; i < points.size() && json.Drain(); ++i) {
    json.Sample(times.Of(i, points[i].t), points[i].v);
  }
  json.EndArray();
}

void WriteHistograms(JsonWriter& json, const std::vector<promql::HistogramValue>& points) {
  if (points.empty()) return;
  json.Key("histograms");
  json.BeginArray();
  for (size_t i = 0; i < points.size() && json.Drain(); ++i) {
    json.BeginArray();
    json.SampleTime(points[i].t);
    json.Histogram(*points[i].h);
    json.EndArray();
  }
  json.EndArray();
}

void WriteMatrix(JsonWriter& json, const promql::MatrixValue& matrix, size_t limit) {
  json.BeginArray();
  StepTexts times;
  const size_t count = limit == 0 ? matrix.size() : std::min(limit, matrix.size());
  for (size_t i = 0; i < count && json.Drain(); ++i) {
    const auto& series = matrix[i];
    json.BeginObject();
    json.Key("metric");
    json.LabelSet(series.labels);
    WriteFloats(json, series.floats, times);
    WriteHistograms(json, series.histograms);
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
    json.Number(static_cast<double>(time) / 1000);
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

promql::QueryOrigin OriginOf(const net::Request& request) {
  promql::QueryOrigin origin;
  origin.client = request.remote_address.substr(0, request.remote_address.rfind(':'));
  if (origin.client.starts_with('[') && origin.client.ends_with(']')) {
    origin.client = origin.client.substr(1, origin.client.size() - 2);
  }
  origin.method = net::MethodName(request.method);
  origin.path = request.path;
  return origin;
}

Result<void> RunQuery(const Services& services, const net::Request& request, const RunOptions& run,
                      net::ResponseWriter& response) {
  if (services.engine == nullptr || services.storage == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  EPI_ASSIGN(const auto visible, RequestStorage::For(services.storage, request));
  const auto parsed = services.engine->Parse(run.spec.text);
  if (!parsed) return Fail(InvalidParameter("query", parsed.error()));
  if (run.no_time) return Fail(ErrorCode::kTimeout, "query timed out in query queue");
  const promql::QueryOrigin origin = OriginOf(request);
  promql::QueryContext context;
  context.stop = request.stop;
  context.timeout_ms = run.timeout_ms;
  context.origin = &origin;
  // However many parts the cache has it evaluate, it is one query in the log.
  context.logged = false;
  auto result = MayUseCache(services, request, run.spec)
                    ? services.range_cache->Run(**parsed, run.spec, visible.get(), context, ScopeText(request))
                    : services.engine->Run(**parsed, run.spec, visible.get(), context);
  services.engine->Log(run.spec, result, &origin);
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

namespace {

Result<RunOptions> InstantOptions(const Services& services, const net::Request& request) {
  RunOptions run;
  EPI_ASSIGN(run.limit, LimitParameter(request));
  EPI_ASSIGN(run.spec.start, TimeParameter(request, "time", services.clock->NowMs()));
  run.spec.end = run.spec.start;
  EPI_TRY(ReadRunOptions(services, request, run));
  return run;
}

Result<RunOptions> RangeOptions(const Services& services, const net::Request& request) {
  RunOptions run;
  EPI_ASSIGN(run.limit, LimitParameter(request));
  EPI_ASSIGN(run.spec.start, RequiredTime(request, "start"));
  EPI_ASSIGN(run.spec.end, RequiredTime(request, "end"));
  if (run.spec.end < run.spec.start)
    return Fail(InvalidParameter("end", Error(ErrorCode::kInvalid, "end timestamp must not be before start time")));
  EPI_ASSIGN(const int64_t step_ns, RequiredDuration(request, "step"));
  run.spec.step_ms = step_ns / kMsNs;
  const auto refused = [] {
    return Fail(InvalidParameter("step", Error(ErrorCode::kInvalid,
                                               "zero or negative query resolution step widths are not accepted. Try a "
                                               "positive integer")));
  };
  if (step_ns <= 0) return refused();
  const auto span_ns = (static_cast<__int128>(run.spec.end) - run.spec.start) * kMsNs;
  if (std::min<__int128>(span_ns, INT64_MAX) / step_ns > kMaxPointsPerSeries) {
    return Fail(ErrorCode::kInvalid,
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
                "(?step=XX)");
  }
  if (run.spec.step_ms == 0) return refused();  // below a millisecond, which evaluation cannot make
  EPI_TRY(ReadRunOptions(services, request, run));
  return run;
}

void WriteCounts(JsonWriter& json, std::string_view key, int64_t series, int64_t samples, int64_t bytes) {
  json.Key(key);
  json.BeginObject();
  json.Key("series");
  json.Integer(series);
  json.Key("samples");
  json.Integer(samples);
  json.Key("bytes");
  json.Integer(bytes);
}

// The operator at `at` and, nested in it, those below; `at` moves behind them.
void WriteOperators(JsonWriter& json, const promql::QueryProfile& profile, size_t& at) {
  const promql::OperatorProfile& op = profile.operators[at];
  json.BeginObject();
  json.Key("operator");
  json.String(op.description);
  json.Key("steps");
  json.Integer(op.steps);
  json.Key("shared");
  json.Bool(op.shared);
  if (op.estimated_series >= 0) {
    WriteCounts(json, "estimated", op.estimated_series, op.estimated_samples, op.estimated_bytes);
    json.EndObject();
  }
  if (profile.run) {
    WriteCounts(json, "actual", op.actual.series, op.actual.samples, op.actual.bytes);
    json.Key("samplesDecoded");
    json.Integer(op.actual.decoded);
    json.Key("seconds");
    json.Number(static_cast<double>(op.actual.spent) / 1e9);
    json.EndObject();
  }
  json.Key("inputs");
  json.BeginArray();
  ++at;
  while (at < profile.operators.size() && profile.operators[at].depth > op.depth) WriteOperators(json, profile, at);
  json.EndArray();
  json.EndObject();
}

void WriteProfile(JsonWriter& json, const promql::QueryProfile& profile) {
  json.Key("plan");
  json.String(profile.plan);
  json.Key("passes");
  json.BeginObject();
  for (const auto& pass : profile.passes) {
    json.Key(pass.name);
    json.Integer(static_cast<int64_t>(pass.changes));
  }
  json.EndObject();
  json.Key("operators");
  json.BeginArray();
  for (size_t at = 0; at < profile.operators.size();) WriteOperators(json, profile, at);
  json.EndArray();
}

}  // namespace

Result<void> ServeQuery(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const RunOptions run, InstantOptions(services, request));
  return RunQuery(services, request, run, response);
}

Result<void> ServeQueryRange(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const RunOptions run, RangeOptions(services, request));
  return RunQuery(services, request, run, response);
}

Result<void> ServeQueryExplain(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (services.engine == nullptr || services.storage == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  EPI_ASSIGN(const auto visible, RequestStorage::For(services.storage, request));
  const bool range = !request.FormValue("step").empty();
  EPI_ASSIGN(RunOptions run, range ? RangeOptions(services, request) : InstantOptions(services, request));
  promql::QueryProfile profile;
  if (const auto wanted = request.FormValue("run"); !wanted.empty()) {
    const auto parsed = ParseGoBool(wanted);
    if (!parsed) return Fail(InvalidParameter("run", parsed.error()));
    profile.run = *parsed;
  }
  const auto parsed = services.engine->Parse(run.spec.text);
  if (!parsed) return Fail(InvalidParameter("query", parsed.error()));
  if (run.no_time) return Fail(ErrorCode::kTimeout, "query timed out in query queue");
  const promql::QueryOrigin origin = OriginOf(request);
  promql::QueryContext context;
  context.stop = request.stop;
  context.timeout_ms = run.timeout_ms;
  context.origin = &origin;
  context.profile = &profile;
  const auto result = services.engine->Run(**parsed, run.spec, visible.get(), context);
  if (!result) {
    if (result.error().code() == ErrorCode::kInvalid) return Fail(InvalidParameter("query", result.error()));
    return Fail(ExecutionError(result.error()));
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("query");
  json.String((*parsed)->text());
  json.Key("peakBytes");
  json.Integer(result->stats.peak_bytes);
  WriteProfile(json, profile);
  WriteStats(json, result->stats);
  json.EndObject();
  return answer.Finish(result->warnings, result->infos);
}

Result<void> ServeActiveQueries(Services& services, const net::Request&, net::ResponseWriter& response) {
  if (services.engine == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const auto queries = services.engine->active().List();
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  for (const auto& query : queries) {
    json.BeginObject();
    json.Key("id");
    json.PlainString(std::to_string(query.id));
    json.Key("query");
    json.String(query.text);
    json.Key("state");
    json.String(query.running ? "running" : "waiting");
    json.Key("share");
    json.String(query.of_rule ? "rules" : "requests");
    json.Key("start");
    json.SampleTime(query.start);
    json.Key("end");
    json.SampleTime(query.end);
    json.Key("step");
    json.Number(static_cast<double>(query.step_ms) / 1000);
    json.Key("since");
    json.SampleTime(query.since);
    json.Key("seconds");
    json.Number(query.seconds);
    json.Key("bytes");
    json.Integer(query.bytes);
    json.Key("peakBytes");
    json.Integer(query.peak_bytes);
    if (!query.origin.path.empty()) {
      json.Key("client");
      json.String(query.origin.client);
      json.Key("path");
      json.String(query.origin.path);
    }
    if (!query.origin.rule_group.empty()) {
      json.Key("ruleGroup");
      json.String(query.origin.rule_group);
    }
    json.EndObject();
  }
  json.EndArray();
  return answer.Finish();
}

Result<void> ServeStopQuery(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (services.engine == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const std::string_view text = request.PathParam("id");
  const auto id = ParseGoInteger(text);
  if (!id || *id <= 0) return Fail(ErrorCode::kInvalid, "the id of a query is a positive number");
  if (!services.engine->active().Stop(static_cast<uint64_t>(*id))) {
    return Fail(ErrorCode::kNotFound, "no query with id " + std::string(text) + " is running");
  }
  return NoContent(response);
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
