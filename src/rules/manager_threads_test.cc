#include "rules/manager.h"

#include <gtest/gtest.h>

#include <atomic>

#include "rules/journal/alert_journal.h"
#include "testing/memory_file_system.h"
#include "testing/rules_fixture.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

constexpr int64_t kMinute = 60'000;

class ManagerTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) { ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(Path(), text)); }
  std::string Path() const { return directory_.path() + "/rules.yml"; }
  RuleConfig Config() const {
    RuleConfig config;
    config.files = {directory_.path() + "/*.yml"};
    return config;
  }
  void Pass(int64_t ms) {
    fixture_.clock.AdvanceMs(ms);
    manager_->AwaitQuiet();
  }
  void SetUp() override {
    fixture_.options.metrics = &registry_;
    manager_ = std::make_unique<RuleManager>(fixture_.options);
  }
  double Metric(const std::string& name) {
    return registry_.AddCounter(name, "", {{"rule_group", GroupKey(Path(), "g")}}).Value();
  }

  testing::TempDir directory_;
  MetricRegistry registry_;
  RulesFixture fixture_;
  std::unique_ptr<RuleManager> manager_;
};

TEST_F(ManagerTest, EvaluatesWhenDueAndCountsMissedSlots) {
  Write("groups:\n- name: g\n  rules:\n  - record: r\n    expr: vector(1)\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  manager_->AwaitQuiet();
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 0);
  Pass(kMinute);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 1);
  Pass(5 * kMinute);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 6);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_missed_total"), 4);
  const auto samples = fixture_.storage.Samples({{"__name__", "r"}});
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[1].t - samples[0].t, 5 * kMinute);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).outcome.health, RuleHealth::kOk);
}

TEST_F(ManagerTest, ReloadKeepsWhatIsTheSameAndTheStateOfWhatChanged) {
  Write("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n    for: 5m\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  Pass(kMinute);
  const TimestampMs active_at = manager_->Groups().at(0).rules.at(0).alerts.at(0).active_at;
  ASSERT_TRUE(manager_->Load(Config()));
  Write(
      "groups:\n- name: g\n  rules:\n  - record: new\n    expr: vector(2)\n  - alert: A\n    expr: vector(1)\n    for: "
      "6m\n");
  ASSERT_TRUE(manager_->Load(Config()));
  Pass(kMinute);
  const auto groups = manager_->Groups();
  ASSERT_EQ(groups.at(0).rules.size(), 2u);
  EXPECT_EQ(groups.at(0).rules.at(1).alerts.at(0).active_at, active_at);
}

// A small step back is waited for, as the samples of that time are there already; after a large one the new time
// counts.
TEST_F(ManagerTest, WhenTheClockIsSetBackAlertsFireOn) {
  Write("groups:\n- name: g\n  rules:\n  - {alert: A, expr: vector(1), for: 2m}\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  for (int i = 0; i < 3; ++i) Pass(kMinute);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).state, AlertState::kFiring);
  EXPECT_EQ(fixture_.alerts.Take().size(), 1U);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 3);

  fixture_.clock.StepWallMs(-10 * kMinute);
  for (int i = 0; i < 10; ++i) Pass(kMinute);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 3);
  Pass(kMinute);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 4);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_missed_total"), 0);

  fixture_.clock.StepWallMs(-120 * kMinute);
  manager_->AwaitQuiet();  // it looks at the clock
  for (int i = 0; i < 3; ++i) Pass(kMinute);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), 7);
  EXPECT_LE(manager_->Groups().at(0).evaluated_ns / 1'000'000, fixture_.clock.NowMs());
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).state, AlertState::kFiring);
  for (const Alert& alert : fixture_.alerts.Take()) EXPECT_FALSE(alert.resolved_at);
}

// The alerts of one iteration are on the device a second later, though nothing else happens that minute.
TEST_F(ManagerTest, TheJournalIsSyncedASecondAfterAnIteration) {
  testing::MemoryFileSystem files;
  AlertJournalOptions options;
  options.directory = "/alerts";
  auto journal = AlertJournal::Open(files, fixture_.clock, options, {});
  ASSERT_TRUE(journal);
  fixture_.options.journal = journal->get();
  manager_ = std::make_unique<RuleManager>(fixture_.options);
  Write("groups:\n- name: g\n  rules:\n  - {alert: A, expr: vector(1)}\n  - {alert: B, expr: vector(1)}\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  Pass(kMinute);
  const MonotonicNs due = (*journal)->sync_due();
  EXPECT_NE(due, INT64_MAX);
  Pass(1000);
  // The next iteration may fall into this second: the group's place in the minute is by its path.
  EXPECT_GT((*journal)->sync_due(), due);
  files.Restart(testing::MemoryFileSystem::Loss::kPower);
  auto again = AlertJournal::Open(files, fixture_.clock, options, {});
  ASSERT_TRUE(again);
  for (const char* name : {"A", "B"}) {
    const RuleId id{GroupKey(Path(), "g"), name, std::string(name) + "{}"};
    const auto state = (*again)->StateOf(id);
    ASSERT_EQ(state.size(), 1U) << name;
    EXPECT_EQ(state[0].state, AlertState::kFiring);
  }
  manager_->Stop();
}

TEST_F(ManagerTest, BadFilesChangeNothing) {
  Write("groups:\n- name: g\n  rules:\n  - record: r\n    expr: vector(1)\n");
  ASSERT_TRUE(manager_->Load(Config()));
  Write("groups:\n- name: g\n  rules:\n  - record: r\n    expr: vector(\n");
  const auto loaded = manager_->Load(Config());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message(), "error loading rules, previous rule set restored");
  EXPECT_EQ(manager_->Groups().size(), 1u);
}

TEST_F(ManagerTest, SeriesOfRemovedGroupsGoStaleAfterTwoIntervals) {
  Write("groups:\n- name: g\n  rules:\n  - record: r\n    expr: vector(1)\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  Pass(kMinute);
  Write("groups: []\n");
  fixture_.clock.AdvanceMs(1000);
  ASSERT_TRUE(manager_->Load(Config()));
  const size_t samples = fixture_.storage.Samples({{"__name__", "r"}}).size();
  Pass(kMinute);
  EXPECT_EQ(fixture_.storage.Samples({{"__name__", "r"}}).size(), samples);
  Pass(2 * kMinute);
  EXPECT_EQ(fixture_.At({{"__name__", "r"}}, fixture_.clock.NowMs()), "stale");
  EXPECT_TRUE(manager_->Groups().empty());
}

TEST_F(ManagerTest, RenamedGroupsKeepTheirSeriesAlive) {
  Write("groups:\n- name: g\n  rules:\n  - record: r\n    expr: vector(1)\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  Pass(kMinute);
  Write("groups:\n- name: h\n  rules:\n  - record: r\n    expr: vector(1)\n");
  ASSERT_TRUE(manager_->Load(Config()));
  for (int i = 0; i < 5; ++i) Pass(kMinute);
  EXPECT_EQ(fixture_.At({{"__name__", "r"}}, fixture_.clock.NowMs()), "1.00");
}

TEST_F(ManagerTest, GroupsAreListedByFileAndName) {
  const auto write = [&](const std::string& file, const std::string& text) {
    ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(directory_.path() + "/" + file, text));
  };
  write("b.yml", "groups:\n- {name: z, rules: []}\n- {name: a, rules: []}\n- {name: B, rules: []}\n");
  write("a.yml", "groups:\n- {name: m, rules: []}\n");
  ASSERT_TRUE(manager_->Load(Config()));
  std::string names;
  for (const GroupStatus& group : manager_->Groups()) names += group.name;
  EXPECT_EQ(names, "mBaz");
}

// Answers like the engine, but the next question takes a while.
class SlowQuerier final : public RuleQuerier {
 public:
  SlowQuerier(const RuleQuerier& inner, testing::SimulatedClock& clock) : inner_(inner), clock_(clock) {}
  Result<promql::VectorValue> Evaluate(const promql::ParsedQuery& query, TimestampMs at,
                                       const promql::QueryOrigin* origin) const override {
    asked_.push_back(at);
    clock_.AdvanceMs(takes_ms.exchange(0));
    return inner_.Evaluate(query, at, origin);
  }
  Result<std::shared_ptr<const promql::ParsedQuery>> Parse(std::string_view text) const override {
    return inner_.Parse(text);
  }
  mutable std::atomic<int64_t> takes_ms{0};
  mutable std::vector<TimestampMs> asked_;  // by one group, so by one thread at a time

 private:
  const RuleQuerier& inner_;
  testing::SimulatedClock& clock_;
};

class SlowManagerTest : public ManagerTest {
 protected:
  // A group of one alert, asked of `querier`.
  void StartWith(const RuleQuerier& querier) {
    manager_.reset();
    fixture_.options.querier = &querier;
    manager_ = std::make_unique<RuleManager>(fixture_.options);
    Write("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n    for: 10m\n");
    ASSERT_TRUE(manager_->Load(Config()));
    manager_->Start();
  }
};

TEST_F(SlowManagerTest, SlowEvaluationsMissSlotsAndStayOnTheGrid) {
  SlowQuerier slow(fixture_.querier, fixture_.clock);
  StartWith(slow);
  Pass(kMinute);
  slow.takes_ms = 150'000;  // two and a half intervals
  Pass(kMinute);
  for (int i = 0; i < 12; ++i) Pass(kMinute);
  ASSERT_GT(slow.asked_.size(), 5u);
  for (size_t i = 1; i < slow.asked_.size(); ++i) {
    EXPECT_GT(slow.asked_[i], slow.asked_[i - 1]);
    EXPECT_EQ((slow.asked_[i] - slow.asked_[0]) % kMinute, 0);
  }
  EXPECT_GE(Metric("prometheus_rule_group_iterations_missed_total"), 1);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"),
            static_cast<double>((slow.asked_.back() - slow.asked_.front()) / kMinute + 1));
  // What was missed does not hold the alert up: `for` is a matter of time, not of evaluations.
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).alerts.at(0).state, AlertState::kFiring);
  manager_->Stop();
}

// Every evaluation takes two and a half intervals: what does not fit is missed and counted, nothing piles up.
TEST_F(SlowManagerTest, OverloadMissesSlotsAndCountsThem) {
  SlowQuerier slow(fixture_.querier, fixture_.clock);
  StartWith(slow);
  for (int i = 0; i < 10; ++i) {
    slow.takes_ms = 150'000;
    Pass(kMinute);
  }
  manager_->Stop();
  const auto evaluated = static_cast<double>(slow.asked_.size());
  const auto slots = static_cast<double>((slow.asked_.back() - slow.asked_.front()) / kMinute + 1);
  EXPECT_GE(evaluated, 10);
  EXPECT_GE(slots, 20);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_total"), slots);
  EXPECT_EQ(Metric("prometheus_rule_group_iterations_missed_total"), slots - evaluated);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).alerts.at(0).state, AlertState::kFiring);
}

TEST_F(ManagerTest, JumpsOfTheClockBreakNothing) {
  Write("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: vector(1)\n    for: 5m\n");
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  for (int i = 0; i < 3; ++i) Pass(kMinute);
  const TimestampMs active_at = manager_->Groups().at(0).rules.at(0).alerts.at(0).active_at;
  // An hour back: nothing is evaluated twice, and time goes on from there.
  fixture_.clock.StepWallMs(-60 * kMinute);
  for (int i = 0; i < 30; ++i) Pass(kMinute);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).alerts.at(0).active_at, active_at);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).alerts.at(0).state, AlertState::kPending);
  // A day ahead: the slots between are missed, not made up for.
  const double before = Metric("prometheus_rule_group_iterations_total");
  const double missed_before = Metric("prometheus_rule_group_iterations_missed_total");
  fixture_.clock.StepWallMs(24 * 60 * kMinute);
  for (int i = 0; i < 3; ++i) Pass(kMinute);
  const double iterations = Metric("prometheus_rule_group_iterations_total") - before;
  const double missed = Metric("prometheus_rule_group_iterations_missed_total") - missed_before;
  EXPECT_GT(missed, 1000);
  EXPECT_LE(iterations - missed, 4);
  EXPECT_EQ(manager_->Groups().at(0).rules.at(0).alerts.at(0).state, AlertState::kFiring);
}

TEST_F(ManagerTest, StopWhileManyGroupsRun) {
  std::string text = "groups:\n";
  for (int i = 0; i < 200; ++i) {
    text += "- name: g" + std::to_string(i) + "\n  interval: 1s\n  rules:\n  - record: r" + std::to_string(i) +
            "\n    expr: vector(1)\n";
  }
  Write(text);
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Start();
  for (int i = 0; i < 20; ++i) fixture_.clock.AdvanceMs(500);
  ASSERT_TRUE(manager_->Load(Config()));
  manager_->Stop();
  manager_->Stop();
  EXPECT_EQ(manager_->Groups().size(), 200u);
}

}  // namespace
}  // namespace epi::rules
