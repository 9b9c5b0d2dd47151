// A group of rules: evaluated together, one iteration after the other, at times that are the same over restarts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rules/alerting_rule.h"
#include "rules/dependencies.h"
#include "rules/rule.h"
#include "rules/rule_file.h"
#include "rules/rule_options.h"
#include "rules/sample_writer.h"

namespace epi::rules {

struct GroupMetrics;

// Prometheus's identity of a group, in metrics and logs.
inline std::string GroupKey(const std::string& file, const std::string& name) { return file + ";" + name; }

struct GroupSettings {
  std::string file;
  RuleGroupSpec spec;
  int64_t interval_ms = 60'000;  // the spec's or the global one
  int64_t query_offset_ms = 0;   // the spec's or the global one
  bool same_content(const GroupSettings& other) const;
};

// What may change from one reload to the next without a new group.
struct GroupSurroundings {
  TemplateValue external_labels;
};

class Group {
 public:
  // `restore`: alert states are to be restored, from the journal at the first iteration or from storage after the
  // second. `options` outlives the group.
  static Result<std::unique_ptr<Group>> Make(GroupSettings settings, const RuleOptions& options, bool restore,
                                             GroupMetrics* metrics);
  ~Group();

  const GroupSettings& settings() const { return settings_; }
  const std::string& key() const { return key_; }
  const std::vector<std::shared_ptr<Rule>>& rules() const { return rules_; }

  // The latest evaluation time at or before `now_ns`: multiples of the interval, shifted by the group's place in it.
  int64_t SlotNs(int64_t now_ns) const;
  int64_t SlotOffsetNs() const;  // the group's place in its interval

  // One iteration for the slot. By one thread at a time.
  void Iterate(TimestampMs slot, const GroupSurroundings& surroundings);
  // An iteration ends with the rule that it is at, and no other evaluates anything. From any thread.
  void RequestStop() { stop_.store(true, std::memory_order_relaxed); }
  // Counts slots that passed without an iteration.
  void CountMissed(int64_t slots);
  // Called after each iteration; does something after the second one of a group that restores.
  void RestoreIfDue();

  // Takes over the state of the group that this one replaces. Neither is being iterated.
  void CopyState(const Group& from);
  // The series of all rules, for stale markers once the group is gone. Not being iterated.
  std::vector<Labels> TakeSeries();
  void MarkStale(const std::vector<Labels>& series, TimestampMs now);

  struct Status {
    double evaluation_seconds = 0;
    int64_t evaluated_ns = INT64_MIN;  // start of the last iteration, wall clock; INT64_MIN: never
  };
  Status status() const;

 private:
  Group(GroupSettings settings, const RuleOptions& options, bool restore, GroupMetrics* metrics);
  void EvaluateRule(size_t index, RuleContext context);
  void RestoreFromJournal(TimestampMs slot);
  void NoteEvents(const Rule& rule, RuleHealth before, TimestampMs time, std::vector<AlertEvent> events);
  void LogDiscarded(size_t index, const WriteOutcome& outcome) const;
  void Store(size_t index, std::vector<RuleSample> samples, const RuleContext& context);
  void RestoreForState(TimestampMs now);
  void RestoreRule(AlertingRule& rule, const View& view, TimestampMs now);
  // Lines that name the group, or a rule of it, in Prometheus's fields.
  void Log(LogLevel level, std::string_view text, std::initializer_list<LogField> details) const;
  void LogRule(LogLevel level, size_t index, std::string_view text, std::initializer_list<LogField> details) const;

  GroupSettings settings_;
  std::string key_;
  promql::QueryOrigin origin_;  // of its rules' queries
  const RuleOptions& options_;
  GroupMetrics* metrics_;
  Logger logger_;
  std::vector<std::shared_ptr<Rule>> rules_;
  RuleDependencies dependencies_;
  std::vector<std::vector<size_t>> batches_;  // for concurrent evaluation
  std::mutex write_mutex_;
  SampleWriter writer_;              // guarded by write_mutex_
  std::vector<SeriesSet> previous_;  // per rule; guarded by write_mutex_
  uint64_t stored_ = 0;              // samples of the running iteration; guarded by write_mutex_
  std::vector<Labels> stale_;        // of rules that a reload removed
  std::atomic<bool> stop_ = false;
  bool restore_ = false;
  int iterations_ = 0;
  mutable std::mutex status_mutex_;
  Status status_;  // guarded by status_mutex_
};

}  // namespace epi::rules
