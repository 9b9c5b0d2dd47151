// Backtest, backfill and history of alerts through the API.
#include <gtest/gtest.h>

#include "rules/engine_querier.h"
#include "rules/journal/alert_journal.h"
#include "rules/manager.h"
#include "testing/temp_dir.h"
#include "testing/web_fixture.h"

namespace epi::web {
namespace {

using nlohmann::json;

class RulesEndpointsTest : public WebFixture {
 protected:
  // Ten minutes of a counter that is slow in its middle.
  RulesEndpointsTest() { LoadScript(storage, "load 1m\n  hits_total{path=\"/\"} 0+60x3 181+1x3 244+60x10"); }
  json Data(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.Json()["data"];
  }
};

constexpr const char* kSlowRule =
    "groups: [{name: g, interval: 1m, rules: [{record: 'hits:rate2m', expr: 'rate(hits_total[2m])'}, {alert: Slow, "
    "expr: 'hits:rate2m < 0.5', for: 1m, annotations: {summary: '{{ $labels.path }}'}}]}]";

TEST_F(RulesEndpointsTest, BacktestTellsWhatWouldHaveHappened) {
  const std::string form = "start=60&end=900&rules=" + net::EscapeQuery(kSlowRule);
  const json rules = Data(Ask("POST", "/api/v1/rules/backtest", form))["rules"];
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0]["type"], "recording");
  EXPECT_EQ(rules[0]["failures"], 0);
  EXPECT_GT(rules[0]["samples"].get<int>(), 10);
  std::vector<std::string> kinds;
  for (const json& event : rules[1]["events"]) {
    kinds.push_back(event["event"]);
    EXPECT_EQ(event["labels"], (json{{"alertname", "Slow"}, {"path", "/"}}));
    EXPECT_EQ(event["annotations"], (json{{"summary", "/"}}));
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"pending", "firing", "resolved"}));
}

TEST_F(RulesEndpointsTest, GroupLimitsAreNumbersOf32Bits) {
  const auto error = [this](const std::string& limit) {
    return Ask("GET", "/api/v1/rules?group_limit=" + limit).Json().value("error", "");
  };
  EXPECT_EQ(error("2147483647"), "");
  EXPECT_EQ(error("2147483648"),
            "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing "
            "\"2147483648\": value out of range");
  EXPECT_EQ(error("1_0"),
            "invalid parameter \"group_limit\": group_limit needs to be a valid number: strconv.ParseInt: parsing "
            "\"1_0\": invalid syntax");
}

TEST_F(RulesEndpointsTest, BacktestStreamsItsProgress) {
  const std::string form = "progress=true&start=60&end=90000&rules=" + net::EscapeQuery(kSlowRule);
  const Answer answer = Ask("POST", "/api/v1/rules/backtest", form);
  EXPECT_NE(answer.body.find("{\"progress\":"), std::string::npos);
  const std::string last = answer.body.substr(answer.body.find_last_of('\n', answer.body.size() - 2) + 1);
  EXPECT_EQ(json::parse(last)["status"], "success");
}

TEST_F(RulesEndpointsTest, BacktestRefusesNonsense) {
  EXPECT_EQ(Ask("POST", "/api/v1/rules/backtest", "start=5&end=1").status, 400);
  EXPECT_EQ(Ask("POST", "/api/v1/rules/backtest", "rules=groups%3A%20%5B%7Bx%3A%201%7D%5D").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/rules/backtest").status, 405);
  const auto error = [this](const std::string& form) {
    const Answer answer = Ask("POST", "/api/v1/rules/backtest", form);
    return std::to_string(answer.status) + " " + answer.Json().value("error", "");
  };
  EXPECT_EQ(error("rule_group[]=nosuch"), "404 no rule group is loaded under that name");
  const std::string rules = "&rules=" + net::EscapeQuery(kSlowRule);
  EXPECT_EQ(
      error("start=0&end=4000000000" + rules),
      "400 the rules would be evaluated more than 100000000 times: choose a shorter range, longer intervals or fewer "
      "rules");
  for (const char* range : {"start=0&end=1e18", "start=-1e18&end=0", "start=-1e300&end=1e300"}) {
    EXPECT_EQ(error(range + rules), "400 rules can be evaluated between the years 1824 and 2116 only") << range;
  }
}

// Rules in the request are evaluated as they would be when loaded.
TEST_F(RulesEndpointsTest, BacktestedRulesFollowTheConfiguration) {
  const promql::Engine engine{promql::EngineOptions()};
  const rules::EngineQuerier querier(engine, storage);
  rules::RuleOptions options;
  options.storage = &storage;
  options.querier = &querier;
  options.files = &PosixFileSystem();
  options.clock = &clock;
  rules::RuleManager manager(options);
  rules::RuleConfig config;
  config.interval_ms = 120'000;
  config.query_offset_ms = 60'000;
  ASSERT_TRUE(manager.Load(config));
  services.rule_manager = &manager;
  services.options.external_url = "http://localhost/under";
  const std::string form =
      "start=60&end=900&rules=" +
      net::EscapeQuery(
          "groups: [{name: g, rules: [{alert: A, expr: 'time()', annotations: {at: '{{ now }}', of: "
          "'{{ $value }}', under: '{{ pathPrefix }}'}}]}]");
  const json rule = Data(Ask("POST", "/api/v1/rules/backtest", form))["rules"][0];
  EXPECT_EQ(rule["evaluations"], 7);
  const json annotations = rule["events"][0]["annotations"];
  EXPECT_EQ(std::stod(annotations["at"].get<std::string>()) - std::stod(annotations["of"].get<std::string>()), 60);
  EXPECT_EQ(annotations["under"], "/under");
  services.rule_manager = nullptr;
}

TEST_F(RulesEndpointsTest, BackfillNeedsTheAdminApi) {
  EXPECT_EQ(Ask("POST", "/api/v1/admin/rules/backfill", "start=0").Json()["error"], "admin APIs disabled");
  services.options.enable_admin_api = true;
  services.backfill_storage = &storage;
  EXPECT_EQ(Ask("POST", "/api/v1/admin/rules/backfill").status, 400);
  EXPECT_EQ(Ask("POST", "/api/v1/admin/rules/backfill", "start=0").status, 404);
}

TEST_F(RulesEndpointsTest, HistoryShowsEventsAndAnswers) {
  EXPECT_EQ(Ask("GET", "/api/v1/alerts/history").Json()["status"], "error");
  const testing::TempDir directory;
  rules::AlertJournalOptions options;
  options.directory = directory.path();
  const auto journal = *rules::AlertJournal::Open(PosixFileSystem(), clock, options, {});
  services.alert_history = journal.get();
  rules::AlertEvent event;
  event.kind = rules::AlertEventKind::kFiring;
  event.time = 5000;
  event.alert.rule = std::make_shared<const rules::RuleId>(rules::RuleId{"f.yml;g", "Slow", "Slow{}"});
  event.alert.labels = {{"alertname", "Slow"}, {"path", "/"}};
  event.alert.annotations = {{"empty", ""}};
  event.alert.state = rules::AlertState::kFiring;
  event.alert.value = 0.25;
  event.alert.active_at = 1000;
  event.alert.fired_at = 5000;
  journal->Record({event});
  journal->Delivered({event.alert.rule, event.alert.labels, false, 5100, "http://am/api/v2/alerts", "bad response"});
  const json events = Data(Ask("GET", "/api/v1/alerts/history?match[]={path=\"/\"}&start=1"))["events"];
  ASSERT_EQ(events.size(), 1U);
  const json want = {{"time", "1970-01-01T00:00:05Z"},
                     {"event", "firing"},
                     {"ruleGroup", "f.yml;g"},
                     {"rule", "Slow"},
                     {"labels", {{"alertname", "Slow"}, {"path", "/"}}},
                     {"annotations", {{"empty", ""}}},
                     {"state", "firing"},
                     {"value", "2.5e-01"},
                     {"activeAt", "1970-01-01T00:00:01Z"},
                     {"firedAt", "1970-01-01T00:00:05Z"},
                     {"notifications",
                      {{{"time", "1970-01-01T00:00:05.1Z"},
                        {"alertmanager", "http://am/api/v2/alerts"},
                        {"status", "firing"},
                        {"accepted", false},
                        {"error", "bad response"}}}}};
  EXPECT_EQ(events[0], want) << events[0].dump(1);
  EXPECT_TRUE(Data(Ask("GET", "/api/v1/alerts/history?match[]={path=\"/x\"}"))["events"].empty());
  EXPECT_TRUE(Data(Ask("GET", "/api/v1/alerts/history?end=4"))["events"].empty());
}

}  // namespace
}  // namespace epi::web
