// One alert: an element of an alerting rule's result and what has become of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "model/labels.h"

namespace epi::rules {

enum class AlertState : unsigned char { kInactive, kPending, kFiring };
std::string_view AlertStateName(AlertState state);  // "inactive", "pending", "firing"

// Times are evaluation times, milliseconds since the Unix epoch.
struct Alert {
  Labels labels;  // with alertname, without a metric name
  Labels annotations;
  AlertState state = AlertState::kPending;
  double value = 0;
  TimestampMs active_at = 0;
  std::optional<TimestampMs> fired_at;
  std::optional<TimestampMs> resolved_at;
  std::optional<TimestampMs> last_sent_at;
  std::optional<TimestampMs> keep_firing_since;
  TimestampMs valid_until = 0;  // of what was sent last

  // Never while pending; a resolution always once; else when `resend_delay_ms` have passed.
  bool NeedsSending(TimestampMs now, int64_t resend_delay_ms) const;
};

}  // namespace epi::rules
