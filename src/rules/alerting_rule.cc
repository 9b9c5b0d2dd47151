#include "rules/alerting_rule.h"

#include <algorithm>
#include <unordered_set>

namespace epi::rules {
namespace {

// How long resolved alerts are remembered, so that their resolution is sent again and again until it must have arrived.
constexpr int64_t kResolvedRetentionMs = 15 * 60 * 1000;

// Samples as templates' query() wants them.
Result<std::vector<TemplateSample>> QueryForTemplate(const RuleContext& context, const std::string& text) {
  EPI_ASSIGN(const auto query, context.querier->Parse(text));
  EPI_ASSIGN(promql::VectorValue vector, context.querier->Evaluate(*query, context.time));
  std::vector<TemplateSample> out;
  for (promql::VectorSample& sample : vector) out.push_back({std::move(sample.labels), sample.v, std::move(sample.h)});
  return out;
}

}  // namespace

std::string_view AlertStateName(AlertState state) {
  switch (state) {
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
    case AlertState::kInactive:
      break;
  }
  return "inactive";
}

bool Alert::NeedsSending(TimestampMs now, int64_t resend_delay_ms) const {
  if (state == AlertState::kPending) return false;
  if (resolved_at && (!last_sent_at || *resolved_at > *last_sent_at)) return true;
  return !last_sent_at || *last_sent_at + resend_delay_ms < now;
}

AlertingRule::AlertingRule(const RuleSpec& spec, Labels labels, std::shared_ptr<const promql::ParsedQuery> query,
                           bool restored, TemplateCounters counters)
    : Rule(spec.alert, std::move(labels), std::move(query)),
      hold_ms_(spec.for_ms),
      keep_firing_ms_(spec.keep_firing_for_ms),
      annotations_(ToLabels(spec.annotations)),
      counters_(counters),
      restored_(restored) {}

Result<std::vector<AlertingRule::Text>> AlertingRule::Compile(const std::string& alert, const Labels& texts) {
  std::vector<Text> out;
  for (const LabelView& label : texts) {
    const bool plain = label.value.find("{{") == std::string_view::npos;
    std::string source(plain ? "" : kAlertTemplatePrefix);
    source += label.value;
    EPI_ASSIGN(auto text, Template::Parse("__alert_" + alert, std::move(source)));
    out.push_back({std::string(label.name), std::move(text)});
  }
  return out;
}

Result<std::unique_ptr<AlertingRule>> AlertingRule::Make(const RuleSpec& spec, Labels labels,
                                                         std::shared_ptr<const promql::ParsedQuery> query,
                                                         bool restored, TemplateCounters counters) {
  std::unique_ptr<AlertingRule> out(new AlertingRule(spec, std::move(labels), std::move(query), restored, counters));
  EPI_ASSIGN(out->label_texts_, Compile(spec.alert, out->labels()));
  EPI_ASSIGN(out->annotation_texts_, Compile(spec.alert, out->annotations_));
  return out;
}

std::string AlertingRule::Expand(const Template& text, const TemplateValue& data,
                                 const TemplateEnvironment& environment, const RuleContext& context) const {
  if (counters_.expansions != nullptr) counters_.expansions->Increment();
  auto result = text.Expand(data, environment);
  if (result) return std::move(*result);
  if (counters_.failures != nullptr) counters_.failures->Increment();
  context.logger.Warn("Expanding alert template failed", {{"alert", name()}, {"err", result.error().message()}});
  return "<error expanding template: " + result.error().message() + ">";
}

// What the result says, before it is compared with what was. kExecution when labels collide.
Result<std::vector<Alert>> AlertingRule::NewAlerts(const RuleContext& context, promql::VectorValue vector) const {
  TemplateEnvironment environment;
  environment.now_ms = context.time;
  environment.external_url = context.external_url;
  environment.path_prefix = context.path_prefix;
  environment.query = [&context](const std::string& text) { return QueryForTemplate(context, text); };
  std::vector<Alert> out;
  out.reserve(vector.size());
  std::unordered_set<Labels> seen;
  LabelsBuilder builder;
  for (promql::VectorSample& sample : vector) {
    const TemplateValue data = AlertTemplateData(sample.labels, context.external_labels, context.external_url,
                                                 SampleValue(sample.v, sample.h));
    Alert alert;
    builder.Reset(sample.labels);
    builder.Del(kMetricName);
    for (const Text& label : label_texts_) builder.Set(label.name, Expand(*label.text, data, environment, context));
    builder.Set(kAlertNameLabel, name());
    alert.labels = builder.Build();
    builder.Reset();
    for (const Text& text : annotation_texts_) builder.Set(text.name, Expand(*text.text, data, environment, context));
    alert.annotations = builder.Build();
    alert.active_at = context.time;
    alert.value = sample.v;
    if (!seen.insert(alert.labels).second) {
      return Fail(ErrorCode::kExecution, "vector contains metrics with the same labelset after applying alert labels");
    }
    out.push_back(std::move(alert));
  }
  return out;
}

void AlertingRule::AppendSamples(const Alert& alert, TimestampMs t, std::vector<RuleSample>& out) const {
  LabelsBuilder builder(labels());
  for (const LabelView& label : alert.labels) builder.Set(label.name, label.value);
  builder.Set(kAlertNameLabel, name());
  builder.Set(kMetricName, kAlertForStateMetric);
  Labels for_state = builder.Build();
  builder.Set(kMetricName, kAlertMetric);
  builder.Set(kAlertStateLabel, AlertStateName(alert.state));
  out.push_back({builder.Build(), t, 1, nullptr});
  const int64_t seconds = alert.active_at >= 0 ? alert.active_at / 1000 : -((-alert.active_at + 999) / 1000);
  out.push_back({std::move(for_state), t, static_cast<double>(seconds), nullptr});
}

Result<std::vector<RuleSample>> AlertingRule::Evaluate(const RuleContext& context) {
  EPI_ASSIGN(promql::VectorValue vector, context.querier->Evaluate(query(), context.SampleTime()));
  EPI_ASSIGN(std::vector<Alert> present, NewAlerts(context, std::move(vector)));
  const TimestampMs now = context.time;
  const std::lock_guard lock(mutex_);
  std::unordered_set<Labels> present_labels;
  for (Alert& alert : present) {
    present_labels.insert(alert.labels);
    const auto known = alerts_.find(alert.labels);
    if (known != alerts_.end() && known->second.state != AlertState::kInactive) {
      known->second.value = alert.value;
      known->second.annotations = std::move(alert.annotations);
      continue;
    }
    const Labels labels = alert.labels;
    alerts_.insert_or_assign(labels, std::move(alert));
  }
  std::vector<RuleSample> out;
  int64_t active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    Alert& alert = it->second;
    if (!present_labels.contains(it->first)) {
      bool keep = false;
      if (alert.state == AlertState::kFiring && keep_firing_ms_ > 0) {
        if (!alert.keep_firing_since) alert.keep_firing_since = now;
        keep = now - *alert.keep_firing_since < keep_firing_ms_;
      }
      const bool forget =
          alert.state == AlertState::kPending || (alert.resolved_at && now - *alert.resolved_at > kResolvedRetentionMs);
      if (alert.state != AlertState::kInactive && !keep) {
        alert.state = AlertState::kInactive;
        alert.resolved_at = now;
      }
      if (!keep) {
        it = forget ? alerts_.erase(it) : std::next(it);
        continue;
      }
    } else {
      alert.keep_firing_since.reset();
      if (alert.state == AlertState::kFiring && now - alert.active_at < hold_ms_) {
        alert.state = AlertState::kPending;  // `for` was raised meanwhile
        alert.fired_at.reset();
      }
    }
    ++active;
    if (alert.state == AlertState::kPending && now - alert.active_at >= hold_ms_) {
      alert.state = AlertState::kFiring;
      alert.fired_at = now;
    }
    if (restored()) AppendSamples(alert, context.SampleTime(), out);
    ++it;
  }
  if (context.limit > 0 && active > context.limit) {
    alerts_.clear();
    return Fail(ErrorCode::kLimit,
                "exceeded limit of " + std::to_string(context.limit) + " with " + std::to_string(active) + " alerts");
  }
  return out;
}

std::vector<Alert> AlertingRule::TakeAlertsToSend(TimestampMs now, int64_t resend_delay_ms, int64_t valid_for_ms) {
  const std::lock_guard lock(mutex_);
  std::vector<Alert> out;
  for (auto& entry : alerts_) {
    Alert& alert = entry.second;
    if (!alert.NeedsSending(now, resend_delay_ms)) continue;
    alert.last_sent_at = now;
    alert.valid_until = now + valid_for_ms;
    out.push_back(alert);
  }
  return out;
}

AlertState AlertingRule::state() const {
  const std::lock_guard lock(mutex_);
  AlertState highest = AlertState::kInactive;
  for (const auto& entry : alerts_) highest = std::max(highest, entry.second.state);
  return highest;
}

std::vector<Alert> AlertingRule::ActiveAlerts() const {
  std::vector<Alert> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : alerts_) {
      if (entry.second.state != AlertState::kInactive) out.push_back(entry.second);
    }
  }
  std::sort(out.begin(), out.end(), [](const Alert& a, const Alert& b) { return a.labels < b.labels; });
  return out;
}

size_t AlertingRule::active_count() const {
  const std::lock_guard lock(mutex_);
  return alerts_.size();
}

void AlertingRule::ForEachAlert(const std::function<void(Alert&)>& visit) {
  const std::lock_guard lock(mutex_);
  for (auto& entry : alerts_) visit(entry.second);
}

void AlertingRule::CopyAlerts(const AlertingRule& from) {
  std::unordered_map<Labels, Alert> alerts;
  {
    const std::lock_guard lock(from.mutex_);
    alerts = from.alerts_;
  }
  const std::lock_guard lock(mutex_);
  for (auto& [labels, alert] : alerts) alerts_.insert_or_assign(labels, std::move(alert));
}

}  // namespace epi::rules
