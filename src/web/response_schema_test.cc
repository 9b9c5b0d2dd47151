// Answers that hold something of everything, against the schemas of Prometheus's own description of its API.
#include <gtest/gtest.h>

#include <set>

#include "base/file_system.h"
#include "testing/openapi_schema.h"
#include "testing/temp_dir.h"
#include "testing/web_fixture.h"

namespace epi::web {
namespace {

class ResponseSchemaTest : public WebFixture {
 protected:
  ResponseSchemaTest() {
    LoadScript(storage, "load 15s\n  up{job=\"a\"} 1+0x20\n  up{job=\"b\"} 0+1x20\n  hits_total{path=\"/<\"} 0+7x20");
    FloatHistogram histogram;
    histogram.count = 5;
    histogram.sum = 12.5;
    histogram.zero_count = 1;
    histogram.zero_threshold = 0.001;
    histogram.positive_spans = {{0, 2}};
    histogram.positive_buckets = {1, 2};
    histogram.negative_spans = {{0, 1}};
    histogram.negative_buckets = {1};
    for (TimestampMs time = 0; time <= 300'000; time += 15'000)
      storage.Append({{"__name__", "sizes"}}, time, histogram);
    storage.AppendExemplar({{"__name__", "hits_total"}, {"path", "/<"}}, {{{"trace_id", "x"}}, 3, 60'000, true});
    services.options.enable_search = services.options.enable_admin_api = services.options.per_step_stats = true;
    LoadScrape();
    LoadRules();
    LoadServer();
  }

  void LoadScrape() {
    scrape::ActiveTarget target;
    target.discovered = {{"__address__", "a:1"}, {"job", "one"}};
    target.labels = {{"instance", "a:1"}, {"job", "one"}};
    target.scrape_pool = "one";
    target.scrape_url = net::ParseUrl("http://a:1/metrics").value();
    target.last_error = "failed";
    target.health = scrape::TargetHealth::kDown;
    target.interval = "15s";
    target.timeout = "10s";
    scrape.pools = {"blackbox", "one"};
    scrape.active = {target};
    scrape.dropped = {{{"__address__", "b:1"}}};
    scrape.metadata = {{target.labels, {"up", {MetricType::kGauge, "", "Whether."}}}};
    scrape::RelabelStep step;
    step.output = {{"a", "b"}};
    step.keep = true;
    scrape.steps = {{"one", {step}}};
    services.scrape_config_yaml = [](std::string_view) -> Result<std::string> {
      return std::string("job_name: one\n");
    };
    alertmanagers.active = {"http://am:9093/api/v2/alerts"};
    alertmanagers.dropped = {"http://no:9093/api/v2/alerts"};
  }

  void LoadRules() {
    AlertStatus alert;
    alert.labels = {{"alertname", "Down"}};
    alert.annotations = {{"summary", "It is down."}};
    alert.state = "firing";
    alert.active_at_ns = 60'000'000'000;
    alert.keep_firing_since_ns = 90'000'000'000;
    alert.value = 1;
    RuleStatus alerting, recording;
    alerting.alerting = true;
    alerting.name = "Down";
    alerting.query = "up == 0";
    alerting.labels = {{"severity", "page"}};
    alerting.health = "err";
    alerting.last_error = "failed";
    alerting.state = "firing";
    alerting.annotations = alert.annotations;
    alerting.alerts = {alert};
    recording.name = "hits:rate";
    recording.query = "rate(hits_total[1m])";
    recording.health = "ok";
    RuleGroupStatus group;
    group.name = "g";
    group.file = "rules.yml";
    group.rules = {alerting, recording};
    group.interval_seconds = 15;
    rules.groups = {group, group};
    rules.groups[1].name = "h";
  }

  void LoadServer() {
    database.status = {3, 4, 5, 0, 300'000, {{"up", 2}}, {{"job", 2}}, {{"job", 6}}, {{"job=a", 1}}};
    database.block_metas = {R"({"ulid":"01","minTime":0,"maxTime":1,"stats":{"numSamples":1},"compaction":{"level":1,)"
                            R"("sources":["01"]},"version":1})"};
    notifications.Add(kReloadFailedNotice);
    services.notifications = &notifications;
    services.flags = {{"config.file", "a.yml"}};
    services.features = {{"api", {{"admin", true}}}};
    services.config_yaml = [] { return std::string("global: {}\n"); };
    services.runtime_info = [] { return RuntimeInfo(); };
    metrics.AddCounter("some_total", "Some.", {{"kind", "a"}}).Increment();
  }

  Notifications notifications{1, clock, metrics};
};

// No text: the description calls the time before it a string, but Prometheus writes a number there as everywhere.
constexpr std::string_view kQueries[] = {
    "up", "up[1m]", "1", "sizes", "sizes[1m]", "nothing", "sum(hits_total)", "rate(hits_total[1m])%2Bon()sum(up)"};

// A documented operation, and a query string for it.
struct Request {
  std::string_view path;
  std::string parameters;
};

std::vector<Request> Requests() {
  std::vector<Request> out;
  for (const auto query : kQueries) {
    for (const auto* stats : {"", "&stats=true", "&stats=all"}) {
      const std::string asked = "query=" + std::string(query) + stats;
      out.push_back({"/query", asked + "&time=200"});
      if (!query.ends_with("[1m]")) {
        out.push_back({"/query_range", asked + "&start=100&end=200&step=50"});
      }
    }
    out.push_back({"/parse_query", "query=" + std::string(query)});
    out.push_back({"/format_query", "query=" + std::string(query)});
  }
  for (const auto& [path, parameters] : std::initializer_list<std::pair<std::string_view, const char*>>{
           {"/query", "query=up%20%3D%3D%200"},
           {"/query", "query=rate(up[1m])&time=200"},
           {"/query_exemplars", "query=hits_total&start=0&end=100"},
           {"/query_exemplars", "query=1"},
           {"/labels", ""},
           {"/labels", "limit=1"},
           {"/label/{name}/values", ""},
           {"/series", "match[]=up"},
           {"/series", "match[]=up&limit=1"},
           {"/series", "match[]=nothing"},
           {"/metadata", ""},
           {"/scrape_pools", ""},
           {"/scrape_pools/config", "scrapePool=one"},
           {"/targets", ""},
           {"/targets", "state=dropped"},
           {"/targets/metadata", ""},
           {"/targets/metadata", "metric=up"},
           {"/targets/relabel_steps", "scrapePool=one&labels=%7B%22a%22%3A%22b%22%7D"},
           {"/rules", ""},
           {"/rules", "exclude_alerts=true"},
           {"/rules", "group_limit=1"},
           {"/alerts", ""},
           {"/alertmanagers", ""},
           {"/status/config", ""},
           {"/status/runtimeinfo", ""},
           {"/status/buildinfo", ""},
           {"/status/flags", ""},
           {"/status/tsdb", ""},
           {"/status/tsdb/blocks", ""},
           {"/status/walreplay", ""},
           {"/status/self_metrics", ""},
           {"/notifications", ""},
           {"/features", ""},
           {"/admin/tsdb/snapshot", ""},
           {"/admin/tsdb/clean_tombstones", ""},
           {"/admin/tsdb/delete_series", "match[]=up"},
           {"/search/metric_names", "limit=-1"},
           {"/search/label_names", "limit=-1"},
           {"/search/label_values", "limit=-1"}}) {
    out.push_back({path, parameters});
  }
  return out;
}

TEST_F(ResponseSchemaTest, AnswersAreAsDescribed) {
  const auto dir = testing::ConformanceDir();
  if (dir.empty()) GTEST_SKIP() << "no conformance data";
  const auto text = PosixFileSystem().ReadFile(dir + "/api/openapi_3.2_golden.yaml");
  ASSERT_TRUE(text.has_value());
  const auto schemas = testing::OpenApiSchemas::Read(*text);
  ASSERT_TRUE(schemas.has_value()) << schemas.error().message();
  std::set<std::string> asked;
  for (const auto& request : Requests()) {
    std::string path(request.path), target = "/api/v1" + path;
    if (const auto at = target.find("{name}"); at != std::string::npos) target.replace(at, 6, "job");
    asked.insert(path);
    for (const std::string method : {"get", "post", "put"}) {
      if (!schemas->Describes(path, method)) continue;
      const std::string upper = method == "get" ? "GET" : method == "post" ? "POST" : "PUT";
      const auto answer = Ask(upper, target + "?" + request.parameters);
      EXPECT_TRUE(answer.status == 200 || answer.status == 204 || path.starts_with("/search")) << target << answer.body;
      EXPECT_EQ(schemas->Problem(path, method, answer.status, answer.body), "")
          << upper << " " << target << "?" << request.parameters << "\n"
          << answer.body;
    }
  }
  // These take or stream other things than JSON.
  for (const auto* path : {"/read", "/write", "/otlp/v1/metrics", "/notifications/live"}) asked.insert(path);
  for (const auto& path : schemas->Paths()) EXPECT_EQ(asked.count(path), 1u) << path << " is not asked";
}

// The checker itself: what it is for must not pass.
TEST(OpenApiSchemas, SeesWhatDoesNotFit) {
  const auto schemas = testing::OpenApiSchemas::Read(R"(
paths:
    /a:
        get:
            responses:
                "200":
                    content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}
components:
    schemas:
        A:
            type: object
            required: [n]
            additionalProperties: false
            properties:
                n: {type: integer}
                e: {type: string, enum: [x, y]}
                t: {type: string, format: date-time}
                l: {type: array, minItems: 1, maxItems: 2, items: {oneOf: [{type: number}, {type: 'null'}]}}
                m: {type: object, additionalProperties: {type: boolean}}
)");
  ASSERT_TRUE(schemas.has_value()) << schemas.error().message();
  const auto problem = [&](const char* body) { return schemas->Problem("/a", "get", 200, body); };
  EXPECT_EQ(problem(R"({"n":1,"e":"x","t":"2020-01-01T00:00:00.5Z","l":[1.5,null],"m":{"a":true}})"), "");
  EXPECT_EQ(problem(R"({"e":"x"})"), "body has no n");
  EXPECT_EQ(problem(R"({"n":1.5})"), "body.n is 1.5");
  EXPECT_EQ(problem(R"({"n":1,"e":"z"})"), "body.e is \"z\"");
  EXPECT_EQ(problem(R"({"n":1,"t":"yesterday"})"), "body.t is \"yesterday\"");
  EXPECT_EQ(problem(R"({"n":1,"l":[]})"), "body.l has 0 elements");
  EXPECT_EQ(problem(R"({"n":1,"l":["x"]})"), "body.l[0] is \"x\"; body.l[0] is \"x\"");
  EXPECT_EQ(problem(R"({"n":1,"m":{"a":1}})"), "body.m.a is 1");
  EXPECT_EQ(problem(R"({"n":1,"o":1})"), "body.o is not described");
  EXPECT_EQ(problem("{"), "not JSON");
}

}  // namespace
}  // namespace epi::web
