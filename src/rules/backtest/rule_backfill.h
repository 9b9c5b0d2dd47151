// The past of recording rules: what they would have given, written into storage.
#pragma once

#include <vector>

#include "rules/backtest/backtest.h"
#include "storage/backfill.h"

namespace epi::rules {

struct RuleBackfillReport {
  std::vector<BacktestRule> rules;
  BackfillReport stored;
};

// Evaluates recording rules as RunBacktest does and stores what they give; alerting rules are left out. What storage
// has already stays as it is. options.record is not used.
Result<RuleBackfillReport> BackfillRules(std::vector<GroupSettings> groups, TimestampMs start, TimestampMs end,
                                         BackfillAppender& appender, BacktestOptions options);

}  // namespace epi::rules
