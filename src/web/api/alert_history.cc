// /api/v1/alerts/history: why something did, or did not, fire.
#include "model/number_format.h"
#include "rules/journal/alert_journal.h"
#include "web/api/answer.h"
#include "web/api/parameters.h"
#include "web/api/rules_json.h"
#include "web/handlers.h"

namespace epi::web {
namespace {

constexpr size_t kDefaultHistoryLimit = 1000;
constexpr int64_t kHistoryNsPerMs = 1'000'000;

void WriteOptionalTime(JsonWriter& json, std::string_view key, const std::optional<TimestampMs>& time) {
  if (!time) return;
  json.Key(key);
  json.Time(*time * kHistoryNsPerMs);
}

void WriteDeliveries(JsonWriter& json, const std::vector<rules::DeliveryRecord>& deliveries) {
  json.BeginArray();
  for (const rules::DeliveryRecord& delivery : deliveries) {
    json.BeginObject();
    json.Key("time");
    json.Time(delivery.time * kHistoryNsPerMs);
    json.Key("alertmanager");
    json.String(delivery.alertmanager);
    json.Key("status");
    json.String(delivery.resolved ? "resolved" : "firing");
    json.Key("accepted");
    json.Bool(delivery.error.empty());
    if (!delivery.error.empty()) {
      json.Key("error");
      json.String(delivery.error);
    }
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

void WriteAlertEvent(JsonWriter& json, const rules::AlertEvent& event) {
  const rules::Alert& alert = event.alert;
  json.Key("time");
  json.Time(event.time * kHistoryNsPerMs);
  json.Key("event");
  json.String(AlertEventKindName(event.kind));
  if (alert.rule != nullptr) {
    json.Key("ruleGroup");
    json.String(alert.rule->group);
    json.Key("rule");
    json.String(alert.rule->name);
  }
  if (!event.detail.empty()) {
    json.Key("detail");
    json.String(event.detail);
  }
  if (alert.labels.empty()) return;  // about the rule
  json.Key("labels");
  json.LabelSet(alert.labels);
  json.Key("annotations");
  WriteConfiguredLabels(json, alert.annotations);
  json.Key("state");
  json.String(AlertStateName(alert.state));
  json.Key("value");
  json.String(FormatFloatExponent(alert.value));
  json.Key("activeAt");
  json.Time(alert.active_at * kHistoryNsPerMs);
  WriteOptionalTime(json, "firedAt", alert.fired_at);
  WriteOptionalTime(json, "keepFiringSince", alert.keep_firing_since);
  WriteOptionalTime(json, "resolvedAt", alert.resolved_at);
}

Result<void> ServeAlertHistory(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (services.alert_history == nullptr) return Fail(ErrorCode::kUnavailable, "alert history is not kept");
  rules::HistoryQuery query;
  EPI_ASSIGN(const TimeRange range, RangeParameters(request));
  query.start = range.min;
  query.end = range.max;
  query.rule = request.QueryValue("rule_name");
  query.group = request.QueryValue("rule_group");
  EPI_ASSIGN(query.label_sets, MatcherSets(request, services.parse_options));
  EPI_ASSIGN(const size_t limit, LimitParameter(request));
  query.limit = limit == 0 ? kDefaultHistoryLimit : limit;
  const auto entries = services.alert_history->History(query);
  if (!entries) return Fail(InternalError(entries.error()));
  ApiAnswer answer(response);
  JsonWriter& json = answer.json();
  json.BeginObject();
  json.Key("events");
  json.BeginArray();
  for (const rules::HistoryEntry& entry : *entries) {
    json.BeginObject();
    WriteAlertEvent(json, entry.event);
    json.Key("notifications");
    WriteDeliveries(json, entry.deliveries);
    json.EndObject();
    if (!json.Drain()) break;
  }
  json.EndArray();
  json.EndObject();
  return answer.Finish();
}

}  // namespace epi::web
