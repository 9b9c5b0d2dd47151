#include "web/api/rules_json.h"

#include "model/number_format.h"

namespace epi::web {
namespace {

void WriteAlert(JsonWriter& json, const AlertStatus& alert) {
  json.BeginObject();
  json.Key("labels");
  json.LabelSet(alert.labels);
  json.Key("annotations");
  WriteConfiguredLabels(json, alert.annotations);
  json.Key("state");
  json.String(alert.state);
  json.Key("activeAt");
  json.Time(alert.active_at_ns);
  if (alert.keep_firing_since_ns) {
    json.Key("keepFiringSince");
    json.Time(*alert.keep_firing_since_ns);
  }
  json.Key("value");
  json.String(FormatFloatExponent(alert.value));
  json.EndObject();
}

// What both kinds of rules end with.
void WriteRuleTail(JsonWriter& json, const RuleStatus& rule) {
  json.Key("health");
  json.String(rule.health);
  if (!rule.last_error.empty()) {
    json.Key("lastError");
    json.String(rule.last_error);
  }
  json.Key("evaluationTime");
  json.Number(rule.evaluation_seconds);
  json.Key("lastEvaluation");
  json.Time(rule.last_evaluation_ns);
  json.Key("type");
  json.String(rule.alerting ? "alerting" : "recording");
}

void WriteRule(JsonWriter& json, const RuleStatus& rule, bool with_alerts) {
  json.BeginObject();
  if (rule.alerting) {
    json.Key("state");
    json.String(rule.state);
  }
  json.Key("name");
  json.String(rule.name);
  json.Key("query");
  json.String(rule.query);
  if (rule.alerting) {
    json.Key("duration");
    json.Number(rule.duration_seconds);
    json.Key("keepFiringFor");
    json.Number(rule.keep_firing_for_seconds);
  }
  json.Key("labels");
  WriteConfiguredLabels(json, rule.labels);
  if (rule.alerting) {
    json.Key("annotations");
    WriteConfiguredLabels(json, rule.annotations);
    json.Key("alerts");
    if (with_alerts) {
      json.BeginArray();
      WriteAlerts(json, rule.alerts);
      json.EndArray();
    } else {
      json.Null();
    }
  }
  WriteRuleTail(json, rule);
  json.EndObject();
}

}  // namespace

void WriteConfiguredLabels(JsonWriter& json, const ConfiguredLabels& labels) {
  json.BeginObject();
  for (const auto& [name, value] : labels) {
    json.DataKey(name);
    json.PlainString(value);
  }
  json.EndObject();
}

void WriteAlerts(JsonWriter& json, const std::vector<AlertStatus>& alerts) {
  for (const auto& alert : alerts) {
    WriteAlert(json, alert);
    if (!json.Drain()) return;
  }
}

void WriteRuleGroup(JsonWriter& json, const RuleGroupStatus& group, bool with_alerts) {
  json.BeginObject();
  json.Key("name");
  json.String(group.name);
  json.Key("file");
  json.String(group.file);
  json.Key("rules");
  json.BeginArray();
  for (const auto& rule : group.rules) {
    WriteRule(json, rule, with_alerts);
    if (!json.Drain()) break;
  }
  json.EndArray();
  json.Key("interval");
  json.Number(group.interval_seconds);
  json.Key("limit");
  json.Integer(group.limit);
  json.Key("evaluationTime");
  json.Number(group.evaluation_seconds);
  json.Key("lastEvaluation");
  json.Time(group.last_evaluation_ns);
  json.EndObject();
}

}  // namespace epi::web
