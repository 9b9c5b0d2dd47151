#include <gtest/gtest.h>

#include <sstream>

#include "rules/dependencies.h"
#include "rules/group.h"
#include "rules/group_metrics.h"
#include "rules/recording_rule.h"
#include "testing/conformance.h"
#include "testing/memory_file_system.h"
#include "testing/rules_fixture.h"
#include "testing/temp_dir.h"

namespace epi::rules {
namespace {

using nlohmann::json;

constexpr TimestampMs kStart = 1'700'000'000'000;
constexpr int64_t kMinute = 60'000;

RuleFile Parsed(const std::string& text) {
  auto outcome = ParseRuleFile(text, {});
  EXPECT_TRUE(outcome.ok()) << (outcome.errors.empty() ? "" : outcome.errors.front());
  return std::move(outcome.file);
}

class GroupTest : public ::testing::Test {
 protected:
  std::unique_ptr<Group> Make(const std::string& rules, bool restore = false, GroupMetrics* metrics = nullptr) {
    GroupSettings settings;
    settings.file = "f.yml";
    settings.spec = Parsed("groups:\n- name: g\n" + rules).groups.at(0);
    settings.query_offset_ms = settings.spec.query_offset_ms.value_or(0);
    auto group = Group::Make(std::move(settings), fixture_.options, restore, metrics);
    EXPECT_TRUE(group) << group.error().message();
    return std::move(*group);
  }
  static const AlertingRule& Alerting(const Group& group, size_t i = 0) {
    return static_cast<const AlertingRule&>(*group.rules()[i]);
  }
  void Up(TimestampMs t, double v, const Labels& labels = {{"__name__", "up"}, {"instance", "a"}}) {
    fixture_.storage.Append(labels, t, v);
  }

  RulesFixture fixture_;
  GroupSurroundings surroundings_;
};

TEST_F(GroupTest, RecordingRulesStoreUnderTheirName) {
  auto group = Make(
      "  labels: {team: x}\n  rules:\n  - record: r\n    expr: up + 1\n    labels: {extra: y}\n  - record: s\n    "
      "expr: '7'\n");
  Up(kStart, 1);
  group->Iterate(kStart, surroundings_);
  EXPECT_EQ(fixture_.At({{"__name__", "r"}, {"instance", "a"}, {"team", "x"}, {"extra", "y"}}, kStart), "2.00");
  EXPECT_EQ(fixture_.At({{"__name__", "s"}, {"team", "x"}}, kStart), "7.00");
  EXPECT_EQ(group->rules()[0]->outcome().health, RuleHealth::kOk);
}

// Of a recording rule, of an alerting rule and of a query in one of its templates.
TEST_F(GroupTest, TheQueryLogNamesTheGroup) {
  testing::MemoryFileSystem files;
  promql::QueryLog log(files, fixture_.clock, nullptr);
  ASSERT_TRUE(files.CreateDirectories("/log"));
  ASSERT_TRUE(log.SetFile("/log/queries"));
  promql::EngineOptions options = RulesFixture::EngineOptionsOf(fixture_.clock);
  options.log = &log;
  const promql::Engine engine(options);
  const EngineQuerier querier(engine, fixture_.storage);
  fixture_.options.querier = &querier;
  auto group = Make(
      "  rules:\n  - record: r\n    expr: up + 1\n  - alert: A\n    expr: up > 0\n    annotations:\n"
      "      a: '{{ query \"up - 1\" }}'\n");
  Up(kStart, 1);
  group->Iterate(kStart, surroundings_);
  std::istringstream lines(files.ReadFile("/log/queries").value());
  std::vector<std::string> queries;
  for (std::string line; std::getline(lines, line);) {
    const json entry = json::parse(line);
    queries.push_back(entry["params"]["query"]);
    EXPECT_EQ(entry["ruleGroup"], (json{{"file", "f.yml"}, {"name", "g"}})) << line;
    EXPECT_FALSE(entry.contains("httpRequest")) << line;
  }
  EXPECT_EQ(queries, (std::vector<std::string>{"up + 1", "up > 0", "up - 1"}));
}

TEST_F(GroupTest, VanishedSeriesGoStale) {
  auto group = Make("  rules:\n  - record: r\n    expr: up == 1\n");
  Up(kStart, 1);
  group->Iterate(kStart, surroundings_);
  Up(kStart + kMinute, 0);
  group->Iterate(kStart + kMinute, surroundings_);
  EXPECT_EQ(fixture_.At({{"__name__", "r"}, {"instance", "a"}}, kStart), "1.00");
  EXPECT_EQ(fixture_.At({{"__name__", "r"}, {"instance", "a"}}, kStart + kMinute), "stale");
}

TEST_F(GroupTest, QueryOffsetShiftsQueriesAndSamples) {
  auto group = Make("  query_offset: 1m\n  rules:\n  - record: r\n    expr: up\n");
  Up(kStart, 1);
  Up(kStart + kMinute, 5);
  group->Iterate(kStart + kMinute, surroundings_);
  EXPECT_EQ(fixture_.At({{"__name__", "r"}, {"instance", "a"}}, kStart), "1.00");
  EXPECT_EQ(fixture_.storage.Samples({{"__name__", "r"}, {"instance", "a"}}).size(), 1u);
}

TEST_F(GroupTest, OneBadRuleStopsNobodyElse) {
  auto group = Make(
      "  limit: 1\n  rules:\n  - record: a\n    expr: up\n  - record: b\n    expr: sum(up)\n  - record: c\n"
      "    expr: label_replace(up, 'instance', 'x', '', '')\n");
  Up(kStart, 1);
  Up(kStart, 2, {{"__name__", "up"}, {"instance", "b"}});
  group->Iterate(kStart, surroundings_);
  EXPECT_EQ(group->rules()[0]->outcome().last_error, "exceeded limit of 1 with 2 series");
  EXPECT_EQ(group->rules()[0]->outcome().health, RuleHealth::kErr);
  EXPECT_EQ(fixture_.At({{"__name__", "b"}}, kStart), "3.00");
  EXPECT_EQ(group->rules()[2]->outcome().health, RuleHealth::kErr);
}

constexpr const char* kAlertRule =
    "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 2m\n    keep_firing_for: 1m\n    labels: {severity: page}\n"
    "    annotations: {summary: '{{ $labels.instance }} is {{ $value }}'}\n";

TEST_F(GroupTest, AlertsGoThroughTheirStates) {
  auto group = Make(kAlertRule);
  const Labels pending{{"__name__", "ALERTS"},
                       {"alertname", "Down"},
                       {"alertstate", "pending"},
                       {"instance", "a"},
                       {"severity", "page"}};
  const Labels firing = pending.With("alertstate", "firing");
  const Labels for_state = pending.Without("alertstate").With("__name__", "ALERTS_FOR_STATE");
  const double values[] = {0, 0, 0, 1, 1, 1};
  for (int i = 0; i < 6; ++i) {
    const TimestampMs t = kStart + i * kMinute;
    Up(t, values[i]);
    group->Iterate(t, surroundings_);
    const AlertState state = Alerting(*group).state();
    switch (i) {
      case 0:
      case 1:
        EXPECT_EQ(state, AlertState::kPending);
        EXPECT_EQ(fixture_.At(pending, t), "1.00");
        EXPECT_TRUE(fixture_.alerts.Take().empty());
        break;
      case 2: {
        EXPECT_EQ(state, AlertState::kFiring);
        EXPECT_EQ(fixture_.At(pending, t), "stale");
        EXPECT_EQ(fixture_.At(firing, t), "1.00");
        EXPECT_EQ(fixture_.storage.Samples(for_state).back().value, static_cast<double>(kStart / 1000));
        const auto sent = fixture_.alerts.Take();
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_EQ(ToLabels(sent[0].annotations).Get("summary"), "a is 0");
        EXPECT_EQ(*sent[0].fired_at, t);
        EXPECT_EQ(sent[0].valid_until, t + 4 * kMinute);
        break;
      }
      case 3:  // kept firing for a minute
        EXPECT_EQ(state, AlertState::kFiring);
        break;
      case 4: {
        EXPECT_EQ(state, AlertState::kInactive);
        EXPECT_EQ(fixture_.At(firing, t), "stale");
        const auto sent = fixture_.alerts.Take();
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_EQ(*sent[0].resolved_at, t);
        break;
      }
      default:
        break;
    }
  }
  EXPECT_TRUE(Alerting(*group).ActiveAlerts().empty());
  EXPECT_EQ(Alerting(*group).active_count(), 1u);
  // Forgotten after fifteen minutes.
  for (int i = 6; i < 22; ++i) {
    Up(kStart + i * kMinute, 1);
    group->Iterate(kStart + i * kMinute, surroundings_);
  }
  EXPECT_EQ(Alerting(*group).active_count(), 0u);
}

TEST_F(GroupTest, PendingAlertsVanishSilentlyAndResolvedOnesComeBackAnew) {
  auto group = Make("  rules:\n  - alert: Down\n    expr: up == 0\n");
  Up(kStart, 0);
  group->Iterate(kStart, surroundings_);
  EXPECT_EQ(Alerting(*group).state(), AlertState::kFiring);
  Up(kStart + kMinute, 1);
  group->Iterate(kStart + kMinute, surroundings_);
  Up(kStart + 2 * kMinute, 0);
  group->Iterate(kStart + 2 * kMinute, surroundings_);
  const auto alerts = Alerting(*group).ActiveAlerts();
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].active_at, kStart + 2 * kMinute);
  EXPECT_FALSE(alerts[0].resolved_at.has_value());
}

TEST_F(GroupTest, RaisingForTakesAFiringAlertBackToPending) {
  const auto rules = [](const std::string& hold) {
    return "  rules:\n  - {alert: Down, expr: up == 0, keep_firing_for: 1h, for: " + hold + "}\n";
  };
  for (const double met : {0.0, 1.0}) {  // met still, or only kept firing
    auto before = Make(rules("0s"));
    Up(kStart, 0);
    before->Iterate(kStart, surroundings_);
    EXPECT_EQ(fixture_.alerts.Take().size(), 1u);
    auto group = Make(rules("2m"));
    group->CopyState(*before);
    Up(kStart + kMinute, met);
    group->Iterate(kStart + kMinute, surroundings_);
    EXPECT_EQ(Alerting(*group).state(), AlertState::kPending) << met;
    EXPECT_TRUE(fixture_.alerts.Take().empty());
    if (met == 0) {
      // It fires anew, so it is sent anew, however recently it was sent before.
      fixture_.options.resend_delay_ms = 60 * kMinute;
      Up(kStart + 2 * kMinute, 0);
      group->Iterate(kStart + 2 * kMinute, surroundings_);
      const auto sent = fixture_.alerts.Take();
      ASSERT_EQ(sent.size(), 1u);
      EXPECT_EQ(*sent[0].fired_at, kStart + 2 * kMinute);
    } else {
      Up(kStart + 2 * kMinute, 1);
      group->Iterate(kStart + 2 * kMinute, surroundings_);
      EXPECT_EQ(Alerting(*group).active_count(), 0u);
    }
    fixture_.storage.Clear();
  }
}

TEST_F(GroupTest, MetricsCountWhatFailsAndTimeEverything) {
  MetricRegistry registry;
  RuleMetrics all(registry);
  GroupMetrics metrics(all, "f.yml;g");
  auto group = Make("  rules:\n  - {record: r, expr: up}\n  - {record: s, expr: up + on() up}\n", false, &metrics);
  Up(kStart, 1);
  Up(kStart, 1, {{"__name__", "up"}, {"instance", "b"}});
  group->Iterate(kStart, surroundings_);
  EXPECT_EQ(metrics.evaluations.Value(), 2);
  EXPECT_EQ(metrics.failures.Value(), 1);
  fixture_.storage.FailCommits(Error(ErrorCode::kIo, "disk full"));
  group->Iterate(kStart + kMinute, surroundings_);
  EXPECT_EQ(metrics.failures.Value(), 3);  // what cannot be stored is a failure too
  EXPECT_EQ(group->rules()[0]->outcome().last_error, "disk full");
  const std::string text = registry.Expose(MetricRegistry::Format::kText004);
  for (const std::string line :
       {"prometheus_rule_evaluation_duration_seconds_count 4", "prometheus_rule_group_duration_seconds_count 2",
        "prometheus_rule_evaluation_duration_histogram_seconds_bucket{le=\"10\"} 4",
        "prometheus_rule_group_duration_histogram_seconds_bucket{le=\"0.01\"} 2"}) {
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line;
  }
}

TEST_F(GroupTest, TemplateErrorsBecomeText) {
  auto group = Make(
      "  rules:\n  - alert: A\n    expr: up\n    annotations: {x: '{{ toUpper $value }}', q: '{{ query \"sum(up)\" | "
      "first | value }}'}\n");
  Up(kStart, 3);
  group->Iterate(kStart, surroundings_);
  const auto alerts = Alerting(*group).ActiveAlerts();
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(ToLabels(alerts[0].annotations).Get("x").substr(0, 69),
            "<error expanding template: error executing template __alert_A: templa");
  EXPECT_EQ(ToLabels(alerts[0].annotations).Get("q"), "3");
}

TEST_F(GroupTest, ForStateIsRestoredAfterTwoIterations) {
  const std::string rules = "  rules:\n  - alert: Down\n    expr: up == 0\n    for: 30m\n";
  const Labels for_state{{"__name__", "ALERTS_FOR_STATE"}, {"alertname", "Down"}, {"instance", "a"}};
  struct Case {
    int64_t pending_before;  // minutes
    int64_t outage;          // minutes
    int64_t active_at;       // minutes relative to the restoration
  };
  for (const Case& c : {Case{40, 5, -45}, Case{25, 5, -20}, Case{10, 5, -10}}) {
    fixture_.storage.Clear();
    const TimestampMs now = fixture_.clock.NowMs() / 1000 * 1000;
    const TimestampMs down = now - c.outage * kMinute;
    fixture_.storage.Append(for_state, down, static_cast<double>((down - c.pending_before * kMinute) / 1000));
    auto group = Make(rules, true);
    Up(now - kMinute, 0);
    group->Iterate(now - kMinute, surroundings_);
    group->RestoreIfDue();
    EXPECT_FALSE(Alerting(*group).restored());
    Up(now, 0);
    group->Iterate(now, surroundings_);
    // Nothing is written before the restoration.
    EXPECT_EQ(fixture_.storage.Samples(for_state).size(), 1u);
    group->RestoreIfDue();
    EXPECT_TRUE(Alerting(*group).restored());
    EXPECT_EQ(Alerting(*group).ActiveAlerts().at(0).active_at, now + c.active_at * kMinute) << c.pending_before;
  }
}

TEST_F(GroupTest, SlotsKeepTheirPlaceInTheInterval) {
  auto group = Make("  rules: []\n");
  const int64_t slot = group->SlotNs(kStart * 1'000'000);
  EXPECT_LE(slot, kStart * 1'000'000);
  EXPECT_GT(slot + kMinute * 1'000'000, kStart * 1'000'000);
  EXPECT_EQ(group->SlotNs(slot), slot);
  // The place is the hash of the group's name and file.
  EXPECT_EQ(group->SlotOffsetNs(), static_cast<int64_t>(Labels{{"file", "f.yml"}, {"name", "g"}}.PrometheusHash() %
                                                        uint64_t{kMinute * 1'000'000}));
  EXPECT_EQ(group->SlotNs(slot + kMinute * 1'000'000 - 1), slot);
}

TEST_F(GroupTest, ConcurrentRulesGiveTheSameResults) {
  fixture_.options.concurrent_rules = true;
  auto group = Make(
      "  rules:\n  - record: a\n    expr: up * 2\n  - record: b\n    expr: up * 3\n  - record: c\n    expr: a + b\n");
  Up(kStart, 1);
  group->Iterate(kStart, surroundings_);
  EXPECT_EQ(fixture_.At({{"__name__", "c"}, {"instance", "a"}}, kStart), "5.00");
}

TEST(RuleDependenciesConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "rules/dependencies.json");
  const RulesFixture fixture;
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const std::string path = testing::ConformanceDir() + "/rules/" + test.at("file").get<std::string>();
    const RuleFile file = Parsed(*PosixFileSystem().ReadFile(path));
    std::vector<std::shared_ptr<Rule>> rules;
    for (const RuleSpec& spec : file.groups.at(0).rules) {
      auto query = *fixture.querier.Parse(spec.expr);
      if (spec.alert.empty()) {
        rules.push_back(std::make_shared<RecordingRule>(spec.record, RuleLabels(), std::move(query)));
      } else {
        rules.push_back(std::move(*AlertingRule::Make(spec, RuleLabels(), std::move(query), true)));
      }
    }
    const RuleDependencies got = AnalyseDependencies(rules);
    for (size_t i = 0; i < rules.size(); ++i) {
      SCOPED_TRACE(rules[i]->name());
      const json& want = test.at("rules").at(rules[i]->name());
      EXPECT_EQ(!got.HasDependents(i), want.at("no_dependent_rules").get<bool>());
      EXPECT_EQ(!got.HasDependencies(i), want.at("no_dependency_rules").get<bool>());
    }
  }
}

}  // namespace
}  // namespace epi::rules
