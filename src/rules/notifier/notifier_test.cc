#include "rules/notifier/notifier.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "testing/conformance.h"
#include "testing/fake_http_client.h"
#include "testing/simulated_clock.h"

namespace epi::rules {
namespace {

using nlohmann::json;
using Answer = testing::FakeHttpClient::Answer;

constexpr const char* kUrl = "http://am:9093/api/v2/alerts";

Labels LabelsOf(const json& from) {
  LabelsBuilder builder;
  for (const auto& [name, value] : from.items()) builder.Set(name, value.get<std::string>());
  return builder.Build();
}

std::vector<RelabelConfig> RelabelOf(const json& from) {
  std::vector<RelabelConfig> out;
  for (const json& rule : from) {
    RelabelConfig& config = out.emplace_back();
    config.source_labels = rule.value("source_labels", std::vector<std::string>());
    config.target_label = rule.value("target_label", "");
    config.replacement = rule.value("replacement", "$1");
    config.action = *RelabelActionFromName(rule.at("action").get<std::string>());
    config.regex = *AnchoredRegex::Compile(rule.at("regex").get<std::string>());
  }
  return out;
}

TEST(NotifierConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "notifier/notifier.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>());
    const std::string kind = test.at("kind");
    if (kind == "post_path") {
      EXPECT_EQ(AlertsPath(test.at("in"), "v2"), test.at("out").get<std::string>());
    } else if (kind == "external_labels" || kind == "relabel") {
      std::vector<Notification> alerts;
      for (const json& alert : test.at("alerts")) alerts.emplace_back().labels = LabelsOf(alert);
      const auto sent =
          RelabelNotifications(std::move(alerts), LabelsOf(test.at("external")), RelabelOf(test.at("relabel")));
      ASSERT_EQ(sent.size(), test.at("sent").size());
      for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].labels, LabelsOf(test.at("sent")[i]));
    }
  }
}

Notification Named(const std::string& name) {
  Notification out;
  out.labels = Labels{{"alertname", name}};
  out.annotations = {{"summary", "<a> \"b\""}};
  out.starts_at = 1'700'000'000'123;
  out.ends_at = 1'700'000'060'000;
  out.generator_url = GeneratorUrl("http://host", "up == 0");
  return out;
}

TEST(Notification, BodyIsThatOfTheApi) {
  const std::vector<Notification> alerts{Named("a"), Named("b")};
  const std::string text = ToJson(alerts);
  EXPECT_NE(text.find(R"({"annotations":{"summary":"\u003ca\u003e \"b\""},"endsAt":"2023-11-14T22:14:20.000Z")"),
            std::string::npos)
      << text;
  const json body = json::parse(text);
  ASSERT_EQ(body.size(), 2u);
  EXPECT_EQ(body[0].at("labels"), (json{{"alertname", "a"}}));
  EXPECT_EQ(body[0].at("annotations"), (json{{"summary", "<a> \"b\""}}));
  Notification bare = Named("bare");
  bare.annotations.clear();
  EXPECT_FALSE(json::parse(ToJson(std::span(&bare, 1)))[0].contains("annotations"));
  EXPECT_EQ(body[0].at("startsAt"), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(body[0].at("endsAt"), "2023-11-14T22:14:20.000Z");
  EXPECT_EQ(body[0].at("generatorURL"), "http://host/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
}

class NotifierTest : public ::testing::Test {
 protected:
  NotifierTest() {
    options_.client = &client_;
    options_.files = &PosixFileSystem();
    options_.clock = &clock_;
    options_.metrics = &registry_;
    options_.external_url = "http://host";
  }
  std::shared_ptr<SendLoop> Loop(NotifierLimits limits = {}) {
    return SendLoop::Make({kUrl, nullptr, 10'000, limits}, client_, metrics_->Of(kUrl), {});
  }
  double Metric(const std::string& name) { return registry_.AddCounter(name, "", {{"alertmanager", kUrl}}).Value(); }
  // How many requests were timed, by the summary and by the histogram.
  std::string Timed() const {
    const std::string text = registry_.Expose(MetricRegistry::Format::kText004);
    std::string out;
    for (const std::string name : {"latency_seconds_count", "latency_histogram_seconds_count"}) {
      const std::string line = "prometheus_notifications_" + name + "{alertmanager=\"" + kUrl + "\"} ";
      const size_t at = text.find(line);
      out += at == std::string::npos ? "-" : text.substr(at + line.size(), 1);
    }
    return out;
  }
  std::vector<std::string> NamesOf(const net::HttpRequest& request) {
    std::vector<std::string> out;
    for (const json& alert : json::parse(request.body)) out.push_back(alert.at("labels").at("alertname"));
    return out;
  }

  testing::SimulatedClock clock_;
  testing::FakeHttpClient client_;
  MetricRegistry registry_;
  std::shared_ptr<AlertmanagerMetricsTable> metrics_ = AlertmanagerMetricsTable::Make(registry_);
  NotifierOptions options_;
};

TEST_F(NotifierTest, BatchesGoOutOneAfterTheOther) {
  client_.Script(kUrl, "");
  NotifierLimits limits;
  limits.batch_size = 2;
  const auto loop = Loop(limits);
  loop->Add({Named("1"), Named("2"), Named("3")});
  loop->Stop();
  loop->AwaitEnd();
  const auto requests = client_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(NamesOf(requests[0]), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(NamesOf(requests[1]), (std::vector<std::string>{"3"}));
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(Metric("prometheus_notifications_sent_total"), 3);
  EXPECT_EQ(Timed(), "22");
}

TEST_F(NotifierTest, FailedBatchesAreCountedAndDropped) {
  Answer bad;
  bad.status = 500;
  bad.status_text = "500 Internal Server Error";
  client_.Script(kUrl, std::vector<Answer>{bad});
  const auto loop = Loop();
  loop->Add({Named("1")});
  loop->Stop();
  loop->AwaitEnd();
  EXPECT_EQ(Metric("prometheus_notifications_errors_total"), 1);
  EXPECT_EQ(Metric("prometheus_notifications_dropped_total"), 1);
  EXPECT_EQ(Metric("prometheus_notifications_sent_total"), 0);
  EXPECT_EQ(Timed(), "00");
}

TEST_F(NotifierTest, FullQueuesDropTheOldest) {
  Answer hang;
  hang.hang = true;
  client_.Script(kUrl, std::vector<Answer>{hang});
  NotifierLimits limits;
  limits.queue_capacity = 3;
  limits.batch_size = 1;
  limits.drain_on_shutdown = false;
  const auto loop = Loop(limits);
  loop->Add({Named("0")});  // under way for good
  loop->Add({Named("1"), Named("2"), Named("3")});
  loop->Add({Named("4")});
  EXPECT_EQ(Metric("prometheus_notifications_dropped_total"), 1);
  loop->Add({Named("5"), Named("6"), Named("7"), Named("8")});
  EXPECT_EQ(Metric("prometheus_notifications_dropped_total"), 5);
  loop->Stop();
  EXPECT_EQ(Metric("prometheus_notifications_dropped_total"), 8);
  client_.Cancel(1);
  loop->AwaitEnd();
}

config::AlertingConfig Alerting(const std::string& yaml) {
  auto config = config::ParseConfig("alerting:\n" + yaml, {});
  EXPECT_TRUE(config) << config.error().message();
  return config->alerting;
}

TEST_F(NotifierTest, SigningNeedsARegion) {
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) ::unsetenv(variable);
  ::setenv("AWS_CONFIG_FILE", "/dev/null", 1);
  Notifier notifier(options_);
  const std::string section = "  alertmanagers: [{static_configs: [{targets: ['am:9093']}], sigv4: ";
  const auto refused = notifier.Load(Alerting(section + "{}}]\n"), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "region not configured in sigv4 or in default credentials chain");
  EXPECT_TRUE(notifier.Load(Alerting(section + "{region: r}}]\n"), {}));
  ::unsetenv("AWS_CONFIG_FILE");
}

TEST_F(NotifierTest, StaticAlertmanagersGetRelabeledAlerts) {
  client_.Script(kUrl, "");
  Notifier notifier(options_);
  const auto config = Alerting(
      "  alertmanagers:\n  - static_configs: [{targets: ['am:9093', 'drop:9093']}]\n"
      "    relabel_configs: [{source_labels: [__address__], regex: 'drop.*', action: drop}]\n"
      "    alert_relabel_configs: [{source_labels: [alertname], regex: hidden, action: drop}]\n");
  ASSERT_TRUE(notifier.Load(config, Labels{{"cluster", "c"}}));
  while (notifier.ActiveAlertmanagers().empty()) std::this_thread::yield();
  EXPECT_EQ(notifier.ActiveAlertmanagers(), (std::vector<std::string>{kUrl}));
  EXPECT_EQ(notifier.DroppedAlertmanagers(), (std::vector<std::string>{"http://drop:9093/api/v2/alerts"}));
  ASSERT_TRUE(notifier.Load(config, Labels{{"cluster", "c"}}));
  EXPECT_EQ(notifier.ActiveAlertmanagers().size(), 1u);  // the same section goes on
  notifier.Send({Named("shown"), Named("hidden")});
  notifier.Stop();
  const auto requests = client_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(NamesOf(requests[0]), (std::vector<std::string>{"shown"}));
  EXPECT_EQ(json::parse(requests[0].body)[0].at("labels").at("cluster"), "c");
}

// A group's labels win over the section's scheme and path, a target's own labels over its group's.
TEST(AlertmanagersOf, LabelsSayWhereToPost) {
  discovery::TargetGroup group;
  group.targets = {Labels{{"__address__", "a:1"}}, Labels{{"__address__", "b:1"}, {"team", "own"}}};
  group.labels = Labels{{"__alerts_path__", "odd path/here"}, {"__scheme__", "https"}, {"team", "group"}};
  config::AlertmanagerConfig section;
  section.path_prefix = "/am";
  section.relabel_configs =
      RelabelOf(json::parse(R"json([{"source_labels": ["team"], "regex": "own", "action": "drop"}])json"));
  const auto found = AlertmanagersOf(group, section);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->urls, (std::vector<std::string>{"https://a:1/odd%20path/here"}));
  EXPECT_EQ(found->dropped, (std::vector<std::string>{"https://b:1/odd%20path/here"}));
}

// The section changes, its Alertmanager does not: its metrics stay in sight, whichever of the two loops comes first.
TEST_F(NotifierTest, ReplacedSectionsKeepTheMetricsInSight) {
  client_.Script(kUrl, "");
  const auto shown = [&] {
    return registry_.Expose(MetricRegistry::Format::kText004)
               .find("prometheus_notifications_sent_total{alertmanager=\"" + std::string(kUrl)) != std::string::npos;
  };
  auto before = Loop();
  auto after = Loop();
  before->Add({Named("1")});
  before->Stop();
  before.reset();
  EXPECT_TRUE(shown());
  after->Add({Named("2")});
  EXPECT_EQ(Metric("prometheus_notifications_sent_total"), 2);
  after->Stop();
  after.reset();
  EXPECT_FALSE(shown());
}

TEST_F(NotifierTest, DiscoveredTargetsAreCountedUnderThePlaceOfTheirSection) {
  Notifier notifier(options_);
  const auto sections = [](const std::vector<std::string>& targets) {
    std::string out = "  alertmanagers:\n";
    for (const std::string& one : targets) out += "  - static_configs: [{targets: [" + one + "]}]\n";
    return Alerting(out);
  };
  const auto counted = [&] {
    std::string out;
    const std::string text = registry_.Expose(MetricRegistry::Format::kText004);
    const std::string start = "prometheus_sd_discovered_targets{config=\"config-";
    for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
      const size_t end = text.find('\n', at);
      out += text.substr(at + start.size(), 1) + ":" + text.substr(end - 1, 1) + " ";
    }
    return out;
  };
  const auto await = [&](const std::string& want) {
    while (counted() != want) std::this_thread::yield();
  };
  ASSERT_TRUE(notifier.Load(sections({"'a:1', 'b:1'", "'c:1'"}), {}));
  await("0:2 1:1 ");
  ASSERT_TRUE(notifier.Load(sections({"'c:1'"}), {}));
  EXPECT_EQ(counted(), "0:1 ");
  ASSERT_TRUE(notifier.Load(sections({"'d:1', 'e:1', 'f:1'", "'c:1'"}), {}));
  await("0:3 1:1 ");
}

TEST_F(NotifierTest, SectionsThatGoAwayLoseTheirAlertmanagers) {
  Notifier notifier(options_);
  ASSERT_TRUE(notifier.Load(
      Alerting("  alertmanagers:\n  - static_configs: [{targets: ['am:9093']}]\n    path_prefix: /x\n"), {}));
  while (notifier.ActiveAlertmanagers().empty()) std::this_thread::yield();
  EXPECT_EQ(notifier.ActiveAlertmanagers().at(0), "http://am:9093/x/api/v2/alerts");
  ASSERT_TRUE(notifier.Load({}, {}));
  EXPECT_TRUE(notifier.ActiveAlertmanagers().empty());
}

}  // namespace
}  // namespace epi::rules
