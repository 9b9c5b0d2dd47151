// Rules and Alertmanagers as the web handlers see them.
#pragma once

#include "rules/manager.h"
#include "rules/notifier/notifier.h"
#include "web/rules_source.h"

namespace epi::app {

// Thread-safe. The manager outlives it.
class RulesAdapter final : public web::RulesSource {
 public:
  explicit RulesAdapter(const rules::RuleManager& manager) : manager_(manager) {}
  std::vector<web::RuleGroupStatus> Groups() const override;

 private:
  const rules::RuleManager& manager_;
};

// Thread-safe. The notifier outlives it.
class AlertmanagersAdapter final : public web::AlertmanagersSource {
 public:
  explicit AlertmanagersAdapter(const rules::Notifier& notifier) : notifier_(notifier) {}
  std::vector<std::string> Active() const override { return notifier_.ActiveAlertmanagers(); }
  std::vector<std::string> Dropped() const override { return notifier_.DroppedAlertmanagers(); }

 private:
  const rules::Notifier& notifier_;
};

}  // namespace epi::app
