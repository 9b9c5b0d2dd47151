// All rule groups: loaded from files, replaced by what differs, evaluated when they are due.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "rules/group.h"
#include "rules/group_metrics.h"
#include "rules/rule_options.h"
#include "rules/status.h"

namespace epi::rules {

// What the configuration says about rules.
struct RuleConfig {
  std::vector<std::string> files;  // patterns
  int64_t interval_ms = 60'000;
  int64_t query_offset_ms = 0;
  Labels external_labels;
};

// Thread-safe. One thread watches the time, `threads` others evaluate groups; a group is never evaluated twice at a
// time.
//
// When the wall clock is set back, the time that has been evaluated already is waited for: storage would refuse what
// rules give, and alerts would be judged by the data of before. After a step of more than the outage tolerance it is
// the time before the step that is taken to be wrong, and evaluation goes on from the new time.
class RuleManager {
 public:
  explicit RuleManager(RuleOptions options);
  ~RuleManager();  // stops
  RuleManager(const RuleManager&) = delete;
  RuleManager& operator=(const RuleManager&) = delete;

  // Reads and checks all files first; an error (each is logged, one sentence is returned) changes nothing. Groups that
  // stay the same go on undisturbed; changed ones keep the state of rules of the same name and labels; those that are
  // gone get stale markers two intervals later. Waits for iterations of changed groups.
  Result<void> Load(const RuleConfig& config);
  // Evaluation begins: storage is ready.
  void Start();
  // Waits for running iterations. No stale markers are written. Idempotent.
  void Stop();

  // By file, then by name.
  std::vector<GroupStatus> Groups() const;
  // As last loaded.
  RuleConfig config() const;
  // What the groups are made of, in the same order.
  std::vector<GroupSettings> Settings() const;
  // For tests: returns when everything that is due by now has been evaluated.
  void AwaitQuiet();

 private:
  // A group and where it stands.
  struct Runner {
    std::shared_ptr<GroupMetrics> metrics;
    std::unique_ptr<Group> group;
    int64_t slot_ns = 0;  // of the next iteration, or the one running
    bool started = false;
    bool busy = false;
    bool stopped = false;
    // A group that is gone and waits for its stale markers.
    std::vector<Labels> leftover;
    TimestampMs gone_at = 0;
  };
  using RunnerPtr = std::shared_ptr<Runner>;
  static int64_t IntervalNs(const Runner& runner) { return runner.group->settings().interval_ms * 1'000'000; }
  struct Due {
    int64_t at_ns = 0;  // wall clock
    RunnerPtr runner;
    bool leftover = false;  // not an iteration: the stale markers
  };

  Result<std::vector<GroupSettings>> ReadFiles(const RuleConfig& config) const;
  std::vector<RunnerPtr> Ordered() const;     // by file, then by name
  void Schedule(Due due);                     // with mutex_ held
  void StartRunner(const RunnerPtr& runner);  // with mutex_ held
  void StopRunners(const std::vector<RunnerPtr>& runners, std::unique_lock<std::mutex>& lock);
  void Retire(const RunnerPtr& runner);  // with mutex_ held
  void Loop();
  int64_t NextSlotNs(const Runner& runner, int64_t now_ns) const;
  void FollowClock(int64_t now_ns);  // with mutex_ held
  int64_t SyncJournal();             // with mutex_ held; how long it need not be called again, in nanoseconds
  void Run(const Due& due);

  RuleOptions options_;
  std::unique_ptr<RuleMetrics> metrics_;
  std::mutex load_mutex_;  // one Load at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;                           // of the watching thread
  std::condition_variable idle_;                           // somebody finished
  std::map<std::string, RunnerPtr> runners_;               // by group key; guarded by mutex_
  std::vector<Due> due_;                                   // a heap, the earliest on top; guarded by mutex_
  std::shared_ptr<const GroupSurroundings> surroundings_;  // guarded by mutex_
  RuleConfig config_;                                      // guarded by mutex_
  size_t busy_ = 0;                                        // guarded by mutex_
  bool loaded_ = false;                                    // guarded by mutex_: some Load succeeded
  bool running_ = false;                                   // guarded by mutex_
  bool stopping_ = false;                                  // guarded by mutex_
  int64_t latest_ns_ = INT64_MIN;                          // guarded by mutex_: of the wall clock, since its last step
  bool syncing_ = false;                                   // guarded by mutex_: the journal
  bool changed_ = false;                                   // guarded by mutex_: due_ has a new top
  std::unique_ptr<ThreadPool> pool_;
  std::thread thread_;
};

}  // namespace epi::rules
