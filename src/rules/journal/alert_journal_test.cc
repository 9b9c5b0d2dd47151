#include "rules/journal/alert_journal.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "rules/group.h"
#include "testing/memory_file_system.h"
#include "testing/rules_fixture.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

constexpr TimestampMs kJournalStart = 1'700'000'040'000;
constexpr int64_t kJournalMinute = 60'000;

AlertEvent SomeEvent() {
  AlertEvent event;
  event.kind = AlertEventKind::kKeptFiring;
  event.time = kJournalStart;
  event.alert.rule = std::make_shared<const RuleId>(RuleId{"f.yml;g", "Down", "Down{}"});
  event.alert.labels = {{"alertname", "Down"}, {"instance", "a"}};
  event.alert.annotations = {{"empty", ""}, {"summary", "it is down"}};
  event.alert.state = AlertState::kFiring;
  event.alert.value = -0.5;
  event.alert.active_at = kJournalStart - 5;
  event.alert.fired_at = kJournalStart - 3;
  event.alert.keep_firing_since = kJournalStart - 1;
  event.detail = "why";
  return event;
}

TEST(AlertJournalFormat, EventsReadBack) {
  const AlertEvent event = SomeEvent();
  const auto got = DecodeAlertEvent(EncodeAlertEvent(event));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->kind, event.kind);
  EXPECT_EQ(got->time, event.time);
  EXPECT_EQ(*got->alert.rule, *event.alert.rule);
  EXPECT_EQ(got->alert.labels, event.alert.labels);
  EXPECT_EQ(got->alert.annotations, event.alert.annotations);
  EXPECT_EQ(got->alert.state, event.alert.state);
  EXPECT_EQ(got->alert.value, event.alert.value);
  EXPECT_EQ(got->alert.active_at, event.alert.active_at);
  EXPECT_EQ(got->alert.fired_at, event.alert.fired_at);
  EXPECT_EQ(got->alert.resolved_at, event.alert.resolved_at);
  EXPECT_EQ(got->alert.keep_firing_since, event.alert.keep_firing_since);
  EXPECT_EQ(got->detail, event.detail);
}

TEST(AlertJournalFormat, TruncatedAndChangedBytesAreNeverTakenForRecords) {
  std::string file = JournalHeader();
  AppendJournalRecord(file, JournalRecordType::kEvent, EncodeAlertEvent(SomeEvent()));
  const size_t first = file.size();
  AppendJournalRecord(file, JournalRecordType::kAlive, EncodeAlive(7));
  for (size_t length = 0; length < file.size(); ++length) {
    JournalScanner scanner(std::string_view(file).substr(0, length));
    size_t count = 0;
    for (JournalScanner::Record record; scanner.Next(record);) ++count;
    EXPECT_EQ(count, length >= first ? 1U : 0U);
  }
  for (size_t bit = 0; bit < first * 8; ++bit) {
    std::string changed = file;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    JournalScanner scanner(changed);
    JournalScanner::Record record;
    EXPECT_FALSE(scanner.Next(record)) << bit;
  }
  // What passes the checksum may still be nonsense.
  const std::string payload = EncodeAlertEvent(SomeEvent());
  for (size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(DecodeAlertEvent(std::string_view(payload).substr(0, length)));
  }
}

class AlertJournalTest : public ::testing::Test {
 protected:
  AlertJournalTest() { Open(); }
  void Open(AlertJournalOptions options = {}) {
    journal_.reset();
    options.directory = directory_.path() + "/alerts";
    auto opened = AlertJournal::Open(PosixFileSystem(), fixture_.clock, options, {});
    ASSERT_TRUE(opened) << opened.error().message();
    journal_ = std::move(*opened);
    fixture_.options.journal = journal_.get();
  }
  // A process that starts anew: nothing but the journal and storage is left.
  void Restart() {
    group_.reset();
    Open();
  }
  void Make(const std::string& rule) {
    auto file = ParseRuleFile("groups:\n- name: g\n  rules:\n  - " + rule, {});
    ASSERT_TRUE(file.ok()) << file.errors.front();
    GroupSettings settings;
    settings.file = "f.yml";
    settings.spec = file.file.groups.at(0);
    group_ = std::move(*Group::Make(std::move(settings), fixture_.options, true, nullptr));
  }
  AlertingRule& Rule() { return static_cast<AlertingRule&>(*group_->rules().at(0)); }
  // `down`: whether the condition is met; without a value there is no data.
  void Step(TimestampMs t, std::optional<bool> down) {
    if (down) fixture_.storage.Append({{"__name__", "up"}, {"instance", "a"}}, t, *down ? 0 : 1);
    if (!down) fixture_.storage.Append({{"__name__", "up"}, {"instance", "a"}}, t, StaleNaN());
    const int64_t ahead = t - fixture_.clock.NowMs();
    if (ahead > 0) fixture_.clock.AdvanceMs(ahead);
    group_->Iterate(t, surroundings_);
    group_->RestoreIfDue();
  }
  std::vector<std::string> Kinds(const HistoryQuery& query) const {
    std::vector<std::string> out;
    const std::vector<HistoryEntry> entries = *journal_->History(query);
    for (const auto& entry : entries) out.emplace_back(AlertEventKindName(entry.event.kind));
    return out;
  }
  static HistoryQuery All() {
    HistoryQuery query;
    query.start = 0;
    query.end = INT64_MAX;
    return query;
  }

  testing::TempDir directory_;
  RulesFixture fixture_;
  std::unique_ptr<AlertJournal> journal_;
  std::unique_ptr<Group> group_;
  GroupSurroundings surroundings_;
};

constexpr const char* kFullRule =
    "{alert: Down, expr: up == 0, for: 3m, keep_firing_for: 2m, annotations: {summary: 'x{{ $value }}'}}";

// What is seen of the alert, step by step.
std::string Seen(AlertingRule& rule, RecordingAlertSink& sink) {
  std::string out;
  rule.ForEachAlert(
      [&](Alert& alert) { out = std::string(AlertStateName(alert.state)) + (alert.keep_firing_since ? " kept" : ""); });
  for (const Alert& alert : sink.Take()) out += alert.resolved_at ? " sent:resolved" : " sent:firing";
  return out;
}

TEST_F(AlertJournalTest, ARestartBeforeAnyStepChangesNoState) {
  // Pending for three minutes, firing, kept for two, resolved.
  const bool down[] = {true, true, true, true, true, false, true, false, false, false, false};
  constexpr int kSteps = std::size(down);
  std::vector<std::string> want;
  for (int restart = -1; restart < kSteps; ++restart) {
    SCOPED_TRACE(restart);
    ASSERT_TRUE(PosixFileSystem().RemoveAll(directory_.path() + "/alerts"));
    fixture_.storage.Clear();
    fixture_.alerts.Take();
    Restart();
    Make(kFullRule);
    std::vector<std::string> got;
    const TimestampMs start = group_->SlotNs(fixture_.clock.NowNs()) / 1'000'000 + kJournalMinute;
    for (int i = 0; i < kSteps; ++i) {
      if (i == restart) {
        Restart();
        Make(kFullRule);
      }
      Step(start + i * kJournalMinute, down[i]);
      got.push_back(Seen(Rule(), fixture_.alerts));
    }
    if (restart == -1) {
      want = got;
      EXPECT_EQ(want[3], "firing sent:firing");
      EXPECT_EQ(want[5], "firing kept sent:firing");
      EXPECT_EQ(want[9], "inactive kept sent:resolved");
      continue;
    }
    // What is first missed at a restart is held for two intervals, for its data may be late.
    const bool held = restart >= 0 && !down[restart] && down[restart - 1];
    for (int i = 0; i < kSteps; ++i) {
      if (held && i >= restart) {
        if (i < restart + 2) {
          EXPECT_EQ(got[static_cast<size_t>(i)].substr(0, 6), "firing") << i;
        }
        continue;
      }
      // After a restart what was sent is sent again.
      const auto without_sent = [](const std::string& text) { return text.substr(0, text.find(" sent")); };
      EXPECT_EQ(without_sent(got[static_cast<size_t>(i)]), without_sent(want[static_cast<size_t>(i)])) << i;
    }
    if (!held) {
      EXPECT_EQ(got[9], "inactive kept sent:resolved");
    }
  }
}

TEST_F(AlertJournalTest, TheOutageDoesNotCountForShortFor) {
  Make(kFullRule);
  const TimestampMs start = group_->SlotNs(kJournalStart * 1'000'000) / 1'000'000 + kJournalMinute;
  Step(start, true);
  Step(start + kJournalMinute, true);
  Restart();
  Make(kFullRule);
  // Pending for one minute of three when the server went down for ten.
  const TimestampMs back = start + 11 * kJournalMinute;
  Step(back, true);
  EXPECT_EQ(Rule().state(), AlertState::kPending);
  Step(back + kJournalMinute, true);
  EXPECT_EQ(Rule().state(), AlertState::kPending);
  Step(back + 2 * kJournalMinute, true);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
}

TEST_F(AlertJournalTest, LongForIsRestoredAsPrometheusRestoresIt) {
  const std::string rule = "{alert: Down, expr: up == 0, for: 30m}";
  struct Case {
    int64_t pending_before, outage, active_before;
  };
  for (const Case& c : {Case{25, 5, 20}, Case{10, 5, 10}}) {
    ASSERT_TRUE(PosixFileSystem().RemoveAll(directory_.path() + "/alerts"));
    fixture_.storage.Clear();
    Restart();
    Make(rule);
    const TimestampMs start = group_->SlotNs(fixture_.clock.NowNs()) / 1'000'000 + kJournalMinute;
    for (int64_t i = 0; i <= c.pending_before; ++i) Step(start + i * kJournalMinute, true);
    Restart();
    Make(rule);
    const TimestampMs now = start + (c.pending_before + c.outage) * kJournalMinute;
    Step(now, true);
    ASSERT_EQ(Rule().ActiveAlerts().size(), 1U);
    const int64_t active_for = now - Rule().ActiveAlerts()[0].active_at;
    EXPECT_NEAR(static_cast<double>(active_for), static_cast<double>(c.active_before * kJournalMinute), kJournalMinute);
  }
}

TEST_F(AlertJournalTest, MissingDataAfterARestartResolvesNothing) {
  Make("{alert: Down, expr: up == 0}");
  Step(kJournalStart, true);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
  fixture_.alerts.Take();
  Restart();
  Make("{alert: Down, expr: up == 0}");
  const TimestampMs back = kJournalStart + 3 * kJournalMinute;
  Step(back, std::nullopt);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
  auto sent = fixture_.alerts.Take();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_FALSE(sent[0].resolved_at);
  EXPECT_EQ(*sent[0].fired_at, kJournalStart);
  Step(back + kJournalMinute, std::nullopt);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
  Step(back + 2 * kJournalMinute, true);
  EXPECT_EQ(Rule().state(), AlertState::kFiring);
  Step(back + 3 * kJournalMinute, false);
  EXPECT_EQ(Rule().state(), AlertState::kInactive);
  // Data that stays away resolves it in the end.
  Restart();
  Make("{alert: Down, expr: up == 0}");
  Step(back + 4 * kJournalMinute, true);
  Restart();
  Make("{alert: Down, expr: up == 0}");
  for (int i = 5; i < 8; ++i) Step(back + i * kJournalMinute, std::nullopt);
  EXPECT_EQ(Rule().state(), AlertState::kInactive);
}

TEST_F(AlertJournalTest, AResolutionThatWasNotSentIsSentAfterTheRestart) {
  Make("{alert: Down, expr: up == 0}");
  fixture_.options.alerts = nullptr;
  Step(kJournalStart, true);
  Step(kJournalStart + kJournalMinute, false);
  fixture_.options.alerts = &fixture_.alerts;
  Restart();
  Make("{alert: Down, expr: up == 0}");
  Step(kJournalStart + 2 * kJournalMinute, false);
  const auto sent = fixture_.alerts.Take();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].resolved_at, kJournalStart + kJournalMinute);
  EXPECT_EQ(sent[0].fired_at, kJournalStart);
}

TEST_F(AlertJournalTest, TooLongAnOutageRestoresNothing) {
  Make("{alert: Down, expr: up == 0, for: 1m}");
  Step(kJournalStart, true);
  Step(kJournalStart + kJournalMinute, true);
  Restart();
  Make("{alert: Down, expr: up == 0, for: 1m}");
  Step(kJournalStart + 120 * kJournalMinute, true);
  EXPECT_EQ(Rule().state(), AlertState::kPending);
}

TEST_F(AlertJournalTest, RulesThatAreGoneAreForgotten) {
  Make("{alert: Down, expr: up == 0}");
  Step(kJournalStart, true);
  const std::shared_ptr<const RuleId> id = Rule().id();
  journal_->KeepRules({id});
  Restart();
  EXPECT_EQ(journal_->StateOf(*id).size(), 1U);
  journal_->KeepRules({});
  Restart();
  EXPECT_TRUE(journal_->StateOf(*id).empty());
}

TEST_F(AlertJournalTest, HistoryTellsWhatHappenedAndWhatWasAnswered) {
  Make(kFullRule);
  const bool down[] = {true, true, true, true, false, true, false, false, false, true, false};
  for (int i = 0; i < 4; ++i) Step(kJournalStart + i * kJournalMinute, down[i]);
  const Labels labels{{"alertname", "Down"}, {"instance", "a"}};
  const auto answer = [&](const std::string& error) {
    journal_->Delivered({Rule().id(), labels, false, fixture_.clock.NowMs(), "http://am/", error});
  };
  answer("connection refused");
  answer("connection refused");
  answer("");
  answer("");
  for (int i = 4; i < 11; ++i) Step(kJournalStart + i * kJournalMinute, down[i]);
  const std::vector<std::string> want = {"pending",     "firing",   "kept_firing", "met_again",
                                         "kept_firing", "resolved", "pending",     "canceled"};
  EXPECT_EQ(Kinds(All()), want);
  const auto entries = *journal_->History(All());
  ASSERT_EQ(entries[1].deliveries.size(), 2U);
  EXPECT_EQ(entries[1].deliveries[0].error, "connection refused");
  EXPECT_EQ(entries[1].deliveries[1].error, "");
  EXPECT_EQ(entries[1].event.time, kJournalStart + 3 * kJournalMinute);
  EXPECT_EQ(entries[1].event.alert.annotations, (RuleLabels{{"summary", "x0"}}));

  HistoryQuery last = All();
  last.limit = 2;
  EXPECT_EQ(Kinds(last), (std::vector<std::string>{"pending", "canceled"}));
  HistoryQuery early = All();
  early.end = kJournalStart;
  EXPECT_EQ(Kinds(early), std::vector<std::string>{"pending"});
  HistoryQuery other = All();
  other.label_sets = {{Matcher::Equal("instance", "b")}};
  EXPECT_TRUE(Kinds(other).empty());
  other.label_sets.push_back({Matcher::Equal("instance", "a")});
  EXPECT_EQ(Kinds(other), want);
  other = All();
  other.rule = "Up";
  EXPECT_TRUE(Kinds(other).empty());
  // It outlives the process.
  Restart();
  EXPECT_EQ(Kinds(All()), want);
}

TEST_F(AlertJournalTest, RulesThatFailAreTold) {
  Make("{alert: Down, expr: up == 0}");
  fixture_.storage.FailViews(Error(ErrorCode::kIo, "disk on fire"));
  group_->Iterate(kJournalStart, surroundings_);
  group_->Iterate(kJournalStart + kJournalMinute, surroundings_);
  fixture_.storage.FailViews(std::nullopt);
  group_->Iterate(kJournalStart + 2 * kJournalMinute, surroundings_);
  EXPECT_EQ(Kinds(All()), (std::vector<std::string>{"rule_failed", "rule_recovered"}));
  EXPECT_NE((*journal_->History(All()))[0].event.detail.find("disk on fire"), std::string::npos);
  // At the server's end queries are canceled; the rules did not fail.
  fixture_.querier.Cancel();
  group_->Iterate(kJournalStart + 3 * kJournalMinute, surroundings_);
  EXPECT_EQ(group_->rules().at(0)->outcome().health, RuleHealth::kErr);
  EXPECT_EQ(Kinds(All()).size(), 2U);
}

TEST_F(AlertJournalTest, OldSegmentsAreRemovedAndTheStateStays) {
  AlertJournalOptions small;
  small.segment_bytes = 512;
  small.max_bytes = 4096;
  Open(small);
  Make("{alert: Down, expr: up == 0}");
  const std::shared_ptr<const RuleId> id = Rule().id();
  for (int i = 0; i < 201; ++i) Step(kJournalStart + i * kJournalMinute, i % 2 == 0);
  const auto names = *PosixFileSystem().List(directory_.path() + "/alerts");
  EXPECT_LT(names.size(), 20U);
  EXPECT_GT(names.size(), 1U);
  EXPECT_LT(Kinds(All()).size(), 100U);
  Restart();
  const auto state = journal_->StateOf(*id);
  ASSERT_EQ(state.size(), 1U);
  EXPECT_EQ(state[0].state, AlertState::kFiring);
}

// The power goes at every operation in turn: what was said to be written and synced is there, and the journal opens.
TEST(AlertJournalCrash, AnyOperationMayBeTheLast) {
  testing::SimulatedClock clock{kJournalStart};
  SeededRandom random{7};
  for (uint64_t cut = 1; cut < 60; ++cut) {
    for (const auto loss : {testing::MemoryFileSystem::Loss::kProcess, testing::MemoryFileSystem::Loss::kPower}) {
      testing::MemoryFileSystem files;
      AlertJournalOptions options;
      options.directory = "/data/alerts";
      options.segment_bytes = 300;
      AlertEvent event = SomeEvent();
      TimestampMs recorded = 0;
      files.CutAfter(cut);
      if (auto journal = AlertJournal::Open(files, clock, options, {})) {
        for (int i = 0; i < 12 && !files.cut(); ++i) {
          clock.AdvanceMs(2000);
          event.time = kJournalStart + i;
          (*journal)->Record({event});
          if (!files.cut()) recorded = event.time;
        }
      }
      files.Restart(loss, &random);
      auto again = AlertJournal::Open(files, clock, options, {});
      ASSERT_TRUE(again) << cut << again.error().message();
      const auto state = (*again)->StateOf(*event.alert.rule);
      if (recorded == 0) continue;
      ASSERT_EQ(state.size(), 1U) << cut;
    }
  }
}

}  // namespace
}  // namespace epi::rules
