#include <algorithm>
#include <cmath>

#include "model/anchored_regex.h"
#include "model/number_format.h"
#include "telemetry/exposition.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

Result<void> WriteYaml(std::string_view yaml, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  answer.json().BeginObject();
  answer.json().Key("yaml");
  answer.json().String(yaml);
  answer.json().EndObject();
  return answer.Finish();
}

void WriteCounts(JsonWriter& json, std::string_view key, const NamedCounts& counts) {
  json.Key(key);
  json.BeginArray();
  for (const auto& [name, count] : counts) {
    json.BeginObject();
    json.Key("name");
    json.String(name);
    json.Key("value");
    json.Unsigned(count);
    json.EndObject();
    if (!json.Drain()) break;
  }
  json.EndArray();
}

void WriteNotification(JsonWriter& json, const Notification& notification) {
  json.BeginObject();
  json.Key("text");
  json.String(notification.text);
  json.Key("date");
  json.Time(notification.date_ns);
  json.Key("active");
  json.Bool(notification.active);
  json.EndObject();
}

// ---- Metric families as protojson prints them: 64-bit integers as strings, special floats by name. ----

void WriteProtoDouble(JsonWriter& json, std::string_view key, double value) {
  json.Key(key);
  if (std::isnan(value)) return json.String("NaN");
  if (std::isinf(value)) return json.String(value > 0 ? "Infinity" : "-Infinity");
  json.Number(value);
}

void WriteProtoInteger(JsonWriter& json, std::string_view key, uint64_t value) {
  json.Key(key);
  json.String(std::to_string(value));
}

void WriteSummary(JsonWriter& json, const MetricPoint& point) {
  json.Key("summary");
  json.BeginObject();
  WriteProtoInteger(json, "sampleCount", point.sample_count);
  WriteProtoDouble(json, "sampleSum", point.sample_sum);
  if (!point.quantiles.empty()) {
    json.Key("quantile");
    json.BeginArray();
    for (const auto& [quantile, value] : point.quantiles) {
      json.BeginObject();
      WriteProtoDouble(json, "quantile", quantile);
      WriteProtoDouble(json, "value", value);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
}

void WriteBuckets(JsonWriter& json, const std::vector<MetricBucket>& buckets) {
  json.Key("bucket");
  json.BeginArray();
  for (const auto& bucket : buckets) {
    if (std::isinf(bucket.upper_bound)) continue;  // implied by the count
    json.BeginObject();
    WriteProtoInteger(json, "cumulativeCount", bucket.cumulative_count);
    WriteProtoDouble(json, "upperBound", bucket.upper_bound);
    json.EndObject();
  }
  json.EndArray();
}

// One side of native buckets; absent when it is empty.
void WriteNativeSide(JsonWriter& json, const std::string& side, const std::vector<MetricSpan>& spans,
                     const std::vector<int64_t>& deltas) {
  if (spans.empty()) return;
  json.Key(side + "Span");
  json.BeginArray();
  for (const auto& span : spans) {
    json.BeginObject();
    json.Key("offset");
    json.Integer(span.offset);
    json.Key("length");
    json.Unsigned(span.length);
    json.EndObject();
  }
  json.EndArray();
  json.Key(side + "Delta");
  json.BeginArray();
  for (const int64_t delta : deltas) json.String(std::to_string(delta));
  json.EndArray();
}

void WriteHistogram(JsonWriter& json, const MetricHistogram& histogram) {
  json.Key("histogram");
  json.BeginObject();
  WriteProtoInteger(json, "sampleCount", histogram.sample_count);
  WriteProtoDouble(json, "sampleSum", histogram.sample_sum);
  const bool classic = std::any_of(histogram.buckets.begin(), histogram.buckets.end(),
                                   [](const MetricBucket& bucket) { return std::isfinite(bucket.upper_bound); });
  if (classic) WriteBuckets(json, histogram.buckets);
  if (histogram.native) {
    json.Key("schema");
    json.Integer(histogram.schema);
    WriteProtoDouble(json, "zeroThreshold", histogram.zero_threshold);
    WriteProtoInteger(json, "zeroCount", histogram.zero_count);
    WriteNativeSide(json, "negative", histogram.negative_spans, histogram.negative_deltas);
    WriteNativeSide(json, "positive", histogram.positive_spans, histogram.positive_deltas);
  }
  json.EndObject();
}

void WritePoint(JsonWriter& json, ExposedType type, const MetricPoint& point) {
  json.BeginObject();
  if (!point.labels.empty()) {
    json.Key("label");
    json.BeginArray();
    for (const auto& [name, value] : point.labels) {
      json.BeginObject();
      json.Key("name");
      json.String(name);
      json.Key("value");
      json.String(value);
      json.EndObject();
    }
    json.EndArray();
  }
  switch (type) {
    case ExposedType::kSummary:
      WriteSummary(json, point);
      break;
    case ExposedType::kHistogram:
    case ExposedType::kGaugeHistogram:
      WriteHistogram(json, point.histogram);
      break;
    default:
      json.Key(type == ExposedType::kCounter ? "counter" : type == ExposedType::kGauge ? "gauge" : "untyped");
      json.BeginObject();
      WriteProtoDouble(json, "value", point.value);
      json.EndObject();
  }
  json.EndObject();
}

void WriteFamily(JsonWriter& json, const MetricFamily& family) {
  static constexpr std::string_view kTypes[] = {"COUNTER", "GAUGE",     "SUMMARY",
                                                "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"};
  json.BeginObject();
  json.Key("name");
  json.String(family.name);
  json.Key("help");
  json.String(family.help);
  json.Key("type");
  json.String(kTypes[static_cast<unsigned>(family.type)]);
  json.Key("metric");
  json.BeginArray();
  for (const auto& point : family.points) {
    WritePoint(json, family.type, point);
    if (!json.Drain()) break;
  }
  json.EndArray();
  json.EndObject();
}

}  // namespace

Result<void> ServeConfig(Services& services, const net::Request&, net::ResponseWriter& response) {
  return WriteYaml(services.config_yaml ? services.config_yaml() : "", response);
}

Result<void> ServeRuntimeInfo(Services& services, const net::Request&, net::ResponseWriter& response) {
  const RuntimeInfo info = services.runtime_info ? services.runtime_info() : RuntimeInfo();
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("startTime");
  json.Time(info.start_time_ns);
  json.Key("CWD");
  json.String(info.working_directory);
  json.Key("hostname");
  json.String(info.hostname);
  json.Key("serverTime");
  json.Time(services.clock->NowNs());
  json.Key("reloadConfigSuccess");
  json.Bool(info.reload_config_success);
  json.Key("lastConfigTime");
  json.Time(info.last_config_time_ns);
  json.Key("corruptionCount");
  json.Integer(info.corruption_count);
  json.Key("goroutineCount");
  json.Integer(info.threads);
  json.Key("GOMAXPROCS");
  json.Integer(info.max_threads);
  json.Key("GOMEMLIMIT");
  json.Integer(info.memory_limit);
  json.Key("GOGC");
  json.String(info.gogc);
  json.Key("GODEBUG");
  json.String(info.godebug);
  json.Key("storageRetention");
  json.String(info.storage_retention);
  json.EndObject();
  return answer.Finish();
}

void WriteBuildInfo(JsonWriter& json, const BuildInfo& build) {
  const std::pair<std::string_view, const std::string&> rows[] = {
      {"version", build.version},      {"revision", build.revision},    {"branch", build.branch},
      {"buildUser", build.build_user}, {"buildDate", build.build_date}, {"goVersion", build.go_version}};
  json.BeginObject();
  for (const auto& [key, value] : rows) {
    json.Key(key);
    json.String(value);
  }
  json.EndObject();
}

Result<void> ServeBuildInfo(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  WriteBuildInfo(answer.json(), services.build);
  return answer.Finish();
}

Result<void> ServeVersion(Services& services, const net::Request&, net::ResponseWriter& response) {
  JsonWriter json([&](std::string_view bytes) { return response.Write(bytes); });
  WriteBuildInfo(json, services.build);
  EPI_TRY(json.Finish());
  return response.Write("\n");
}

Result<void> ServeFlags(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  for (const auto& [flag, value] : services.flags) {
    json.DataKey(flag);
    json.String(value);
  }
  json.EndObject();
  return answer.Finish();
}

// Rows of each list.
Result<size_t> ListLimit(const net::Request& request) {
  constexpr int64_t kDefaultLimit = 10, kMaxLimit = 10'000;
  const auto text = request.FormValue("limit");
  if (text.empty()) return kDefaultLimit;
  const auto number = ParseGoInteger(text);
  if (!number || *number < 1) return Fail(ErrorCode::kInvalid, "limit must be a positive number");
  if (*number > kMaxLimit) return Fail(ErrorCode::kInvalid, "limit must not exceed " + std::to_string(kMaxLimit));
  return static_cast<size_t>(*number);
}

Result<void> ServeTsdbStatus(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const size_t limit, ListLimit(request));
  if (services.database == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const auto status = services.database->Status(limit);
  if (!status) return Fail(InternalError(status.error()));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("headStats");
  json.BeginObject();
  json.Key("numSeries");
  json.Unsigned(status->series);
  json.Key("numLabelPairs");
  json.Unsigned(status->label_pairs);
  json.Key("chunkCount");
  json.Unsigned(status->chunks);
  json.Key("minTime");
  json.Integer(status->min_time);
  json.Key("maxTime");
  json.Integer(status->max_time);
  json.EndObject();
  WriteCounts(json, "seriesCountByMetricName", status->series_by_metric);
  WriteCounts(json, "labelValueCountByLabelName", status->values_by_label);
  WriteCounts(json, "memoryInBytesByLabelName", status->bytes_by_label);
  WriteCounts(json, "seriesCountByLabelValuePair", status->series_by_pair);
  json.EndObject();
  return answer.Finish();
}

void WriteCosts(JsonWriter& json, std::string_view key, std::string_view count_key,
                const std::vector<NamedCost>& costs) {
  json.Key(key);
  json.BeginArray();
  for (const auto& cost : costs) {
    json.BeginObject();
    json.Key("name");
    json.String(cost.name);
    json.Key(count_key);
    json.Unsigned(cost.count);
    json.Key("memoryInBytes");
    json.Unsigned(cost.memory_bytes);
    json.Key("diskInBytes");
    json.Unsigned(cost.disk_bytes);
    json.EndObject();
  }
  json.EndArray();
}

Result<void> ServeTsdbCost(Services& services, const net::Request& request, net::ResponseWriter& response) {
  EPI_ASSIGN(const size_t limit, ListLimit(request));
  if (services.database == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const auto cost = services.database->Cost(limit);
  if (!cost) return Fail(InternalError(cost.error()));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  WriteCosts(json, "costByMetricName", "seriesCount", cost->metrics);
  WriteCosts(json, "costByLabelName", "valueCount", cost->labels);
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeTsdbBlocks(Services& services, const net::Request&, net::ResponseWriter& response) {
  if (services.database == nullptr) return Fail(ErrorCode::kUnavailable, "TSDB not ready");
  const auto blocks = services.database->BlockMetas();
  if (!blocks) return Fail(InternalError(blocks.error().WithContext("error getting block metadata")));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("blocks");
  json.BeginArray();
  for (const auto& block : *blocks) json.Raw(block);
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeWalReplay(Services& services, const net::Request&, net::ResponseWriter& response) {
  const ReplayProgress progress = services.database == nullptr ? ReplayProgress() : services.database->Replay();
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("min");
  json.Integer(progress.min);
  json.Key("max");
  json.Integer(progress.max);
  json.Key("current");
  json.Integer(progress.current);
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeFeatures(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  for (const auto& [category, features] : services.features) {
    json.DataKey(category);
    json.BeginObject();
    for (const auto& [feature, on] : features) {
      json.DataKey(feature);
      json.Bool(on);
    }
    json.EndObject();
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> ServeSelfMetrics(Services& services, const net::Request& request, net::ResponseWriter& response) {
  std::shared_ptr<const AnchoredRegex> pattern;
  if (const auto text = request.FormValue("metric_name_pattern"); !text.empty()) {
    auto compiled = AnchoredRegex::Compile(text, AnchoredRegex::Form::kWrapped);
    if (!compiled) return Fail(ErrorCode::kInvalid, "invalid metric_name_pattern: " + compiled.error().message());
    pattern = std::move(*compiled);
  }
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  for (const auto& family : services.metrics->Collect())
    if (!pattern || pattern->Matches(family.name)) WriteFamily(json, family);
  json.EndArray();
  return answer.Finish();
}

Result<void> ServeNotifications(Services& services, const net::Request&, net::ResponseWriter& response) {
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginArray();
  if (services.notifications != nullptr)
    for (const auto& notification : services.notifications->Current()) WriteNotification(json, notification);
  json.EndArray();
  return answer.Finish();
}

Result<void> ServeNotificationsLive(Services& services, const net::Request& request, net::ResponseWriter& response) {
  response.headers().Set("Content-Type", "text/event-stream");
  response.headers().Set("Cache-Control", "no-cache");
  const auto subscription = services.notifications == nullptr ? nullptr : services.notifications->Subscribe();
  if (subscription == nullptr) return NoContent(response);
  EPI_TRY(response.Flush());
  constexpr MonotonicNs kWait = MonotonicNs{3600} * 1'000'000'000;
  while (!request.stop.stop_requested()) {
    const auto notification = subscription->Next(request.stop, services.clock->Monotonic() + kWait);
    if (!notification) continue;
    JsonWriter json([&](std::string_view bytes) { return response.Write(bytes); });
    EPI_TRY(response.Write("data: "));
    WriteNotification(json, *notification);
    EPI_TRY(json.Finish());
    EPI_TRY(response.Write("\n\n"));
    EPI_TRY(response.Flush());
  }
  return {};
}

}  // namespace epi::web
