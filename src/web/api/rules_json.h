// Rules and alerts as the API shows them.
#pragma once

#include <vector>

#include "rules/alert_event.h"
#include "web/json_writer.h"
#include "web/rules_source.h"

namespace epi::rules {
struct BacktestRule;
}

namespace epi::web {

void WriteConfiguredLabels(JsonWriter& json, const ConfiguredLabels& labels);
// Elements of an array that is open.
void WriteAlerts(JsonWriter& json, const std::vector<AlertStatus>& alerts);
void WriteRuleGroup(JsonWriter& json, const RuleGroupStatus& group, bool with_alerts);

// The members of an object that is open; api/alert_history.cc.
void WriteAlertEvent(JsonWriter& json, const rules::AlertEvent& event);
// One object; api/rules_backtest.cc.
void WriteBacktestRule(JsonWriter& json, const rules::BacktestRule& rule);

}  // namespace epi::web
