#include "rules/manager.h"

#include <algorithm>
#include <set>

#include "config/glob.h"
#include "rules/journal/alert_journal.h"

namespace epi::rules {
namespace {

// The wall clock may be set while we wait for it; at least this often it is looked at again.
constexpr int64_t kLookAgainNs = 10'000'000'000;
constexpr int64_t kManagerNsPerMs = 1'000'000;

bool Later(int64_t a, int64_t b) { return a > b; }

}  // namespace

RuleManager::RuleManager(RuleOptions options)
    : options_(std::move(options)), surroundings_(std::make_shared<const GroupSurroundings>()) {
  if (options_.metrics != nullptr) metrics_ = std::make_unique<RuleMetrics>(*options_.metrics);
}

RuleManager::~RuleManager() { Stop(); }

Result<std::vector<GroupSettings>> RuleManager::ReadFiles(const RuleConfig& config) const {
  RuleFileOptions file_options;
  file_options.scheme = options_.scheme;
  file_options.parser = options_.parser;
  std::vector<GroupSettings> out;
  std::set<std::string> seen;
  bool failed = false;
  const auto fail = [&](const std::string& text) {
    failed = true;
    options_.logger.Error("loading groups failed", {{"err", text}});
  };
  for (const std::string& pattern : config.files) {
    const auto paths = config::Glob(*options_.files, pattern);
    if (!paths)
      return Fail(paths.error().code(), "error retrieving rule files for " + pattern + ": " + paths.error().message());
    for (const std::string& path : *paths) {
      if (!seen.insert(path).second) continue;
      constexpr uint64_t kMaxBytes = uint64_t{64} << 20;
      const auto text = options_.files->ReadFile(path, kMaxBytes);
      if (!text) {
        fail(path + ": " + text.error().message());
        continue;
      }
      RuleFileOutcome outcome = ParseRuleFile(*text, file_options);
      for (const std::string& error : outcome.errors) fail(path + ": " + error);
      if (outcome.file.has_more_documents) {
        options_.logger.Warn(
            "Multiple document yaml rules files are not supported, only the first document is processed",
            {{"file", path}});
      }
      for (RuleGroupSpec& spec : outcome.file.groups) {
        GroupSettings settings;
        settings.file = path;
        settings.interval_ms = spec.interval_ms == 0 ? config.interval_ms : spec.interval_ms;
        settings.query_offset_ms = spec.query_offset_ms.value_or(config.query_offset_ms);
        settings.spec = std::move(spec);
        out.push_back(std::move(settings));
      }
    }
  }
  if (failed) return Fail(ErrorCode::kInvalid, "error loading rules, previous rule set restored");
  return out;
}

Result<void> RuleManager::Load(const RuleConfig& config) {
  const std::lock_guard load_lock(load_mutex_);
  EPI_ASSIGN(std::vector<GroupSettings> settings, ReadFiles(config));
  std::map<std::string, RunnerPtr> old;
  bool restore = false;
  {
    const std::lock_guard lock(mutex_);
    old = runners_;
    restore = !loaded_;
  }
  std::map<std::string, RunnerPtr> next;
  for (GroupSettings& group : settings) {
    const std::string key = GroupKey(group.file, group.spec.name);
    const auto known = old.find(key);
    RunnerPtr runner;
    if (known != old.end() && known->second->group->settings().same_content(group)) {
      runner = known->second;
    } else {
      runner = std::make_shared<Runner>();
      if (known != old.end()) {
        runner->metrics = known->second->metrics;
      } else if (metrics_ != nullptr) {
        runner->metrics = std::make_shared<GroupMetrics>(*metrics_, key);
      }
      EPI_ASSIGN(runner->group, Group::Make(std::move(group), options_, restore, runner->metrics.get()));
    }
    next.emplace(key, std::move(runner));
  }
  auto surroundings = std::make_shared<GroupSurroundings>();
  surroundings->external_labels = LabelsValue(config.external_labels);
  std::unique_lock lock(mutex_);
  surroundings_ = std::move(surroundings);
  const auto stays = [&next](const auto& entry) {
    const auto replacement = next.find(entry.first);
    return replacement != next.end() && replacement->second == entry.second;
  };
  std::erase_if(old, stays);
  std::vector<RunnerPtr> ending;
  for (const auto& entry : old) ending.push_back(entry.second);
  StopRunners(ending, lock);
  for (const auto& [key, runner] : old) {
    const auto replacement = next.find(key);
    if (replacement != next.end()) {
      replacement->second->group->CopyState(*runner->group);
    } else {
      Retire(runner);
    }
  }
  if (options_.journal != nullptr) {
    std::vector<std::shared_ptr<const RuleId>> ids;
    for (const auto& entry : next) {
      for (const auto& rule : entry.second->group->rules()) {
        if (rule->alerting()) ids.push_back(rule->id());
      }
    }
    options_.journal->KeepRules(ids);
  }
  runners_ = std::move(next);
  config_ = config;
  loaded_ = true;
  for (const auto& entry : runners_) {
    if (running_ && !entry.second->started) StartRunner(entry.second);
  }
  return {};
}

// Heap order: the earliest on top.
void RuleManager::Schedule(Due due) {
  due_.push_back(std::move(due));
  std::push_heap(due_.begin(), due_.end(), [](const Due& a, const Due& b) { return Later(a.at_ns, b.at_ns); });
  changed_ = true;
  wake_.notify_all();
}

int64_t RuleManager::NextSlotNs(const Runner& runner, int64_t now_ns) const {
  return runner.group->SlotNs(now_ns) + IntervalNs(runner);
}

void RuleManager::FollowClock(int64_t now_ns) {
  latest_ns_ = std::max(latest_ns_, now_ns);
  if (latest_ns_ - now_ns <= options_.outage_tolerance_ms * kManagerNsPerMs) return;
  options_.logger.Warn("The clock was set back, rules are evaluated from its new time on",
                       {{"seconds", (latest_ns_ - now_ns) / (1000 * kManagerNsPerMs)}});
  latest_ns_ = now_ns;
  for (Due& due : due_) {
    due.at_ns =
        std::min(due.at_ns, due.leftover ? now_ns + 2 * IntervalNs(*due.runner) : NextSlotNs(*due.runner, now_ns));
    if (!due.leftover) due.runner->slot_ns = due.at_ns;
  }
  std::make_heap(due_.begin(), due_.end(), [](const Due& a, const Due& b) { return Later(a.at_ns, b.at_ns); });
}

void RuleManager::StartRunner(const RunnerPtr& runner) {
  runner->started = true;
  runner->slot_ns = NextSlotNs(*runner, options_.clock->NowNs());
  Schedule({runner->slot_ns, runner, false});
}

// Returns when none of them is being evaluated.
void RuleManager::StopRunners(const std::vector<RunnerPtr>& runners, std::unique_lock<std::mutex>& lock) {
  for (const RunnerPtr& runner : runners) {
    runner->stopped = true;
    runner->group->RequestStop();
  }
  for (const RunnerPtr& runner : runners) idle_.wait(lock, [&] { return !runner->busy; });
}

// Two intervals give a group of another name the time to write the same series before they are marked stale.
void RuleManager::Retire(const RunnerPtr& runner) {
  if (!running_) return;
  runner->leftover = runner->group->TakeSeries();
  runner->metrics.reset();
  if (runner->leftover.empty()) return;
  runner->gone_at = options_.clock->NowMs();
  Schedule({options_.clock->NowNs() + 2 * IntervalNs(*runner), runner, true});
}

void RuleManager::Start() {
  const std::lock_guard lock(mutex_);
  if (running_ || stopping_) return;
  running_ = true;
  pool_ = std::make_unique<ThreadPool>(std::max<size_t>(1, options_.threads));
  for (const auto& entry : runners_) StartRunner(entry.second);
  thread_ = std::thread([this] { Loop(); });
}

void RuleManager::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    options_.logger.Info("Stopping rule manager...");
    stopping_ = true;
    for (const auto& entry : runners_) entry.second->group->RequestStop();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return busy_ == 0; });
  due_.clear();
  running_ = false;
  lock.unlock();
  pool_.reset();
  options_.logger.Info("Rule manager stopped");
}

int64_t RuleManager::SyncJournal() {
  if (options_.journal == nullptr || syncing_) return kLookAgainNs;
  const MonotonicNs due = options_.journal->sync_due();
  const MonotonicNs now = options_.clock->Monotonic();
  if (due > now) return std::min(kLookAgainNs, due - now);
  syncing_ = true;
  pool_->Submit([this] {
    options_.journal->Sync();
    const std::lock_guard lock(mutex_);
    syncing_ = false;
    changed_ = true;
    wake_.notify_all();
  });
  return kLookAgainNs;
}

void RuleManager::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    changed_ = false;
    int64_t wait = SyncJournal();
    const int64_t now = options_.clock->NowNs();
    FollowClock(now);
    if (due_.empty() || due_.front().at_ns > now) {
      if (!due_.empty()) wait = std::min(wait, due_.front().at_ns - now);
      idle_.notify_all();
      options_.clock->WaitUntil(lock, wake_, options_.clock->Monotonic() + wait,
                                [this] { return changed_ || stopping_; });
      continue;
    }
    std::pop_heap(due_.begin(), due_.end(), [](const Due& a, const Due& b) { return Later(a.at_ns, b.at_ns); });
    const Due due = std::move(due_.back());
    due_.pop_back();
    if (due.runner->stopped && !due.leftover) continue;
    due.runner->busy = true;
    ++busy_;
    pool_->Submit([this, due] { Run(due); });
  }
}

void RuleManager::Run(const Due& due) {
  const RunnerPtr& runner = due.runner;
  std::shared_ptr<const GroupSurroundings> surroundings;
  {
    const std::lock_guard lock(mutex_);
    surroundings = surroundings_;
  }
  Group& group = *runner->group;
  if (due.leftover) {
    group.MarkStale(runner->leftover, runner->gone_at);
    runner->leftover.clear();
  } else {
    // The slot was set when the last iteration ended; later ones may have passed meanwhile.
    const int64_t interval = IntervalNs(*runner);
    const int64_t missed = (options_.clock->NowNs() - runner->slot_ns) / interval;
    if (missed > 0) {
      group.CountMissed(missed);
      runner->slot_ns += missed * interval;
    }
    group.Iterate(runner->slot_ns / kManagerNsPerMs, *surroundings);
    group.RestoreIfDue();
    runner->slot_ns += interval;
  }
  const std::lock_guard lock(mutex_);
  const int64_t now = options_.clock->NowNs();
  FollowClock(now);
  if (latest_ns_ == now) runner->slot_ns = std::min(runner->slot_ns, NextSlotNs(*runner, now));
  runner->busy = false;
  --busy_;
  if (!runner->stopped && !stopping_) Schedule({runner->slot_ns, runner, false});
  idle_.notify_all();
}

void RuleManager::AwaitQuiet() {
  std::unique_lock lock(mutex_);
  changed_ = true;
  wake_.notify_all();
  idle_.wait(lock, [this] {
    return stopping_ ||
           (busy_ == 0 && !syncing_ && !changed_ && (due_.empty() || due_.front().at_ns > options_.clock->NowNs()));
  });
}

std::vector<RuleManager::RunnerPtr> RuleManager::Ordered() const {
  std::vector<RunnerPtr> runners;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : runners_) runners.push_back(entry.second);
  std::sort(runners.begin(), runners.end(), [](const RunnerPtr& a, const RunnerPtr& b) {
    const std::string& file_a = a->group->settings().file;
    const std::string& file_b = b->group->settings().file;
    if (file_a != file_b) return file_a < file_b;
    return a->group->settings().spec.name < b->group->settings().spec.name;
  });
  return runners;
}

RuleConfig RuleManager::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

std::vector<GroupSettings> RuleManager::Settings() const {
  std::vector<GroupSettings> out;
  for (const RunnerPtr& runner : Ordered()) out.push_back(runner->group->settings());
  return out;
}

std::vector<GroupStatus> RuleManager::Groups() const {
  std::vector<GroupStatus> out;
  for (const RunnerPtr& runner : Ordered()) {
    const Group& group = *runner->group;
    GroupStatus& status = out.emplace_back();
    status.name = group.settings().spec.name;
    status.file = group.settings().file;
    status.interval_ms = group.settings().interval_ms;
    status.slot_offset_ns = group.SlotOffsetNs();
    status.limit = group.settings().spec.limit;
    status.evaluation_seconds = group.status().evaluation_seconds;
    status.evaluated_ns = group.status().evaluated_ns;
    for (const auto& rule : group.rules()) {
      RuleStatus& shown = status.rules.emplace_back();
      shown.alerting = rule->alerting();
      shown.name = rule->name();
      shown.query = rule->query_text();
      shown.labels = rule->labels();
      shown.outcome = rule->outcome();
      if (!rule->alerting()) continue;
      const auto& alerting = static_cast<const AlertingRule&>(*rule);
      shown.evaluated = shown.outcome.evaluated_ns != INT64_MIN;
      shown.state = alerting.state();
      shown.hold_ms = alerting.hold_ms();
      shown.keep_firing_ms = alerting.keep_firing_ms();
      shown.annotations = alerting.annotations();
      shown.alerts = alerting.ActiveAlerts();
    }
  }
  return out;
}

}  // namespace epi::rules
