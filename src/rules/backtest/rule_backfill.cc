#include "rules/backtest/rule_backfill.h"

#include <algorithm>

namespace epi::rules {

Result<RuleBackfillReport> BackfillRules(std::vector<GroupSettings> groups, TimestampMs start, TimestampMs end,
                                         BackfillAppender& appender, BacktestOptions options) {
  for (GroupSettings& group : groups) {
    std::erase_if(group.spec.rules, [](const RuleSpec& rule) { return rule.record.empty(); });
  }
  std::erase_if(groups, [](const GroupSettings& group) { return group.spec.rules.empty(); });
  options.record = [&appender](const RuleSample& sample) -> Result<void> {
    if (sample.h != nullptr) return appender.AddHistogram(sample.labels, sample.t, *sample.h);
    return appender.Add(sample.labels, sample.t, sample.v);
  };
  RuleBackfillReport out;
  EPI_ASSIGN(out.rules, RunBacktest(groups, start, end, options));
  EPI_ASSIGN(out.stored, appender.Commit());
  return out;
}

}  // namespace epi::rules
