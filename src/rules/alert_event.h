// What happens to alerts: each change of state as one event, for the journal, the history and backtests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rules/alert.h"

namespace epi::rules {

// Numbers are written to disk.
enum class AlertEventKind : unsigned char {
  kPending = 1,        // the condition was met for the first time
  kFiring = 2,         // for long enough
  kResolved = 3,       // a firing alert ended
  kCanceled = 4,       // a pending one ended
  kKeptFiring = 5,     // the condition is met no more, keep_firing_for goes on
  kMetAgain = 6,       // while kept firing
  kBackToPending = 7,  // `for` was raised
  kRestored = 8,       // taken over after a restart
  kForgotten = 9,      // dropped without a resolution; `detail` says why
  kRuleFailed = 10,    // the rule could not be evaluated; `detail` is the error
  kRuleRecovered = 11,
};
// "pending", "firing", "resolved", …; as the API shows them.
std::string_view AlertEventKindName(AlertEventKind kind);

struct AlertEvent {
  AlertEventKind kind = AlertEventKind::kPending;
  TimestampMs time = 0;  // of the evaluation
  Alert alert;           // as it is after the event; of the rule's events only `rule`
  std::string detail;
};

}  // namespace epi::rules
