// An alert as Alertmanagers get it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "rules/alert.h"

namespace epi::rules {

// The alert behind a notification, for whoever is told of the answer.
struct NotificationOrigin {
  std::shared_ptr<const RuleId> rule;
  Labels labels;  // before relabeling
  bool resolved = false;
};

struct Notification {
  Labels labels;
  RuleLabels annotations;
  TimestampMs starts_at = 0;
  TimestampMs ends_at = 0;
  std::string generator_url;
  std::shared_ptr<const NotificationOrigin> origin;  // may be null
};

// "http://host/graph?g0.expr=up+%3D%3D+0&g0.tab=1": where the alert comes from.
std::string GeneratorUrl(const std::string& external_url, const std::string& query);
Notification ToNotification(const Alert& alert, std::string generator_url);

// Adds what the labels lack (or have empty) of `external`, then relabels; dropped ones are left out.
std::vector<Notification> RelabelNotifications(std::vector<Notification> notifications, const Labels& external,
                                               std::span<const RelabelConfig> configs);

// The body of POST /api/v2/alerts.
std::string ToJson(std::span<const Notification> notifications);

// "/prefix/api/v2/alerts".
std::string AlertsPath(const std::string& path_prefix, const std::string& api_version);

}  // namespace epi::rules
