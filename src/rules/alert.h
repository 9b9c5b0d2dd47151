// One alert: an element of an alerting rule's result and what has become of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/labels.h"
#include "rules/rule_labels.h"

namespace epi::promql {
struct VectorSample;
}

namespace epi::rules {

enum class AlertState : unsigned char { kInactive, kPending, kFiring };
std::string_view AlertStateName(AlertState state);  // "inactive", "pending", "firing"

// Names a rule over reloads and restarts.
struct RuleId {
  std::string group;  // "<file>;<group>"
  std::string name;
  std::string key;  // within the group: name, labels, and which of several equal ones
  friend bool operator==(const RuleId&, const RuleId&) = default;
};

// Times are evaluation times, milliseconds since the Unix epoch.
struct Alert {
  Labels labels;  // with alertname, without a metric name
  RuleLabels annotations;
  AlertState state = AlertState::kPending;
  double value = 0;
  TimestampMs active_at = 0;
  std::optional<TimestampMs> fired_at;
  std::optional<TimestampMs> resolved_at;
  std::optional<TimestampMs> last_sent_at;
  std::optional<TimestampMs> keep_firing_since;
  TimestampMs valid_until = 0;         // of what was sent last
  std::shared_ptr<const RuleId> rule;  // may be null
  // Taken over from before a restart and not met again yet: data may still be missing, so for a while its absence says
  // nothing.
  bool settling = false;
  // The element whose annotations are not rendered yet; see RuleContext::annotate_events_only.
  std::shared_ptr<const promql::VectorSample> unrendered;

  // Never while pending; a resolution always once; else when `resend_delay_ms` have passed.
  bool NeedsSending(TimestampMs now, int64_t resend_delay_ms) const;
};

}  // namespace epi::rules
