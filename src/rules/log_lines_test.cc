// What groups log: the lines and fields that whoever reads Prometheus's logs looks for.
#include <gtest/gtest.h>

#include "rules/group.h"
#include "testing/rules_fixture.h"

namespace epi::rules {
namespace {

constexpr TimestampMs kLogStart = 1'700'000'000'000;

class LogLinesTest : public ::testing::Test {
 protected:
  LogLinesTest() {
    UseFormat(LogFormat::kLogfmt);
    fixture_.storage.Append(Labels{{"__name__", "up"}, {"instance", "a"}}, kLogStart, 1);
    fixture_.storage.Append(Labels{{"__name__", "up"}, {"instance", "b"}}, kLogStart, 2);
  }
  void UseFormat(LogFormat format) {
    fixture_.options.logger = Logger::ToFunction(
        LogLevel::kDebug, format,
        [](void* to, std::string_view line) { static_cast<std::vector<std::string>*>(to)->emplace_back(line); },
        &lines_);
  }
  std::unique_ptr<Group> Make(const std::string& rules, bool restore = false) {
    RuleFileOutcome file = ParseRuleFile("groups:\n- name: g\n  rules:\n" + rules, {});
    EXPECT_TRUE(file.ok()) << (file.errors.empty() ? "" : file.errors.front());
    GroupSettings settings;
    settings.file = "f.yml";
    settings.spec = std::move(file.file.groups.at(0));
    auto group = Group::Make(std::move(settings), fixture_.options, restore, nullptr);
    EXPECT_TRUE(group) << group.error().message();
    return std::move(*group);
  }
  // Lines without their time and source, which are told apart by level and message.
  std::vector<std::string> Lines() const {
    std::vector<std::string> out;
    for (const std::string& line : lines_) {
      const size_t level = line.find("level=");
      out.push_back(line.substr(level, line.find(' ', level) + 1 - level) + line.substr(line.find("msg=")));
      out.back().pop_back();  // the line feed
    }
    return out;
  }

  RulesFixture fixture_;
  GroupSurroundings surroundings_;
  std::vector<std::string> lines_;
};

using Strings = std::vector<std::string>;

TEST_F(LogLinesTest, FailuresShowTheRule) {
  auto group = Make(
      "  - record: fine\n    expr: up\n"
      "  - record: twice\n    expr: sum(up)   by(instance)\n    labels: {instance: x}\n"
      "  - alert: Twice\n    expr: up\n    for: 90s\n    keep_firing_for: 5m\n    labels: {instance: x}\n"
      "    annotations: {a: 'it''s {{ $value }}'}\n");
  group->Iterate(kLogStart, surroundings_);
  EXPECT_EQ(
      Lines(),
      (Strings{R"(level=WARN msg="Evaluating rule failed" file=f.yml group=g name=twice index=1 rule="record: twice\n)"
               R"(expr: sum by (instance) (up)\nlabels:\n  instance: x\n" )"
               R"(err="vector contains metrics with the same labelset after applying rule labels")",
               R"(level=WARN msg="Evaluating rule failed" file=f.yml group=g name=Twice index=2 rule="alert: Twice\n)"
               R"(expr: up\nfor: 1m30s\nkeep_firing_for: 5m\nlabels:\n  instance: x\nannotations:\n)"
               R"(  a: it's {{ $value }}\n" )"
               R"(err="vector contains metrics with the same labelset after applying alert labels")"}));
}

TEST_F(LogLinesTest, DiscardedSamplesAreShownAndCounted) {
  auto group = Make(
      "  - record: r\n    expr: up * 0 + 3\n  - record: r\n    expr: up\n"
      "  - record: once\n    expr: timestamp(up)\n");
  group->Iterate(kLogStart, surroundings_);
  const Strings lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  const std::string rule = "file=f.yml group=g name=r index=1 ";
  EXPECT_EQ(lines[0], "level=DEBUG msg=\"Rule evaluation result discarded\" " + rule +
                          "err=\"duplicate sample for timestamp\" "
                          R"(sample="{__name__=\"r\", instance=\"a\"} => 1 @[1700000000000]")");
  EXPECT_NE(lines[1].find(R"({__name__=\"r\", instance=\"b\"} => 2 @[)"), std::string::npos) << lines[1];
  EXPECT_EQ(lines[2],
            "level=WARN msg=\"Error on ingesting results from rule evaluation with different value but same "
            "timestamp\" " +
                rule + "num_dropped=2");
  EXPECT_EQ(group->rules()[1]->outcome().health, RuleHealth::kErr);
  EXPECT_EQ(group->rules()[1]->outcome().last_error, "duplicate sample for timestamp");
}

TEST_F(LogLinesTest, FailedTemplatesShowWhatTheySaw) {
  surroundings_.external_labels = LabelsValue(Labels{{"cluster", "c"}});
  fixture_.options.external_url = "http://host/";
  auto group =
      Make("  - alert: A\n    expr: up{instance=\"a\"}\n    annotations: {a: '{{ toTime $labels.instance }}'}\n");
  group->Iterate(kLogStart, surroundings_);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find(R"(data="{Labels:map[__name__:up instance:a] ExternalLabels:map[cluster:c] )"
                           R"(ExternalURL:http://host/ Value:1}")"),
            std::string::npos)
      << lines_[0];
}

TEST_F(LogLinesTest, RestorationIsTold) {
  constexpr int64_t kMinute = 60'000;
  fixture_.clock.AdvanceMs(2 * kMinute);
  fixture_.storage.Append(
      Labels{{"__name__", "ALERTS_FOR_STATE"}, {"alertname", "Held"}, {"instance", "a"}, {"severity", "page"}},
      kLogStart, 1'699'999'000);
  auto group = Make(
      "  - alert: Held\n    expr: up{instance=\"a\"}\n    for: 1h\n    labels: {severity: page}\n"
      "  - alert: Unknown\n    expr: up\n    for: 1h\n",
      true);
  group->Iterate(kLogStart + kMinute, surroundings_);
  group->RestoreIfDue();
  group->Iterate(kLogStart + 2 * kMinute, surroundings_);
  group->RestoreIfDue();
  const Strings lines = Lines();
  ASSERT_EQ(lines.size(), 3u);
  // Pending since 2023-11-14 21:56:40, and the two minutes of the outage do not count.
  EXPECT_EQ(lines[0],
            "level=DEBUG msg=\"'for' state restored\" file=f.yml group=g alertname=Held "
            R"(restored_time="Tuesday, 14-Nov-23 21:58:40 UTC" )"
            R"(labels="{alertname=\"Held\", instance=\"a\", severity=\"page\"}")");
  EXPECT_EQ(lines[1],
            "level=DEBUG msg=\"No series found to restore the 'for' state of the alert rule\" file=f.yml group=g "
            "alertname=Unknown");
  EXPECT_EQ(lines[2].substr(0, lines[2].rfind('=')),
            "level=DEBUG msg=\"'for' state restoration completed\" file=f.yml group=g duration_seconds");
}

TEST_F(LogLinesTest, NumbersAreNumbersInJson) {
  UseFormat(LogFormat::kJson);
  auto group = Make("  - {record: r, expr: up}\n", true);
  for (int i = 0; i < 2; ++i) {
    group->Iterate(kLogStart + i, surroundings_);
    group->RestoreIfDue();
  }
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_NE(lines_[0].find(R"("group":"g","duration_seconds":0})"), std::string::npos) << lines_[0];
}

}  // namespace
}  // namespace epi::rules
