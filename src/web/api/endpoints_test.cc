// The tables of API requests in the conformance data.
#include <gmock/gmock.h>

#include "testing/conformance.h"
#include "testing/web_fixture.h"
#include "web/api/parameters.h"

namespace epi::web {
namespace {

using nlohmann::json;

RuleStatus Alerting(std::string name, std::string query, ConfiguredLabels labels = {}) {
  RuleStatus rule;
  rule.alerting = true;
  rule.name = std::move(name);
  rule.query = std::move(query);
  rule.labels = std::move(labels);
  rule.state = "inactive";
  rule.health = "ok";
  rule.duration_seconds = 1;
  return rule;
}

RuleStatus Recording(std::string name, ConfiguredLabels labels = {}) {
  RuleStatus rule;
  rule.name = std::move(name);
  rule.query = "vector(1)";
  rule.labels = std::move(labels);
  return rule;
}

// Removes members by name, everywhere.
void Forget(json& value, const std::vector<std::string>& names) {
  if (value.is_object())
    for (const auto& name : names) value.erase(name);
  for (auto& child : value)
    if (child.is_structured()) Forget(child, names);
}

// Arrays of results may come in any order.
void SortArrays(json& value) {
  for (auto& child : value)
    if (child.is_structured()) SortArrays(child);
  if (value.is_array()) std::sort(value.begin(), value.end());
}

// Copies what may be anything from the answer.
void AcceptAny(json& want, const json& got) {
  if (want.is_object() && want.contains("_any")) {
    want = got;
    return;
  }
  if (want.is_array() && got.is_array() && want.size() == got.size())
    for (size_t i = 0; i < want.size(); ++i) AcceptAny(want[i], got[i]);
  if (want.is_object() && got.is_object())
    for (auto& [key, child] : want.items())
      if (got.contains(key)) AcceptAny(child, got[key]);
}

class EndpointsTest : public WebFixture {
 protected:
  void LoadTargets() {
    scrape.pools = {"blackbox", "test"};
    scrape::ActiveTarget blackbox;
    blackbox.discovered = {{"__always_scrape_classic_histograms__", "false"},
                           {"__convert_classic_histograms_to_nhcb__", "false"},
                           {"__param_target", "example.com"},
                           {"__scrape_interval__", "0s"},
                           {"__scrape_native_histograms__", "false"},
                           {"__scrape_timeout__", "0s"}};
    blackbox.labels = {{"job", "blackbox"}};
    blackbox.scrape_pool = "blackbox";
    blackbox.scrape_url = net::ParseUrl("http://localhost:9115/probe?target=example.com").value();
    blackbox.last_error = "failed";
    blackbox.last_duration_seconds = 0.1;
    blackbox.health = scrape::TargetHealth::kDown;
    blackbox.interval = "20s";
    blackbox.timeout = "10s";
    scrape::ActiveTarget test = blackbox;
    test.discovered = blackbox.discovered.Without("__param_target");
    test.labels = {{"job", "test"}};
    test.scrape_pool = "test";
    test.scrape_url = net::ParseUrl("http://example.com:8080/metrics").value();
    test.last_error = "";
    test.last_duration_seconds = 0.07;
    test.health = scrape::TargetHealth::kUp;
    test.interval = "15s";
    test.timeout = "5s";
    scrape.active = {blackbox, test};
    scrape.dropped = {{{"__address__", "http://dropped.example.com:9115"},
                       {"__always_scrape_classic_histograms__", "false"},
                       {"__convert_classic_histograms_to_nhcb__", "false"},
                       {"__metrics_path__", "/probe"},
                       {"__scheme__", "http"},
                       {"__scrape_interval__", "30s"},
                       {"__scrape_native_histograms__", "false"},
                       {"__scrape_timeout__", "15s"},
                       {"job", "blackbox"}}};
    LoadRelabelSteps();
  }

  void LoadRelabelSteps() {
    scrape::RelabelStep replace, drop, unreached;
    replace.rule.separator = "";
    replace.rule.regex = nullptr;
    replace.rule.target_label = "__address__";
    replace.rule.replacement = "example.com:443";
    replace.output = {{"__address__", "example.com:443"}, {"job", "test"}};
    replace.keep = true;
    drop.rule = replace.rule;
    drop.rule.source_labels = {"__address__"};
    drop.rule.regex = AnchoredRegex::Compile("example\\.com:.*").value();
    drop.rule.target_label = drop.rule.replacement = "";
    drop.rule.action = RelabelAction::kDrop;
    unreached.rule = replace.rule;
    unreached.rule.regex = AnchoredRegex::Compile(".*").value();
    unreached.rule.target_label = "job";
    unreached.rule.replacement = "should_not_apply";
    scrape.steps = {{"testpool", {replace, drop}}, {"testpool3", {replace, drop, unreached}}};
  }

  void LoadRules() {
    RuleStatus pending = Alerting("test_metric5", "vector(1)", {{"name", "tm5"}});
    pending.state = "pending";
    AlertStatus alert;
    alert.labels = {{"alertname", "test_metric5"}, {"name", "tm5"}};
    alert.state = "pending";
    alert.active_at_ns = 0;
    alert.value = 1;
    pending.alerts.push_back(alert);
    RuleGroupStatus first, second;
    first.name = "grp";
    second.name = "grp2";
    first.file = second.file = "/path/to/file";
    first.interval_seconds = second.interval_seconds = 1;
    first.rules = {Alerting("test_metric3", "absent(test_metric3) != 1"),
                   Alerting("test_metric4", "up == 1"),
                   pending,
                   Alerting("test_metric6", "up == 1", {{"testlabel", "rule"}}),
                   Alerting("test_metric7", "up == 1", {{"templatedlabel", "{{ $externalURL }}"}}),
                   Recording("recording-rule-1"),
                   Recording("recording-rule-2", {{"testlabel", "rule"}})};
    second.rules = {Alerting("test_metric3", "absent(test_metric3) != 1")};
    rules.groups = {first, second};
  }

  void LoadMetadata(const json& store) {
    scrape.metadata.clear();
    for (const auto& target : store)
      for (const auto& entry : target["metadata"]) {
        scrape::FamilyMetadata family;
        family.family = entry["metric"].get<std::string>();
        family.metadata = {MetricTypeFromName(entry["type"].get<std::string>()), entry["unit"], entry["help"]};
        const std::string job = target["target"];
        scrape.metadata.emplace_back(Labels{{"job", job}}, family);
      }
  }

  static net::QueryParams ParamsOf(const json& query) {
    net::QueryParams params;
    for (const auto& [key, values] : query.items())
      for (const auto& value : values) params.emplace_back(key, value.get<std::string>());
    return params;
  }

  void Check(const json& c, const Answer& answer) {
    const std::string id = c["id"].get<std::string>() + " " + answer.body.substr(0, 2000);
    json got = answer.Json();
    ASSERT_FALSE(got.is_discarded()) << id;
    ASSERT_EQ(got["status"], c["status"]) << id;
    if (c["status"] == "error") {
      EXPECT_EQ(got["errorType"], c["error_type"]) << id;
      return;
    }
    EXPECT_EQ(answer.status, 200) << id;
    if (c.contains("warnings_count")) {
      EXPECT_EQ(got["warnings"].size(), c["warnings_count"].get<size_t>()) << id;
    }
    if (c.contains("data_length")) {
      EXPECT_EQ(got["data"].size(), c["data_length"].get<size_t>()) << id;
    }
    if (!c.contains("data")) return;
    json want = c["data"], data = got["data"];
    // Upstream's fake knows only pools with dropped targets; the real manager, like ours, counts every pool.
    if (data.is_object() && data.contains("droppedTargetCounts") && data["droppedTargetCounts"].is_object())
      data["droppedTargetCounts"].erase("test");
    AcceptAny(want, data);
    const auto ignored = c.value("ignore_fields", std::vector<std::string>());
    Forget(want, ignored);
    Forget(data, ignored);
    // The order of an instant vector is no promise of Prometheus's either.
    if (c.value("order", "") == "any") {
      SortArrays(want);
      SortArrays(data);
    }
    EXPECT_EQ(data, want) << id;
  }
};

TEST_F(EndpointsTest, Endpoints) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/endpoints.json");
  LoadScript(storage, file["fixture"]["load"].get<std::string>());
  for (const auto& entry : file["fixture"]["exemplars"]) {
    LabelsBuilder series;
    for (const auto& [name, value] : entry["series"].items()) series.Set(name, value.get<std::string>());
    for (const auto& e : entry["exemplars"]) {
      Exemplar exemplar;
      exemplar.labels = {{"id", e["labels"]["id"].get_ref<const std::string&>()}};
      exemplar.value = e["value"];
      exemplar.time = e["timestamp_ms"];
      exemplar.has_time = true;
      storage.AppendExemplar(series.Build(), exemplar);
    }
  }
  LoadTargets();
  LoadRules();
  alertmanagers.active = file["fixture"]["alertmanagers"]["active"].get<std::vector<std::string>>();
  alertmanagers.dropped = file["fixture"]["alertmanagers"]["dropped"].get<std::vector<std::string>>();
  services.flags = file["fixture"]["flags"].get<std::map<std::string, std::string>>();
  for (const auto& c : file["cases"]) {
    LoadMetadata(c.value("metadata_store", json::array()));
    std::string path = c["endpoint"];
    if (const auto at = path.find("{name}"); at != std::string::npos)
      path.replace(at, 6, net::EscapePathSegment(testing::ConformanceText(c["path_params"]["name"])));
    const std::string params = net::EncodeQueryString(ParamsOf(c["query"]));
    for (const auto& method : c["methods"]) {
      const bool get = method == "GET";
      Check(c, Ask(method.get<std::string>(), get ? path + "?" + params : path, get ? "" : params));
    }
  }
}

TEST_F(EndpointsTest, SeriesAndLabels) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/series_labels.json");
  for (const auto& c : file["cases"]) {
    storage.Clear();
    LoadScript(storage, c["load"].get<std::string>());
    const std::string failure = c.value("storage_fails", "");
    storage.FailSelects({});
    if (failure == "generic error") storage.FailSelects(Error(ErrorCode::kExecution, failure));
    if (failure == "storage error") storage.FailSelects(Error(ErrorCode::kInternal, failure));
    json checked = c;
    checked["order"] = "any";
    Check(checked, Ask("GET", c["endpoint"].get<std::string>() + "?" + net::EncodeQueryString(ParamsOf(c["query"]))));
  }
}

TEST_F(EndpointsTest, Admin) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/admin.json");
  for (const auto& c : file["cases"]) {
    services.options.enable_admin_api = c.value("admin_enabled", false);
    database.error.reset();
    if (c["database"] == "failing") database.error = Error(ErrorCode::kIo, "failing");
    if (c["database"] == "not ready") database.error = Error(ErrorCode::kUnavailable, "TSDB not ready");
    const std::string path = c["endpoint"];
    const std::string params = net::EncodeQueryString(ParamsOf(c["query"]));
    const bool status_page = path.find("/status/") != std::string::npos;
    const auto answer = status_page ? Ask("GET", path + "?" + params) : Ask("POST", path + "?" + params);
    if (answer.status == 204) {
      EXPECT_EQ(c["status"], "success") << c["id"];
      EXPECT_EQ(answer.body, "") << c["id"];
    } else {
      Check(c, answer);
    }
  }
}

// The empty selector selects nothing: it is not a way to delete or to hand out everything.
TEST_F(EndpointsTest, SelectorsWithoutMatchersSelectNothing) {
  services.options.enable_admin_api = true;
  EXPECT_EQ(Ask("POST", "/api/v1/admin/tsdb/delete_series?match[]={}").status, 204);
  EXPECT_EQ(database.deleted_sets, 0u);
  EXPECT_EQ(Ask("POST", "/api/v1/admin/tsdb/delete_series?match[]={}&match[]=up").status, 204);
  EXPECT_EQ(database.deleted_sets, 1u);
  storage.Append({{"__name__", "up"}}, clock.NowMs(), 1);
  EXPECT_EQ(Ask("GET", "/federate?match[]={}").body, "");
  EXPECT_NE(Ask("GET", "/federate?match[]={}&match[]=up").body, "");
}

TEST_F(EndpointsTest, AgentMode) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/agent_endpoints.json");
  services.options.agent_mode = true;
  for (const auto& c : file["cases"]) {
    std::string path = c["path"];
    if (const auto at = path.find(":name"); at != std::string::npos) path.replace(at, 5, "job");
    for (const auto& method : c["methods"]) {
      const auto answer = Ask(method.get<std::string>(), path);
      EXPECT_EQ(answer.status, c["available_in_agent_mode"].get<bool>() ? 200 : 422) << path;
    }
  }
}

TEST_F(EndpointsTest, Federate) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/federate.json");
  LoadScript(storage, file["load"].get<std::string>());
  testing::SimulatedClock then(101 * 60 * 1000);
  services.clock = &then;
  for (const auto& c : file["cases"]) {
    services.external_labels = [&] {
      LabelsBuilder labels;
      const json external = c.value("external_labels", json::object());
      for (const auto& [name, value] : external.items()) labels.Set(name, value.get<std::string>());
      return labels.Build();
    };
    const auto answer = Ask("GET", "/federate?" + c["params"].get<std::string>());
    EXPECT_EQ(answer.status, c["code"].get<int>()) << c["id"];
    EXPECT_EQ(answer.body, c["body"].get<std::string>()) << c["id"];
  }
}

TEST_F(EndpointsTest, QueryErrorsBecomeStatus) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/respond.json");
  LoadScript(storage, "load 1m\n\tup 1 1 1");
  // What our storage and engine say where Prometheus's say these things.
  const std::map<std::string, Error> kErrors = {
      {"random error", Error(ErrorCode::kExecution, "some random error")},
      {"promql.ErrTooManySamples",
       Error(ErrorCode::kLimit, "query processing would load too many samples into memory")},
      {"promql.ErrQueryCanceled", Error(ErrorCode::kCanceled, "query was canceled in x")},
      {"promql.ErrQueryTimeout", Error(ErrorCode::kTimeout, "query timed out in x")},
      {"context.DeadlineExceeded", Error(ErrorCode::kTimeout, "context deadline exceeded")},
      {"context.Canceled", Error(ErrorCode::kCanceled, "context canceled")}};
  for (const auto& c : file["cases"]) {
    if (c["kind"] != "query_error_status") continue;
    storage.FailSelects(kErrors.at(c["name"].get<std::string>()));
    const auto answer = Ask("GET", "/api/v1/query?time=60&query=up");
    EXPECT_EQ(answer.status, c["expected_code"].get<int>()) << c["name"] << answer.body;
    EXPECT_THAT(answer.body, ::testing::HasSubstr(c["body_contains"].get<std::string>()));
  }
}

// Walks "$.data.result".
const json* Find(const json& root, std::string_view path) {
  const json* at = &root;
  path.remove_prefix(1);
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto end = std::min(path.find('.'), path.size());
    const std::string key(path.substr(0, end));
    path.remove_prefix(end);
    if (!at->is_object() || !at->contains(key)) return nullptr;
    at = &(*at)[key];
  }
  return at;
}

bool HasMembers(const json& object, const json& want) {
  for (const auto& [key, value] : want.items())
    if (!object.contains(key) || (value != "any value" && object[key] != value)) return false;
  return true;
}

class ScenariosTest : public EndpointsTest {
 protected:
  void LoadFixture(const std::string& name) {
    storage.Clear();
    storage.FailViews({});
    rules.groups.clear();
    const TimestampMs now = clock.NowMs(), before = now - 60'000;
    if (name == "series") {
      const Labels up = {{"__name__", "up"}, {"job", "prometheus"}, {"instance", "localhost:9090"}};
      const Labels node = {{"__name__", "up"}, {"job", "node"}, {"instance", "localhost:9100"}};
      const Labels requests = {{"__name__", "http_requests_total"}, {"job", "api"}, {"instance", "localhost:8080"}};
      // Also at the start of time: one case asks for series there and expects the storage to be coarse.
      storage.Append(up, 60'000, 1);
      for (const TimestampMs t : {before, now}) {
        storage.Append(up, t, 1);
        storage.Append(node, t, t == now ? 0 : 1);
        storage.Append(requests, t, t == now ? 150 : 100);
      }
    } else if (name == "rules") {
      RuleGroupStatus group;
      group.name = "example";
      group.file = "example.rules";
      group.rules = {Alerting("InstanceDown", "up == 0", {{"severity", "critical"}}), Recording("job:up:sum")};
      rules.groups = {group};
    } else if (name == "native histograms") {
      FloatHistogram h;
      h.schema = 2;
      h.zero_threshold = 0.001;
      h.zero_count = 5;
      h.count = 50;
      h.sum = 100;
      h.positive_spans = {{0, 2}, {1, 2}};
      h.positive_buckets = {5, 10, 8, 7};
      h.negative_spans = {{0, 1}};
      h.negative_buckets = {3};
      const Labels labels = {{"__name__", "test_histogram"}, {"job", "prometheus"}, {"instance", "localhost:9090"}};
      for (const TimestampMs t : {before, now}) storage.Append(labels, t, h);
    } else if (name == "database not ready") {
      storage.FailViews(Error(ErrorCode::kUnavailable, "TSDB not ready"));
    }
  }

  std::string Resolve(std::string value) const {
    const std::string now = std::to_string(clock.NowMs() / 1000), before = std::to_string(clock.NowMs() / 1000 - 120);
    if (value == "<now>") return now;
    return value == "<now-120>" ? before : value;
  }

  static void CheckOne(const json& check, const Answer& answer, const std::string& id) {
    const json got = answer.Json();
    const std::string kind = check[0];
    const json* at = check.size() > 1 && check[1].is_string() ? Find(got, check[1].get<std::string>()) : nullptr;
    if (kind == "openapi_valid") return;
    if (kind == "success" || kind == "error") {
      EXPECT_EQ(got["status"], kind) << id;
    } else if (kind == "status_code") {
      EXPECT_EQ(answer.status, check[1].get<int>()) << id;
    } else if (kind == "path_absent") {
      EXPECT_EQ(at, nullptr) << id;
    } else if (at == nullptr) {
      ADD_FAILURE() << id << ": nothing at " << check[1];
    } else if (kind == "path_is_array") {
      EXPECT_TRUE(at->is_array()) << id;
    } else if (kind == "path_equals") {
      EXPECT_EQ(*at, check[2]) << id;
    } else if (kind == "path_len_at_least") {
      EXPECT_GE(at->size(), check[2].get<size_t>()) << id;
    } else if (kind == "path_array_contains") {
      EXPECT_NE(std::find(at->begin(), at->end(), check[2]), at->end()) << id;
    } else if (kind == "path_array_has_object_with") {
      EXPECT_TRUE(std::any_of(at->begin(), at->end(), [&](const json& o) { return HasMembers(o, check[2]); })) << id;
    } else {
      EXPECT_EQ(kind, "path_exists") << id;
    }
  }
};

TEST_F(ScenariosTest, Scenarios) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/scenarios.json");
  services.config_yaml = [] { return std::string("global: {}\n"); };
  services.scrape_config_yaml = [](std::string_view) -> Result<std::string> { return std::string("job_name: x\n"); };
  for (const auto& c : file["cases"]) {
    LoadFixture(c["fixture"].get<std::string>());
    net::QueryParams params;
    for (const auto& pair : c["params"]) params.emplace_back(pair[0], Resolve(pair[1].get<std::string>()));
    const std::string encoded = net::EncodeQueryString(params);
    const bool get = c["method"] == "GET";
    const std::string path = c["path"];
    const auto answer = Ask(c["method"].get<std::string>(), get ? path + "?" + encoded : path, get ? "" : encoded);
    const std::string id = c["id"].get<std::string>() + ": " + answer.body.substr(0, 500);
    for (const auto& check : c["checks"]) CheckOne(check, answer, id);
  }
}

TEST_F(EndpointsTest, ParseQuery) {
  EPI_CONFORMANCE_OR_SKIP(file, "api/parse_query_ast.json");
  services.parse_options = promql::ParseOptions::AllEnabled();
  for (const auto& c : file["cases"]) {
    const auto answer = Ask("GET", "/api/v1/parse_query?query=" + net::EscapeQuery(c["query"].get<std::string>()));
    ASSERT_EQ(answer.status, 200) << c["id"] << answer.body;
    const json data = answer.Json()["data"];
    EXPECT_EQ(data["type"], c["type"]) << c["id"];
    for (const auto& [key, value] : c["fields"].items()) EXPECT_EQ(data[key], value) << c["id"] << " " << key;
  }
}

TEST_F(EndpointsTest, FeatureTableIsPrintedAsItIs) {
  EPI_CONFORMANCE_OR_SKIP(golden, "api/features_golden.json");
  services.features = golden.get<FeatureTable>();
  const auto answer = Ask("GET", "/api/v1/features");
  EXPECT_EQ(answer.Json()["data"], golden);
  EXPECT_THAT(answer.body, ::testing::HasSubstr("\">=\":true"));
}

TEST_F(EndpointsTest, LabelsToRelabelThatAreNone) {
  scrape.steps = {{"one", {}}};
  const auto ask = [&](const std::string& labels) {
    return Ask("GET", "/api/v1/targets/relabel_steps?scrapePool=one&labels=" + net::EscapeQuery(labels));
  };
  const std::pair<const char*, const char*> refused[] = {
      {R"({"a":"b")", "unexpected end of JSON input"},
      {R"({a:"b"})", "invalid character 'a' looking for beginning of object key string"},
      {R"({"a":"b"} x)", "invalid character 'x' after top-level value"},
      {R"({"a":1})", "json: cannot unmarshal number into Go value of type string"},
      {R"({"":{}})", "json: cannot unmarshal object into Go value of type string"},
      {"[]", "json: cannot unmarshal array into Go value of type map[string]string"},
  };
  for (const auto& [labels, why] : refused) {
    const auto answer = ask(labels);
    EXPECT_EQ(answer.status, 400) << labels;
    EXPECT_EQ(answer.Json()["error"], std::string("error parsing labels: ") + why) << labels;
  }
  EXPECT_EQ(ask(R"({"a":"\ud800"})").status, 200);  // half a character is U+FFFD
}

TEST_F(EndpointsTest, CostsAreListed) {
  database.cost.metrics = {{"up", 3, 100, 20}, {"down", 1, 7, 0}};
  database.cost.labels = {{"job", 2, 5, 6}};
  auto answer = Ask("GET", "/api/v1/status/tsdb/cost?limit=1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(
      answer.body,
      R"({"status":"success","data":{"costByMetricName":[{"name":"up","seriesCount":3,"memoryInBytes":100,)"
      R"("diskInBytes":20}],"costByLabelName":[{"name":"job","valueCount":2,"memoryInBytes":5,"diskInBytes":6}]}})");
  EXPECT_EQ(Ask("GET", "/api/v1/status/tsdb/cost?limit=0").status, 400);
  database.error = Error(ErrorCode::kIo, "failing");
  EXPECT_EQ(Ask("GET", "/api/v1/status/tsdb/cost").status, 500);
}

}  // namespace
}  // namespace epi::web
