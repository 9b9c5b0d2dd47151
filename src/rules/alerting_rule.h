// Rules whose result elements are alerts: pending for a while, firing, and resolved when they are gone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/alert.h"
#include "rules/rule.h"
#include "telemetry/metrics.h"

namespace epi::rules {

inline constexpr std::string_view kAlertMetric = "ALERTS";
inline constexpr std::string_view kAlertForStateMetric = "ALERTS_FOR_STATE";
inline constexpr std::string_view kAlertNameLabel = "alertname";
inline constexpr std::string_view kAlertStateLabel = "alertstate";

// What templates count; null: not counted.
struct TemplateCounters {
  Counter* expansions = nullptr;
  Counter* failures = nullptr;
};

class AlertingRule final : public Rule {
 public:
  // `restored`: nothing is to be restored from storage, so the synthetic series are written from the first evaluation
  // on. The spec was checked by ParseRuleFile.
  static Result<std::unique_ptr<AlertingRule>> Make(const RuleSpec& spec, RuleLabels labels,
                                                    std::shared_ptr<const promql::ParsedQuery> query, bool restored,
                                                    TemplateCounters counters = {});
  bool alerting() const override { return true; }
  // Moves the alerts on and gives ALERTS and ALERTS_FOR_STATE. An error of the query changes no alert.
  Result<std::vector<RuleSample>> Evaluate(const RuleContext& context) override;

  // The alerts to send at `now`, which are marked as sent. `valid_for_ms` ends up in their valid_until.
  std::vector<Alert> TakeAlertsToSend(TimestampMs now, int64_t resend_delay_ms, int64_t valid_for_ms);

  int64_t hold_ms() const { return hold_ms_; }
  int64_t keep_firing_ms() const { return keep_firing_ms_; }
  const RuleLabels& annotations() const { return annotations_; }  // templates
  AlertState state() const;                                       // the highest of its alerts
  std::vector<Alert> ActiveAlerts() const;                        // pending and firing, sorted by labels
  size_t active_count() const;                                    // resolved ones that are still remembered too

  bool restored() const { return restored_.load(std::memory_order_acquire); }
  void SetRestored() { restored_.store(true, std::memory_order_release); }
  // Calls visit(Alert&) for every alert, under the rule's lock.
  void ForEachAlert(const std::function<void(Alert&)>& visit);
  // Takes over the alerts of the rule that this one replaces.
  void CopyAlerts(const AlertingRule& from);

  // How alerts from before a restart go on.
  struct RestoreTerms {
    TimestampMs now = 0;      // the first evaluation
    TimestampMs down_at = 0;  // the last one before the restart
    int64_t interval_ms = 0;
    int64_t for_grace_period_ms = 0;
    int64_t settle_ms = 0;  // so long the absence of a restored alert says nothing
  };
  // Before the first evaluation. Firing and kept alerts go on as they were. So do pending ones when no evaluation was
  // missed; else the time of the outage does not count for them. Resolved ones are sent once more.
  void RestoreAlerts(std::vector<Alert> alerts, const RestoreTerms& terms, std::vector<AlertEvent>& events);

 private:
  struct Text {
    std::string name;
    std::shared_ptr<const Template> text;
    bool plain = false;  // expands to itself
    std::string plain_text;
  };
  AlertingRule(const RuleSpec& spec, RuleLabels labels, std::shared_ptr<const promql::ParsedQuery> query, bool restored,
               TemplateCounters counters);
  static Result<std::vector<Text>> Compile(const std::string& alert, const RuleLabels& texts);
  class Renderer;
  Result<std::vector<Alert>> PresentAlerts(const RuleContext& context, promql::VectorValue vector) const;
  // Moves one alert on; false: it is to be forgotten.
  bool Advance(Alert& alert, bool present, const RuleContext& context);
  void ReturnToPendingIfDue(Alert& alert, const RuleContext& context) const;
  void Note(AlertEventKind kind, Alert& alert, const RuleContext& context) const;
  void AppendSamples(const Alert& alert, TimestampMs t, std::vector<RuleSample>& out) const;

  int64_t hold_ms_;
  int64_t keep_firing_ms_;
  RuleLabels annotations_;
  std::vector<Text> label_texts_;
  std::vector<Text> annotation_texts_;
  TemplateCounters counters_;
  std::atomic<bool> restored_;
  mutable std::mutex mutex_;
  std::unordered_map<Labels, Alert> alerts_;  // guarded by mutex_
  TimestampMs settled_at_ = 0;                // guarded by mutex_
};

}  // namespace epi::rules
