// Whole answers, byte for byte.
#include <gmock/gmock.h>

#include "testing/web_fixture.h"

namespace epi::web {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EncodingTest : public WebFixture {};

TEST_F(EncodingTest, VectorMatrixScalarString) {
  LoadScript(storage, "load 1s\n\tfoo{l=\"<a>\"} 1 1 1\n\tbar 2 2 2");
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=foo&time=1").body,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"foo\","
            "\"l\":\"<a>\"},\"value\":[1,\"1\"]}]}}");
  EXPECT_EQ(
      Ask("GET", "/api/v1/query_range?query=bar&start=0&end=2&step=1").body,
      "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"bar\"},"
      "\"values\":[[0,\"2\"],[1,\"2\"],[2,\"2\"]]}]}}");
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=1e30&time=1.5").body,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1.5,"
            "\"1000000000000000000000000000000\"]}}");
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=vector(1e30)&time=1").body,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,"
            "\"1e+30\"]}]}}");
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=%22%3Cx%3E%22&time=0.001").body,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[0.001,\"\\u003cx\\u003e\"]}}");
}

TEST_F(EncodingTest, ErrorsAreWordedAsPrometheusWordsThem) {
  struct Case {
    std::string target;
    int status;
    std::string body;
  };
  const Case cases[] = {
      {"/api/v1/query?query=up%7B", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"})~"},
      {"/api/v1/query?query=up&time=x", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp"})~"},
      {"/api/v1/query?query=up&limit=x", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"})~"},
      {"/api/v1/query?query=up&lookback_delta=x", 400,
       R"~({"status":"error","errorType":"bad_data","error":"error parsing lookback delta duration: cannot parse \"x\" to a valid duration"})~"},
      {"/api/v1/query_range?query=up&start=x&end=1&step=1", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"start\": cannot parse \"x\" to a valid timestamp"})~"},
      {"/api/v1/query_range?query=up&start=0&end=20000&step=1", 400,
       R"~({"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"})~"},
      {"/api/v1/query_range?query=up&start=0&end=20&step=0.0005", 400,
       R"~({"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"})~"},
      {"/api/v1/query_range?query=up&start=0&end=1&step=0.0005", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"})~"},
      {"/api/v1/query_range?query=up&start=0&end=1&step=1e30", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": cannot parse \"1e30\" to a valid duration. It overflows int64"})~"},
      {"/api/v1/query_range?query=up%5B1m%5D&start=0&end=1&step=1", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"})~"},
      {"/api/v1/label/a%FF/values", 400,
       R"~({"status":"error","errorType":"bad_data","error":"invalid label name: \"a\\xff\""})~"},
      {"/api/v1/series", 400, R"~({"status":"error","errorType":"bad_data","error":"no match[] parameter provided"})~"},
      {"/api/v1/search/metric_names", 500,
       R"~({"status":"error","errorType":"unavailable","error":"search API disabled"})~"},
  };
  for (const auto& c : cases) {
    const auto answer = Ask("GET", c.target);
    EXPECT_EQ(answer.status, c.status) << c.target;
    EXPECT_EQ(answer.body, c.body) << c.target;
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/json\r\n")) << c.target;
  }
}

// Endpoints that parse the form by themselves tell of a Content-Type that is none.
TEST_F(EncodingTest, WrongContentTypesOfForms) {
  const auto ask = [this](std::string_view type) {
    net::HttpHeaders headers;
    headers.Add("Content-Type", std::string(type));
    return Ask("POST", "/api/v1/series?match[]=up", "", headers);
  };
  EXPECT_THAT(ask("a/b/c").body, HasSubstr("error parsing form values: mime: unexpected content after media subtype"));
  EXPECT_THAT(ask("application/x-www-form-urlencoded; x").body, HasSubstr("mime: invalid media parameter"));
  EXPECT_EQ(ask("application/x-www-form-urlencoded; charset=utf-8;").status, 200);
  EXPECT_EQ(ask("text/plain").status, 200);
}

// Where parameters are read one by one; endpoints that parse the form first take no parts.
TEST_F(EncodingTest, FormsOfSeveralParts) {
  const auto ask = [this](const std::string& path, const std::string& name, const std::string& value) {
    net::HttpHeaders headers;
    headers.Add("Content-Type", "multipart/form-data; boundary=b");
    return Ask("POST", path,
               "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n--b--\r\n",
               headers);
  };
  EXPECT_THAT(ask("/api/v1/query?time=1", "query", "42").body, HasSubstr("[1,\"42\"]"));
  EXPECT_THAT(ask("/api/v1/query_range?start=1&end=1&step=1", "query", "42").body, HasSubstr("\"42\""));
  EXPECT_THAT(ask("/api/v1/format_query", "query", "sum(up)by(a)").body, HasSubstr("sum by (a) (up)"));
  EXPECT_EQ(ask("/api/v1/parse_query", "query", "up{").status, 400);
  EXPECT_EQ(ask("/api/v1/query_exemplars", "query", "up").status, 200);
  EXPECT_EQ(ask("/api/v1/labels", "match[]", "{").status, 400);
  EXPECT_THAT(ask("/api/v1/series", "match[]", "up").body, HasSubstr("no match[] parameter provided"));
}

TEST_F(EncodingTest, HoursMayHaveOneDigit) {
  EXPECT_THAT(Ask("GET", "/api/v1/query?query=1&time=1970-01-01T1:00:00Z").body, HasSubstr("[3600,\"1\"]"));
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=1&time=1970-01-01T001:00:00Z").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/query?query=1&time=1970-01-01T01:0:00Z").status, 400);
}

TEST_F(EncodingTest, Cors) {
  net::HttpHeaders headers;
  EXPECT_THAT(Ask("GET", "/api/v1/labels").head, HasSubstr("Vary: Origin"));
  EXPECT_THAT(Ask("GET", "/api/v1/labels").head, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(Ask("GET", "/api/v1/openapi.yaml").head, Not(HasSubstr("Vary")));
  headers.Add("Origin", "http://x.example");
  EXPECT_THAT(Ask("GET", "/api/v1/labels", "", headers).head, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
  services.options.cors_origin = "http://.*\\.example";
  services.cors_pattern = AnchoredRegex::Compile(services.options.cors_origin).value();
  const auto preflight = Ask("OPTIONS", "/api/v1/anything/at/all", "", headers);
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.body, "");
  EXPECT_THAT(preflight.head, HasSubstr("Access-Control-Allow-Origin: http://x.example\r\n"));
  EXPECT_THAT(preflight.head, HasSubstr("Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
  headers.Set("Origin", "http://evil");
  EXPECT_THAT(Ask("GET", "/api/v1/labels", "", headers).head, Not(HasSubstr("Allow-Origin")));
}

TEST_F(EncodingTest, Readiness) {
  services.readiness = Readiness::kStarting;
  auto answer = Ask("GET", "/api/v1/query?query=1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "Service Unavailable");
  EXPECT_THAT(answer.head, HasSubstr("X-Prometheus-Stopping: false\r\n"));
  EXPECT_EQ(Ask("GET", "/-/ready").status, 503);
  EXPECT_EQ(Ask("GET", "/-/healthy").body, "Prometheus Server is Healthy.\n");
  EXPECT_EQ(Ask("GET", "/metrics").status, 200);
  EXPECT_EQ(Ask("GET", "/api/v1/status/walreplay").body,
            R"~({"status":"success","data":{"min":1,"max":3,"current":2}})~");
  services.readiness = Readiness::kStopping;
  EXPECT_THAT(Ask("GET", "/-/ready").head, HasSubstr("X-Prometheus-Stopping: true\r\n"));
  services.readiness = Readiness::kReady;
  EXPECT_EQ(Ask("GET", "/-/ready").body, "Prometheus Server is Ready.\n");
  EXPECT_EQ(Ask("HEAD", "/-/ready").status, 200);
}

TEST_F(EncodingTest, Routing) {
  struct Case {
    std::string method, target;
    int status;
    std::string header;
  };
  const Case cases[] = {
      {"GET", "/api/v1/nothing", 404, ""},
      {"GET", "/nothing", 404, ""},
      {"DELETE", "/api/v1/query", 405, "Allow: GET, OPTIONS, POST\r\n"},
      {"HEAD", "/api/v1/labels", 405, ""},
      {"POST", "/api/v1/rules", 405, "Allow: GET, OPTIONS\r\n"},
      {"GET", "/api/v1/query/?query=1", 301, "Location: /api/v1/query?query=1\r\n"},
      {"GET", "//api//v1/labels", 307, "Location: /api/v1/labels\r\n"},
      {"GET", "/API/v1/Labels", 404, ""},  // a server of its own lies below /api/v1
      {"GET", "/api/v1/Labels", 301, "Location: /api/v1/labels\r\n"},
      {"POST", "/api/v1/../v1/query", 307, "Location: /api/v1/query\r\n"},
      // Escaped dots and slashes are text, which leads on where it is nearly a route.
      {"GET", "/api/v1/label/%2e%2e/values", 200, ""},
      {"GET", "//api/v1/label/%2e%2e/values", 307, "Location: /api/v1/label/%2e%2e/values\r\n"},
      {"GET", "/-/%2e/healthy", 301, "Location: /-/healthy\r\n"},
      {"POST", "/-/%2e/healthy", 404, ""},
      {"GET", "/api/v1/%2e/labels", 301, "Location: /api/v1/labels\r\n"},
      {"GET", "/api/v1/%2e%2e/v1/labels", 404, ""},
      {"OPTIONS", "/api/v1/%2e/labels", 204, ""},
      {"GET", "/%2f", 301, "Location: /\r\n"},
      {"POST", "/%2f", 404, ""},
      {"GET", "/", 302, "Location: /query\r\n"},
      {"GET", "/graph?g0.expr=up", 302, "Location: /query?g0.expr=up\r\n"},
      {"GET", "/query", 200, "Content-Type: text/html"},
      {"GET", "/debug/pprof/heap", 404, ""},
      {"GET", "/-/reload", 405, ""},
      {"POST", "/-/reload", 403, ""},
      {"PUT", "/-/quit", 403, ""},
      {"POST", "/api/v1/write", 404, ""},
      {"POST", "/api/v1/otlp/v1/metrics", 404, ""},
  };
  for (const auto& c : cases) {
    const auto answer = Ask(c.method, c.target);
    EXPECT_EQ(answer.status, c.status) << c.method << " " << c.target << " " << answer.body;
    EXPECT_THAT(answer.head + "\r\n", HasSubstr(c.header)) << c.method << " " << c.target;
  }
  EXPECT_EQ(Ask("GET", "/nothing").body, "404 page not found\n");
}

TEST_F(EncodingTest, RoutingBelowAPrefix) {
  MetricRegistry registry;
  router = std::make_unique<net::Router>(RouterOptions("/p/q/", Logger()), services, Routes(), registry, clock);
  struct Case {
    std::string method, target;
    int status;
    std::string header;
  };
  const Case cases[] = {
      {"GET", "/p/q/api/v1/query?query=1", 200, ""},
      {"GET", "/api/v1/query?query=1", 404, ""},
      {"GET", "/p/query", 404, ""},
      {"GET", "/p/qapi/v1/query?query=1", 404, ""},
      {"GET", "/p/q", 301, "Location: /p/q/\r\n"},
      {"GET", "/", 301, "Location: /p/q/\r\n"},
      {"POST", "/", 404, ""},
      {"HEAD", "/p/q", 404, ""},
      {"GET", "/p/q/", 302, ""},
      // A path is straightened wherever it leads.
      {"GET", "//", 307, "Location: /\r\n"},
      {"POST", "/p//q/api/v1/labels", 307, "Location: /p/q/api/v1/labels\r\n"},
      {"GET", "/p/q/api/v1/query/?query=1", 301, "Location: /p/q/api/v1/query?query=1\r\n"},
  };
  for (const auto& c : cases) {
    const auto answer = Ask(c.method, c.target);
    EXPECT_EQ(answer.status, c.status) << c.method << " " << c.target << " " << answer.body;
    EXPECT_THAT(answer.head + "\r\n", HasSubstr(c.header)) << c.method << " " << c.target;
  }
}

TEST_F(EncodingTest, Lifecycle) {
  services.options.enable_lifecycle = true;
  bool fails = true, first = true;
  services.reload = [&]() -> Result<void> {
    if (fails) return Fail(ErrorCode::kInvalid, "line 3: bad");
    return {};
  };
  services.quit = [&] { return std::exchange(first, false); };
  auto answer = Ask("POST", "/-/reload");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "failed to reload config: line 3: bad\n");
  fails = false;
  answer = Ask("PUT", "/-/reload");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(Ask("POST", "/-/quit").body, "Requesting termination... Goodbye!");
  EXPECT_EQ(Ask("POST", "/-/quit").body, "Termination already in progress.");
}

TEST_F(EncodingTest, MetricsOfTheServerItself) {
  Ask("GET", "/api/v1/labels");
  const auto answer = Ask("GET", "/metrics");
  EXPECT_THAT(answer.head,
              HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n"));
  EXPECT_THAT(answer.body, HasSubstr("prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/labels\"} 1\n"));
  EXPECT_THAT(answer.body, HasSubstr("prometheus_http_requests_total{code=\"200\",handler=\"/api/v1/query\"} 0\n"));
  EXPECT_THAT(answer.body, HasSubstr("process_cpu_seconds_total"));
  EXPECT_THAT(Ask("GET", "/metrics?name[]=process_open_fds").body, StartsWith("# HELP process_open_fds "));
  const auto json = Ask("GET", "/api/v1/status/self_metrics?metric_name_pattern=process_open_.*").Json();
  ASSERT_EQ(json["data"].size(), 1u);
  EXPECT_EQ(json["data"][0]["type"], "GAUGE");
  EXPECT_EQ(Ask("GET", "/api/v1/status/self_metrics?metric_name_pattern=(").status, 400);
}

TEST_F(EncodingTest, NativeHistogramsOfTheServerItself) {
  metrics.AddNativeHistogram("took_seconds", "Took.", {}).Observe(0.5);
  EXPECT_EQ(Ask("GET", "/api/v1/status/self_metrics?metric_name_pattern=took_seconds").body,
            R"~({"status":"success","data":[{"name":"took_seconds","help":"Took.","type":"HISTOGRAM","metric":[)~"
            R"~({"histogram":{"sampleCount":"1","sampleSum":0.5,"schema":3,"zeroThreshold":2.938735877055719e-39,)~"
            R"~("zeroCount":"0","positiveSpan":[{"offset":-8,"length":1}],"positiveDelta":["1"]}}]}]})~");
  Ask("GET", "/api/v1/labels");
  net::HttpHeaders headers;
  headers.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text");
  const auto shown = Ask("GET", "/metrics?name[]=prometheus_http_request_duration_seconds", "", headers).body;
  EXPECT_THAT(shown, HasSubstr("upper_bound: 0.1"));  // beside the classic buckets
  EXPECT_THAT(shown, HasSubstr("schema: 3"));
}

TEST_F(EncodingTest, TooManyAnnotationsAreCounted) {
  std::string script = "load 1m\n";
  for (int i = 0; i < 12; ++i) script += "\tfoo" + std::to_string(i) + " 1 1 1\n";
  LoadScript(storage, script);
  std::string query;
  for (int i = 0; i < 12; ++i) query += (i == 0 ? "" : " or ") + ("rate(foo" + std::to_string(i) + "[2m])");
  const auto json = Ask("GET", "/api/v1/query?time=60&query=" + net::EscapeQuery(query)).Json();
  ASSERT_EQ(json["infos"].size(), 11u) << json.dump();
  EXPECT_EQ(json["infos"][10], "2 more info annotations omitted");
}

TEST_F(EncodingTest, NotificationsAreListed) {
  Notifications notifications(2, clock, metrics);
  services.notifications = &notifications;
  EXPECT_EQ(Ask("GET", "/api/v1/notifications").body, R"~({"status":"success","data":[]})~");
  notifications.Add(kReloadFailedNotice);
  notifications.Add(kReloadFailedNotice);
  EXPECT_EQ(Ask("GET", "/api/v1/notifications").body,
            "{\"status\":\"success\",\"data\":[{\"text\":\"Configuration reload has failed.\",\"date\":\"" +
                std::string("2023-11-14T22:13:20Z") + "\",\"active\":true}]}");
  auto one = notifications.Subscribe(), two = notifications.Subscribe();
  EXPECT_EQ(notifications.Subscribe(), nullptr);
  EXPECT_EQ(Ask("GET", "/api/v1/notifications/live").status, 204);
  two.reset();
  notifications.Delete(kReloadFailedNotice);
  std::stop_source stop;
  EXPECT_TRUE(one->Next(stop.get_token(), INT64_MAX)->active);
  EXPECT_FALSE(one->Next(stop.get_token(), INT64_MAX)->active);
  stop.request_stop();
  EXPECT_FALSE(one->Next(stop.get_token(), INT64_MAX).has_value());
}

// Every route is documented, has a handler, and the table has no two rows for one path and method.
TEST(Routes, TableIsSound) {
  std::set<std::pair<std::string_view, net::MethodSet>> seen;
  for (const auto& route : Routes()) {
    EXPECT_NE(route.handler, nullptr) << route.path;
    EXPECT_FALSE(route.doc.empty()) << route.path;
    EXPECT_TRUE(route.path.starts_with('/')) << route.path;
    for (unsigned bit = 1; bit <= net::MethodBit(net::Method::kOther); bit <<= 1) {
      if ((route.methods & bit) == 0) continue;
      EXPECT_TRUE(seen.emplace(route.path, bit).second) << route.path;
    }
  }
}

}  // namespace
}  // namespace epi::web
