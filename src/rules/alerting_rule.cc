#include "rules/alerting_rule.h"

#include <algorithm>
#include <span>
#include <unordered_set>

#include "rules/template/go_format.h"

namespace epi::rules {
namespace {

// How long resolved alerts are remembered, so that their resolution is sent again and again until it must have arrived.
constexpr int64_t kResolvedRetentionMs = 15 * 60 * 1000;

// Samples as templates' query() wants them.
Result<std::vector<TemplateSample>> QueryForTemplate(const RuleContext& context, const std::string& text,
                                                     TimestampMs time) {
  EPI_ASSIGN(const auto query, context.querier->Parse(text));
  EPI_ASSIGN(promql::VectorValue vector, context.querier->Evaluate(*query, time, context.origin));
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

std::string_view AlertEventKindName(AlertEventKind kind) {
  switch (kind) {
    case AlertEventKind::kPending:
      return "pending";
    case AlertEventKind::kFiring:
      return "firing";
    case AlertEventKind::kResolved:
      return "resolved";
    case AlertEventKind::kCanceled:
      return "canceled";
    case AlertEventKind::kKeptFiring:
      return "kept_firing";
    case AlertEventKind::kMetAgain:
      return "met_again";
    case AlertEventKind::kBackToPending:
      return "back_to_pending";
    case AlertEventKind::kRestored:
      return "restored";
    case AlertEventKind::kForgotten:
      return "forgotten";
    case AlertEventKind::kRuleFailed:
      return "rule_failed";
    case AlertEventKind::kRuleRecovered:
      return "rule_recovered";
  }
  return "unknown";
}

AlertingRule::AlertingRule(const RuleSpec& spec, RuleLabels labels, std::shared_ptr<const promql::ParsedQuery> query,
                           bool restored, TemplateCounters counters)
    : Rule(spec.alert, std::move(labels), std::move(query)),
      hold_ms_(spec.for_ms),
      keep_firing_ms_(spec.keep_firing_for_ms),
      annotations_(spec.annotations),
      counters_(counters),
      restored_(restored) {}

Result<std::vector<AlertingRule::Text>> AlertingRule::Compile(const std::string& alert, const RuleLabels& texts) {
  std::vector<Text> out;
  for (const auto& [name, value] : texts) {
    const bool plain = value.find("{{") == std::string::npos;
    std::string source(plain ? "" : kAlertTemplatePrefix);
    source += value;
    EPI_ASSIGN(auto text, Template::Parse("__alert_" + alert, std::move(source)));
    out.push_back({name, std::move(text), plain, plain ? value : std::string()});
  }
  return out;
}

Result<std::unique_ptr<AlertingRule>> AlertingRule::Make(const RuleSpec& spec, RuleLabels labels,
                                                         std::shared_ptr<const promql::ParsedQuery> query,
                                                         bool restored, TemplateCounters counters) {
  std::unique_ptr<AlertingRule> out(new AlertingRule(spec, std::move(labels), std::move(query), restored, counters));
  EPI_ASSIGN(out->label_texts_, Compile(spec.alert, out->labels()));
  EPI_ASSIGN(out->annotation_texts_, Compile(spec.alert, out->annotations_));
  return out;
}

// Expands the templates of one element of the result. What templates see is put together when the first of them asks.
class AlertingRule::Renderer {
 public:
  Renderer(const AlertingRule& rule, const RuleContext& context, TimestampMs time, const promql::VectorSample& sample)
      : rule_(rule), context_(context), time_(time), sample_(sample) {}

  std::string Expand(const Text& text) {
    if (rule_.counters_.expansions != nullptr) rule_.counters_.expansions->Increment();
    if (text.plain) return text.plain_text;
    if (!data_) Prepare();
    auto result = text.text->Expand(*data_, environment_);
    if (result) return std::move(*result);
    if (rule_.counters_.failures != nullptr) rule_.counters_.failures->Increment();
    LogFailure(result.error());
    return "<error expanding template: " + result.error().message() + ">";
  }

  RuleLabels Annotations() {
    RuleLabels out;
    for (const Text& text : rule_.annotation_texts_) out.emplace_back(text.name, Expand(text));
    return out;
  }

 private:
  void LogFailure(const Error& error) const {
    const TemplateValue data[] = {LabelsValue(sample_.labels), context_.external_labels,
                                  TemplateValue::Text(context_.external_url), SampleValue(sample_.v, sample_.h)};
    constexpr size_t kMaxDataBytes = 64 << 10;
    const auto text =
        GoSprintf("{Labels:%v ExternalLabels:%v ExternalURL:%v Value:%v}", std::span(data), kMaxDataBytes);
    context_.logger.Warn(
        "Expanding alert template failed",
        {{"alert", rule_.name()}, {"err", error.message()}, {"data", text ? *text : text.error().message()}});
  }

  void Prepare() {
    data_ = AlertTemplateData(sample_.labels, context_.external_labels, context_.external_url,
                              SampleValue(sample_.v, sample_.h));
    environment_.now_ms = time_;
    environment_.external_url = context_.external_url;
    environment_.path_prefix = context_.path_prefix;
    environment_.query = [this](const std::string& text) { return QueryForTemplate(context_, text, time_); };
  }

  const AlertingRule& rule_;
  const RuleContext& context_;
  TimestampMs time_;
  const promql::VectorSample& sample_;
  std::optional<TemplateValue> data_;
  TemplateEnvironment environment_;
};

// What the result says, before it is compared with what was. kExecution when labels collide.
Result<std::vector<Alert>> AlertingRule::PresentAlerts(const RuleContext& context, promql::VectorValue vector) const {
  std::vector<Alert> out;
  out.reserve(vector.size());
  std::unordered_set<Labels> seen;
  LabelsBuilder builder;
  for (promql::VectorSample& sample : vector) {
    Renderer renderer(*this, context, context.time, sample);
    Alert alert;
    builder.Reset(sample.labels);
    builder.Del(kMetricName);
    for (const Text& label : label_texts_) builder.Set(label.name, renderer.Expand(label));
    builder.Set(kAlertNameLabel, name());
    alert.labels = builder.Build();
    alert.rule = id();
    alert.active_at = context.time;
    alert.value = sample.v;
    if (!context.annotate_events_only) {
      alert.annotations = renderer.Annotations();
    } else if (!annotation_texts_.empty()) {
      sample.t = context.time;
      alert.unrendered = std::make_shared<const promql::VectorSample>(std::move(sample));
    }
    if (vector.size() > 1 && !seen.insert(alert.labels).second) {
      return Fail(ErrorCode::kExecution, "vector contains metrics with the same labelset after applying alert labels");
    }
    out.push_back(std::move(alert));
  }
  return out;
}

void AlertingRule::Note(AlertEventKind kind, Alert& alert, const RuleContext& context) const {
  if (context.events == nullptr) return;
  if (alert.unrendered != nullptr) {
    alert.annotations = Renderer(*this, context, alert.unrendered->t, *alert.unrendered).Annotations();
    alert.unrendered.reset();
  }
  context.events->push_back({kind, context.time, alert, {}});
}

void AlertingRule::AppendSamples(const Alert& alert, TimestampMs t, std::vector<RuleSample>& out) const {
  LabelsBuilder builder(ToLabels(labels()));
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

// For an alert that fires although `for` has not passed: it was raised meanwhile. Or it is the time before it fired,
// because the clock was set back; then it fires on.
void AlertingRule::ReturnToPendingIfDue(Alert& alert, const RuleContext& context) const {
  if (alert.state != AlertState::kFiring || context.time - alert.active_at >= hold_ms_) return;
  if (alert.fired_at && context.time < *alert.fired_at) return;
  alert.state = AlertState::kPending;
  alert.fired_at.reset();
  alert.last_sent_at.reset();
  alert.keep_firing_since.reset();
  Note(AlertEventKind::kBackToPending, alert, context);
}

bool AlertingRule::Advance(Alert& alert, bool present, const RuleContext& context) {
  const TimestampMs now = context.time;
  if (present) {
    alert.settling = false;
    if (alert.keep_firing_since) {
      alert.keep_firing_since.reset();
      Note(AlertEventKind::kMetAgain, alert, context);
    }
    ReturnToPendingIfDue(alert, context);
    if (alert.state == AlertState::kPending && now - alert.active_at >= hold_ms_) {
      alert.state = AlertState::kFiring;
      alert.fired_at = now;
      Note(AlertEventKind::kFiring, alert, context);
    }
    return true;
  }
  if (alert.state == AlertState::kInactive) {
    return !(alert.resolved_at && now - *alert.resolved_at > kResolvedRetentionMs);
  }
  if (alert.settling && now < settled_at_) return true;
  if (alert.state == AlertState::kPending) {
    alert.state = AlertState::kInactive;
    Note(AlertEventKind::kCanceled, alert, context);
    return false;
  }
  if (keep_firing_ms_ > 0) {
    if (!alert.keep_firing_since) {
      alert.keep_firing_since = now;
      Note(AlertEventKind::kKeptFiring, alert, context);
    }
    if (now - *alert.keep_firing_since < keep_firing_ms_) {
      ReturnToPendingIfDue(alert, context);
      return true;
    }
  }
  alert.state = AlertState::kInactive;
  alert.resolved_at = now;
  Note(AlertEventKind::kResolved, alert, context);
  return true;
}

Result<std::vector<RuleSample>> AlertingRule::Evaluate(const RuleContext& context) {
  EPI_ASSIGN(promql::VectorValue vector, context.querier->Evaluate(query(), context.SampleTime(), context.origin));
  EPI_ASSIGN(std::vector<Alert> found, PresentAlerts(context, std::move(vector)));
  const std::lock_guard lock(mutex_);
  std::unordered_set<Labels> present;
  for (Alert& alert : found) {
    present.insert(alert.labels);
    const auto known = alerts_.find(alert.labels);
    if (known != alerts_.end() && known->second.state != AlertState::kInactive) {
      known->second.value = alert.value;
      known->second.annotations = std::move(alert.annotations);
      known->second.unrendered = std::move(alert.unrendered);
      continue;
    }
    Alert& made = alerts_[alert.labels] = std::move(alert);
    if (hold_ms_ > 0) Note(AlertEventKind::kPending, made, context);
  }
  std::vector<RuleSample> out;
  int64_t active = 0;
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    if (!Advance(it->second, present.contains(it->first), context)) {
      it = alerts_.erase(it);
      continue;
    }
    if (it->second.state != AlertState::kInactive) {
      ++active;
      if (restored()) AppendSamples(it->second, context.SampleTime(), out);
    }
    ++it;
  }
  if (context.limit <= 0 || active <= context.limit) return out;
  const std::string text =
      "exceeded limit of " + std::to_string(context.limit) + " with " + std::to_string(active) + " alerts";
  for (auto& entry : alerts_) {
    Note(AlertEventKind::kForgotten, entry.second, context);
    if (context.events != nullptr) context.events->back().detail = text;
  }
  alerts_.clear();
  return Fail(ErrorCode::kLimit, text);
}

void AlertingRule::RestoreAlerts(std::vector<Alert> alerts, const RestoreTerms& terms,
                                 std::vector<AlertEvent>& events) {
  const std::lock_guard lock(mutex_);
  settled_at_ = terms.now + terms.settle_ms;
  for (Alert& alert : alerts) {
    alert.rule = id();
    alert.last_sent_at.reset();  // whether it arrived is not known
    if (alert.state == AlertState::kInactive) {
      if (!alert.resolved_at || terms.now - *alert.resolved_at > kResolvedRetentionMs) continue;
    } else {
      alert.settling = !alert.keep_firing_since;
    }
    if (alert.state == AlertState::kPending) {
      const TimestampMs down_at = std::max(terms.down_at, alert.active_at);
      const int64_t remaining = hold_ms_ - (down_at - alert.active_at);
      const int64_t outage = terms.now - down_at;
      if (remaining <= 0 || outage <= terms.interval_ms) {
        // As if there had been no restart.
      } else if (hold_ms_ >= terms.for_grace_period_ms && remaining < terms.for_grace_period_ms) {
        alert.active_at = terms.now + terms.for_grace_period_ms - hold_ms_;
      } else {
        alert.active_at += outage;
      }
    }
    events.push_back({AlertEventKind::kRestored, terms.now, alert, {}});
    Labels labels = alert.labels;
    alerts_.insert_or_assign(std::move(labels), std::move(alert));
  }
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
