// The alert state machine when things go wrong: killed processes, conditions that flap, queries that fail, evaluations
// that come late.

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "rules/group.h"
#include "rules/journal/alert_journal.h"
#include "testing/memory_file_system.h"
#include "testing/rules_fixture.h"

namespace epi::rules {
namespace {

constexpr int64_t kStepMs = 60'000;

// Hears an alert only while the process that sends it lives.
class LivingSink final : public AlertSink {
 public:
  explicit LivingSink(const testing::MemoryFileSystem& files) : files_(files) {}
  void Send(const std::string&, std::vector<Alert> alerts) override {
    if (files_.cut()) return;
    for (Alert& alert : alerts) heard.push_back(std::move(alert));
  }
  std::vector<Alert> heard;

 private:
  const testing::MemoryFileSystem& files_;
};

// Answers like the engine, except while it is told to fail.
class FailingQuerier final : public RuleQuerier {
 public:
  explicit FailingQuerier(const RuleQuerier& inner) : inner_(inner) {}
  Result<promql::VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                       const promql::QueryOrigin* origin) const override {
    if (failing) return Fail(ErrorCode::kTimeout, "query timed out in queue");
    return inner_.Evaluate(query, at, origin);
  }
  Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const override {
    return inner_.Parse(text);
  }
  bool failing = false;

 private:
  const RuleQuerier& inner_;
};

class AlertStatesTest : public ::testing::Test {
 protected:
  void Make(const std::string& rule) {
    auto file = ParseRuleFile("groups:\n- name: g\n  rules:\n  - " + rule, {});
    ASSERT_TRUE(file.ok()) << file.errors.front();
    GroupSettings settings;
    settings.file = "f.yml";
    settings.spec = file.file.groups.at(0);
    group_ =
        std::move(*Group::Make(std::move(settings), fixture_.options, fixture_.options.journal != nullptr, nullptr));
    if (start_ == 0) start_ = group_->SlotNs(fixture_.clock.NowNs()) / 1'000'000 + kStepMs;
  }
  TimestampMs At(int step) const { return start_ + step * kStepMs; }
  void Step(int step, bool down) {
    fixture_.storage.Append({{"__name__", "up"}, {"instance", "a"}}, At(step), down ? 0 : 1);
    if (const int64_t ahead = At(step) - fixture_.clock.NowMs(); ahead > 0) fixture_.clock.AdvanceMs(ahead);
    group_->Iterate(At(step), GroupSurroundings());
    group_->RestoreIfDue();
  }
  // The group as after a start with the journal in `files`; false when the journal cannot be opened.
  bool StartAnew(testing::MemoryFileSystem& files, uint64_t segment_bytes, const std::string& rules,
                 std::unique_ptr<AlertJournal>& journal) {
    group_.reset();
    journal.reset();
    AlertJournalOptions options;
    options.directory = "/data/alerts";
    options.segment_bytes = segment_bytes;
    auto opened = AlertJournal::Open(files, fixture_.clock, options, {});
    if (!opened) return false;
    journal = std::move(*opened);
    fixture_.options.journal = journal.get();
    Make(rules);
    return true;
  }
  AlertingRule& Rule() { return static_cast<AlertingRule&>(*group_->rules().at(0)); }
  std::string Sent() {
    std::string out;
    for (const Alert& alert : fixture_.alerts.Take()) out += alert.resolved_at ? "resolved" : "firing";
    return out;
  }

  RulesFixture fixture_;
  TimestampMs start_ = 0;  // of step 0; 0: the next group chooses it
  std::unique_ptr<Group> group_;
};

TEST_F(AlertStatesTest, ThePendingNeverFireWhileTheyFlap) {
  Make("{alert: Down, expr: up == 0, for: 2m}");
  const bool down[] = {true, true, false, true, true, false, true, true, true};
  int since = 0;
  for (int i = 0; i < 8; ++i) {
    if (down[i] && (i == 0 || !down[i - 1])) since = i;
    Step(i, down[i]);
    EXPECT_EQ(Rule().state(), down[i] ? AlertState::kPending : AlertState::kInactive) << i;
    EXPECT_EQ(Sent(), "") << i;
    if (down[i]) {
      EXPECT_EQ(Rule().ActiveAlerts().at(0).active_at, At(since)) << i;
    }
  }
  Step(8, down[8]);
  EXPECT_EQ(Sent(), "firing");
}

TEST_F(AlertStatesTest, WithoutHoldingEveryFlapIsSent) {
  Make("{alert: Down, expr: up == 0}");
  for (int i = 0; i < 10; ++i) {
    Step(i, i % 2 == 0);
    EXPECT_EQ(Sent(), i % 2 == 0 ? "firing" : "resolved") << i;
    if (i % 2 == 0) {
      EXPECT_EQ(Rule().ActiveAlerts().at(0).active_at, At(i));
    }
  }
}

TEST_F(AlertStatesTest, KeptFiringThroughFlapsItIsOneAlert) {
  Make("{alert: Down, expr: up == 0, keep_firing_for: 2m}");
  for (int i = 0; i < 10; ++i) {
    Step(i, i % 2 == 0);
    EXPECT_EQ(Rule().ActiveAlerts().at(0).active_at, At(0)) << i;
    EXPECT_EQ(Sent().find("resolved"), std::string::npos) << i;
  }
  // Missed since step 9; the time of keeping begins anew with each miss.
  Step(10, false);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
  Sent();
  Step(11, false);
  EXPECT_EQ(Rule().state(), AlertState::kInactive);
  EXPECT_EQ(Sent(), "resolved");
}

// Queries that fail say nothing of the condition: no state changes, no series ends, and `for` goes on.
TEST_F(AlertStatesTest, FailedEvaluationsChangeNoState) {
  FailingQuerier querier(fixture_.querier);
  fixture_.options.querier = &querier;
  Make("{alert: Down, expr: up == 0, for: 3m}");
  const Labels pending{{"__name__", "ALERTS"}, {"alertname", "Down"}, {"alertstate", "pending"}, {"instance", "a"}};
  const Labels firing = pending.With("alertstate", "firing");
  Step(0, true);
  querier.failing = true;
  for (const int i : {1, 2}) {
    Step(i, true);
    EXPECT_EQ(Rule().state(), AlertState::kPending);
    EXPECT_EQ(Rule().outcome().health, RuleHealth::kErr);
    EXPECT_EQ(fixture_.At(pending, At(i)), "1.00");
  }
  querier.failing = false;
  Step(3, true);
  EXPECT_EQ(Rule().outcome().health, RuleHealth::kOk);
  EXPECT_EQ(Sent(), "firing");
  querier.failing = true;
  for (const int i : {4, 5, 6}) {
    Step(i, false);
    EXPECT_EQ(Rule().state(), AlertState::kFiring);
    EXPECT_EQ(fixture_.At(firing, At(i)), "1.00");
    EXPECT_EQ(Sent(), "") << "neither sent again nor resolved";
  }
  querier.failing = false;
  Step(7, false);
  EXPECT_EQ(Sent(), "resolved");
  EXPECT_EQ(fixture_.At(firing, At(7)), "stale");
}

// Asks to stop the group while its first rule is evaluated.
class StoppingQuerier final : public RuleQuerier {
 public:
  StoppingQuerier(const RuleQuerier& inner, const std::unique_ptr<Group>& group) : inner_(inner), group_(group) {}
  Result<promql::VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                       const promql::QueryOrigin* origin) const override {
    group_->RequestStop();
    return inner_.Evaluate(query, at, origin);
  }
  Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const override {
    return inner_.Parse(text);
  }

 private:
  const RuleQuerier& inner_;
  const std::unique_ptr<Group>& group_;
};

TEST_F(AlertStatesTest, AStoppedGroupFinishesOneRuleOnly) {
  const StoppingQuerier querier(fixture_.querier, group_);
  fixture_.options.querier = &querier;
  Make("{alert: First, expr: up == 0}\n  - {alert: Second, expr: up == 0}");
  Step(0, true);
  EXPECT_EQ(Sent(), "firing");
  EXPECT_EQ(group_->rules().at(1)->outcome().health, RuleHealth::kUnknown);
}

// A day is missed in each state. Time counts, not evaluations.
TEST_F(AlertStatesTest, EvaluationsThatComeADayLateFindTheTimePassed) {
  constexpr int kDay = 24 * 60;
  for (const bool met : {true, false}) {
    for (const int jump_after : {0, 2, 3}) {  // pending, firing, kept firing
      SCOPED_TRACE(std::to_string(jump_after) + (met ? " met" : " not met"));
      fixture_.storage.Clear();
      start_ = 0;
      Make("{alert: Down, expr: up == 0, for: 2m, keep_firing_for: 5m}");
      for (int i = 0; i <= jump_after; ++i) Step(i, i < 3);
      Sent();
      Step(kDay, met);
      const bool keeps = jump_after == 2 && !met;  // its keeping has only begun
      const bool fires = met || keeps;
      EXPECT_EQ(Rule().state(), fires ? AlertState::kFiring : AlertState::kInactive);
      const std::string want = fires ? "firing" : jump_after == 0 ? "" : "resolved";
      EXPECT_EQ(Sent(), want);
      if (fires) {
        EXPECT_EQ(Rule().ActiveAlerts().at(0).active_at, At(0));
      }
    }
  }
}

// The clock is set back an hour in each state, with and without a restart. Times in the future are waited for; what
// fires goes on firing.
TEST_F(AlertStatesTest, AnHourBackNothingIsResolvedThatIsMet) {
  constexpr int kBack = -60;
  for (const bool restart : {false, true}) {
    for (const int jump_after : {1, 2, 4}) {  // pending, firing, kept firing
      SCOPED_TRACE(std::to_string(jump_after) + (restart ? " restarted" : ""));
      fixture_.storage.Clear();
      start_ = 0;
      testing::MemoryFileSystem files;
      AlertJournalOptions options;
      options.directory = "/alerts";
      auto journal = *AlertJournal::Open(files, fixture_.clock, options, {});
      fixture_.options.journal = journal.get();
      const std::string rule = "{alert: Down, expr: up == 0, for: 2m, keep_firing_for: 5m}";
      Make(rule);
      for (int i = 0; i <= jump_after; ++i) Step(i, i < 3);
      Sent();
      const auto before = Rule().ActiveAlerts().at(0);
      EXPECT_EQ(before.state, jump_after < 2 ? AlertState::kPending : AlertState::kFiring);
      fixture_.clock.StepWallMs(kBack * kStepMs);
      fixture_.storage.Clear();
      if (restart) {
        group_.reset();
        journal.reset();
        journal = *AlertJournal::Open(files, fixture_.clock, options, {});
        fixture_.options.journal = journal.get();
        Make(rule);
      }
      for (int i = 1; i < 4; ++i) {
        Step(jump_after + kBack + i, true);
        const auto alerts = Rule().ActiveAlerts();
        ASSERT_EQ(alerts.size(), 1U);
        EXPECT_EQ(alerts[0].state, before.state);
        EXPECT_EQ(alerts[0].active_at, before.active_at);
        EXPECT_EQ(alerts[0].fired_at, before.fired_at);
        EXPECT_EQ(Sent().find("resolved"), std::string::npos);
      }
      // The clock is right again, an hour and some minutes later.
      Step(10, true);
      EXPECT_EQ(Rule().ActiveAlerts().at(0).state, AlertState::kFiring);
      Sent();
      Step(11, false);
      Step(16, false);
      EXPECT_EQ(Sent(), "resolved");
      EXPECT_EQ(Rule().state(), AlertState::kInactive);
      group_.reset();
      fixture_.options.journal = nullptr;
    }
  }
}

// A resolution is sent once, and again while it is remembered, also when the clock is set back behind it or far ahead.
TEST_F(AlertStatesTest, ResolvedAlertsStayResolvedWhereverTheClockGoes) {
  for (const int jump : {-60, 60 * 24}) {
    SCOPED_TRACE(jump);
    fixture_.storage.Clear();
    start_ = 0;
    Make("{alert: Down, expr: up == 0}");
    Step(0, true);
    Step(1, false);
    EXPECT_EQ(Sent(), "firingresolved");
    fixture_.storage.Clear();
    fixture_.clock.StepWallMs(jump * kStepMs);
    for (int i = 2; i < 5; ++i) {
      Step(jump + i, false);
      EXPECT_EQ(Rule().state(), AlertState::kInactive);
      EXPECT_EQ(Sent(), "");
    }
    Step(jump + 5, true);
    EXPECT_EQ(Rule().ActiveAlerts().at(0).active_at, At(jump + 5));
    EXPECT_EQ(Sent(), "firing");
  }
}

// The process is killed, or the power goes, at every change of the disk on the way from pending over firing, keeping
// and met again to resolved.
// With the power, what of the unsynced bytes is lost depends on the seed.
struct Cut {
  testing::MemoryFileSystem::Loss loss;
  uint64_t seed;
};
class CutAnywhere : public AlertStatesTest, public ::testing::WithParamInterface<Cut> {};
class WithoutPower : public AlertStatesTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(CutAnywhere, TheAlertIsTheSameAndResolvedOnce) {
  constexpr int kSteps = 17;
  constexpr int kDownUntil = 8;
  constexpr int kMetAgain = 9;
  constexpr int kResolves = 12;
  // Steps that a kill may cost. The step it falls into and the one to the restart do not count for `for`; keeping
  // begins anew after the step it falls into and the two in which missing data is waited for.
  constexpr int kFiresLater = 2;
  constexpr int kResolvesLater = 3;
  uint64_t cuts = 0;
  SeededRandom random{GetParam().seed};
  for (bool killed = true; killed;) {
    ++cuts;
    SCOPED_TRACE(cuts);
    testing::MemoryFileSystem files;
    LivingSink sink(files);
    fixture_.options.alerts = &sink;
    fixture_.storage.Clear();
    start_ = 0;
    std::unique_ptr<AlertJournal> journal;
    const auto start = [&] {
      return StartAnew(files, 300, "{alert: Down, expr: up == 0, for: 3m, keep_firing_for: 2m}", journal);
    };
    ASSERT_TRUE(start());
    files.CutAfter(cuts);
    killed = false;
    int first_resolve = kResolves;
    for (int i = 0; i < kSteps; ++i) {
      Step(i, i < kDownUntil || i == kMetAgain);
      if (!files.cut()) continue;
      killed = true;
      // What a killed evaluation found may be lost; without it, the alert was never met again.
      if (i == kMetAgain) first_resolve = kMetAgain + 1;
      files.Restart(GetParam().loss, &random);
      ASSERT_TRUE(start());
    }
    ASSERT_FALSE(sink.heard.empty());
    const TimestampMs fired_at = *sink.heard[0].fired_at;
    EXPECT_GE(fired_at, At(3));
    EXPECT_LE(fired_at, At(3 + kFiresLater));
    for (const Alert& alert : sink.heard) {
      EXPECT_EQ(*alert.fired_at, fired_at);
      if (!alert.resolved_at) continue;
      EXPECT_GE(*alert.resolved_at, At(first_resolve));
      EXPECT_LE(*alert.resolved_at, At(kResolves + kResolvesLater));
      EXPECT_EQ(alert.resolved_at, sink.heard.back().resolved_at);
    }
    EXPECT_TRUE(sink.heard.back().resolved_at);
    EXPECT_EQ(Rule().state(), AlertState::kInactive);
    group_.reset();
    fixture_.options.journal = nullptr;
    fixture_.options.alerts = &fixture_.alerts;
  }
  EXPECT_GT(cuts, 10U);  // the last one came after the end
}

// Two alerts of one group change in the same evaluation, the second within the second that is not synced, and the power
// goes at every change of the disk. It may cost the second its last change, and then that comes again; it is never
// resolved while its condition is met, nor left unresolved, and the first is resolved once.
TEST_P(WithoutPower, UnsyncedChangesComeAgain) {
  constexpr int kSteps = 14;
  constexpr int kFires = 3;
  constexpr int kResolves = 8;
  uint64_t cuts = 0;
  SeededRandom random{GetParam()};
  int lost = 0;
  for (bool cut = true; cut;) {
    ++cuts;
    SCOPED_TRACE(cuts);
    testing::MemoryFileSystem files;
    LivingSink sink(files);
    fixture_.options.alerts = &sink;
    fixture_.storage.Clear();
    start_ = 0;
    std::unique_ptr<AlertJournal> journal;
    const auto start = [&] {
      return StartAnew(files, 500,
                       "{alert: First, expr: up == 0, for: 3m}\n  - {alert: Second, expr: up == 0, for: 3m}", journal);
    };
    ASSERT_TRUE(start());
    files.CutAfter(cuts);
    cut = false;
    for (int i = 0; i < kSteps; ++i) {
      Step(i, i < kResolves);
      if (!files.cut()) {
        fixture_.clock.AdvanceMs(1000);
        journal->Sync();
      }
      if (!files.cut()) continue;
      cut = true;
      files.Restart(testing::MemoryFileSystem::Loss::kPower, &random);
      ASSERT_TRUE(start());
    }
    std::map<std::string, std::vector<const Alert*>> heard;
    for (const Alert& alert : sink.heard) heard[std::string(alert.labels.Get("alertname"))].push_back(&alert);
    ASSERT_EQ(heard.size(), 2U);
    for (const auto& [name, alerts] : heard) {
      int ends = 0;
      for (size_t i = 0; i < alerts.size(); ++i) {
        EXPECT_GE(*alerts[i]->fired_at, At(kFires)) << name;
        if (!alerts[i]->resolved_at) continue;
        EXPECT_GE(*alerts[i]->resolved_at, At(kResolves)) << name;
        if (i + 1 == alerts.size() || !alerts[i + 1]->resolved_at) ++ends;
      }
      EXPECT_TRUE(alerts.back()->resolved_at) << name;
      EXPECT_LE(ends, name == "First" ? 1 : 2) << name;
      lost += ends - 1;
    }
    for (size_t rule = 0; rule < 2; ++rule) {
      EXPECT_EQ(static_cast<AlertingRule&>(*group_->rules()[rule]).state(), AlertState::kInactive);
    }
    group_.reset();
    fixture_.options.journal = nullptr;
    fixture_.options.alerts = &fixture_.alerts;
  }
  EXPECT_GT(cuts, 20U);
  EXPECT_LE(lost, 1);
}

constexpr auto kProcessLoss = testing::MemoryFileSystem::Loss::kProcess;
constexpr auto kPowerLoss = testing::MemoryFileSystem::Loss::kPower;
INSTANTIATE_TEST_SUITE_P(Losses, CutAnywhere,
                         ::testing::Values(Cut{kProcessLoss, 0}, Cut{kPowerLoss, 1}, Cut{kPowerLoss, 2},
                                           Cut{kPowerLoss, 3}, Cut{kPowerLoss, 4}, Cut{kPowerLoss, 5},
                                           Cut{kPowerLoss, 6}));
INSTANTIATE_TEST_SUITE_P(Seeds, WithoutPower, ::testing::Range(uint64_t{1}, uint64_t{9}));

}  // namespace
}  // namespace epi::rules
