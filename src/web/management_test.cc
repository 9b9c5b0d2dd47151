// The paths beside the API, row by row as the reference lists them: life cycle, status, own metrics, pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/web_fixture.h"

namespace epi::web {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

struct Row {
  std::string_view method;
  std::string target;
  int status;
  std::string_view body;
  std::string_view head = "";  // somewhere in it
};

constexpr std::string_view kText = "Content-Type: text/plain; charset=utf-8\r\n";
constexpr std::string_view kPprof = "This server is not a Go program and has no pprof endpoints.\n";

class ManagementTest : public WebFixture {
 protected:
  void Check(std::string_view when, std::initializer_list<Row> rows) {
    for (const auto& row : rows) {
      const auto answer = Ask(row.method, row.target);
      const auto where = std::string(when) + ": " + std::string(row.method) + " " + row.target;
      EXPECT_EQ(answer.status, row.status) << where;
      EXPECT_EQ(answer.body, row.body) << where;
      EXPECT_THAT(answer.head + "\r\n", HasSubstr(std::string(row.head))) << where;
    }
  }
};

TEST_F(ManagementTest, HealthAndReadiness) {
  Check("ready", {{"GET", "/-/healthy", 200, "Prometheus Server is Healthy.\n", kText},
                  {"HEAD", "/-/healthy", 200, ""},
                  {"POST", "/-/healthy", 405, "Method Not Allowed\n", "Allow: GET, HEAD, OPTIONS\r\n"},
                  {"GET", "/-/ready", 200, "Prometheus Server is Ready.\n", kText},
                  {"HEAD", "/-/ready", 200, ""}});
  for (const bool stopping : {false, true}) {
    services.readiness = stopping ? Readiness::kStopping : Readiness::kStarting;
    const std::string_view header = stopping ? "X-Prometheus-Stopping: true\r\n" : "X-Prometheus-Stopping: false\r\n";
    Check("not ready",
          {{"GET", "/-/healthy", 200, "Prometheus Server is Healthy.\n"},
           {"HEAD", "/-/healthy", 200, ""},
           {"GET", "/-/ready", 503, "Service Unavailable", header},
           {"HEAD", "/-/ready", 503, "", header},
           {"GET", "/federate?match[]=up", 503, "Service Unavailable", header},
           {"GET", "/api/v1/query?query=1", 503, "Service Unavailable", header},
           {"GET", "/api/v1/status/walreplay", 200, R"({"status":"success","data":{"min":1,"max":3,"current":2}})"}});
    EXPECT_EQ(Ask("GET", "/metrics").status, 200);
    EXPECT_EQ(Ask("GET", "/version").status, 200);
  }
  services.readiness = Readiness::kReady;
  services.options.agent_mode = true;
  Check("agent", {{"GET", "/-/healthy", 200, "Prometheus Agent is Healthy.\n"},
                  {"GET", "/-/ready", 200, "Prometheus Agent is Ready.\n"}});
}

TEST_F(ManagementTest, LifeCycle) {
  int reloads = 0, quits = 0;
  std::optional<Error> failure;
  services.reload = [&]() -> Result<void> {
    ++reloads;
    if (failure) return Fail(*failure);
    return {};
  };
  services.quit = [&] { return ++quits == 1; };
  constexpr std::string_view kOff = "Lifecycle API is not enabled.", kWrong = "Only POST or PUT requests allowed";
  for (const auto* path : {"/-/reload", "/-/quit"}) {
    Check("off", {{"POST", path, 403, kOff, kText}, {"PUT", path, 403, kOff}, {"GET", path, 405, kWrong, kText}});
  }
  EXPECT_EQ(reloads + quits, 0);
  services.options.enable_lifecycle = true;
  Check("on", {{"POST", "/-/reload", 200, ""}, {"PUT", "/-/reload", 200, ""}, {"GET", "/-/reload", 405, kWrong}});
  EXPECT_EQ(reloads, 2);
  failure = Error(ErrorCode::kInvalid, "couldn't load configuration");
  Check("broken", {{"POST", "/-/reload", 500, "failed to reload config: couldn't load configuration\n", kText}});
  Check("on", {{"POST", "/-/quit", 200, "Requesting termination... Goodbye!"},
               {"PUT", "/-/quit", 200, "Termination already in progress."},
               {"GET", "/-/quit", 405, kWrong}});
}

TEST_F(ManagementTest, Redirects) {
  Check("plain",
        {{"GET", "/", 302, "<a href=\"/query\">Found</a>.\n\n", "Location: /query\r\n"},
         {"GET", "/graph?g0.expr=up&g0.tab=1", 302, "<a href=\"/query?g0.expr=up&amp;g0.tab=1\">Found</a>.\n\n",
          "Location: /query?g0.expr=up&g0.tab=1\r\n"}});
  services.options.external_url = "http://a.example/prom";
  Check("external path", {{"GET", "/", 302, "<a href=\"/prom/query\">Found</a>.\n\n", "Location: /prom/query\r\n"}});
  services.options.agent_mode = true;
  Check("agent", {{"GET", "/", 302, "<a href=\"/prom/agent\">Found</a>.\n\n", "Location: /prom/agent\r\n"}});
}

TEST_F(ManagementTest, Pages) {
  constexpr std::string_view kBoth[] = {
      "/targets", "/service-discovery", "/alertmanager-discovery", "/status", "/config", "/flags"};
  constexpr std::string_view kServer[] = {"/query", "/alerts", "/rules", "/tsdb-status"};
  const auto is_page = [&](std::string_view path) {
    const auto answer = Ask("GET", std::string(path));
    return answer.status == 200 && answer.head.find("Content-Type: text/html; charset=utf-8") != std::string::npos;
  };
  for (const auto path : kBoth) EXPECT_TRUE(is_page(path)) << path;
  for (const auto path : kServer) EXPECT_TRUE(is_page(path)) << path;
  EXPECT_EQ(Ask("GET", "/agent").status, 404);
  services.options.agent_mode = true;
  EXPECT_TRUE(is_page("/agent"));
  for (const auto path : kBoth) EXPECT_TRUE(is_page(path)) << path;
}

TEST_F(ManagementTest, WhatIsNotThere) {
  for (const std::string path : {"/favicon.ico", "/favicon.svg", "/manifest.json"}) {
    Check(path, {{"GET", path, 404, "404 page not found\n", kText},
                 {"POST", path, 405, "Method Not Allowed\n", kText},
                 {"GET", path + "/", 301, "<a href=\"" + path + "\">Moved Permanently</a>.\n\n",
                  "Location: " + path + "\r\n"}});
  }
  Check("pprof", {{"GET", "/debug/pprof/", 404, kPprof, kText},
                  {"GET", "/debug/pprof/heap", 404, kPprof},
                  {"GET", "/debug/pprof/profile?seconds=1", 404, kPprof},
                  {"POST", "/debug/pprof/symbol", 404, kPprof},
                  {"GET", "/debug/pprof", 404, kPprof},
                  {"GET", "/debug/other", 404, "404 page not found\n"}});
  for (const auto* path : {"/nothing", "/consoles/prometheus.html", "/user/a", "/-/nothing"}) {
    Check("unknown", {{"GET", path, 404, "404 page not found\n", kText}});
  }
}

TEST_F(ManagementTest, Version) {
  services.build = {"3.14.0", "abc", "main", "me", "20260101", "c++20"};
  Check(
      "",
      {{"GET", "/version", 200,
        R"({"version":"3.14.0","revision":"abc","branch":"main","buildUser":"me","buildDate":"20260101","goVersion":"c++20"})"
        "\n",
        kText}});
}

TEST_F(ManagementTest, OwnMetrics) {
  metrics.AddCounter("one_total", "One.").Increment();
  metrics.AddCounter("two_total", "Two.").Increment();
  constexpr std::string_view kOne = "# HELP one_total One.\n# TYPE one_total counter\none_total 1\n";
  constexpr std::string_view kType = "Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n";
  Check("", {{"GET", "/metrics?name[]=one_total", 200, kOne, kType},
             {"POST", "/metrics?name[]=one_total", 200, kOne},
             {"PUT", "/metrics?name[]=one_total", 200, kOne},
             {"GET", "/metrics?name[]=none", 200, ""}});
  const auto both = Ask("GET", "/metrics?name[]=one_total&name[]=two_total").body;
  EXPECT_THAT(both, HasSubstr("two_total 1\n"));
  const auto ask = [&](std::string_view accept) {
    net::HttpHeaders headers;
    headers.Set("Accept", std::string(accept));
    return Ask("GET", "/metrics?name[]=one_total", "", headers);
  };
  EXPECT_EQ(ask("application/openmetrics-text; version=1.0.0").body, kOne);
  EXPECT_THAT(ask("application/openmetrics-text; version=1.0.0, text/plain;q=0.1").head + "\r\n",
              HasSubstr(std::string(kType)));
  EXPECT_THAT(
      ask("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited").head,
      HasSubstr("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"));
}

// Every route is counted from the start, by its pattern.
TEST_F(ManagementTest, RequestsAreCounted) {
  Ask("GET", "/-/healthy");
  Ask("GET", "/debug/pprof/heap");
  Ask("GET", "/api/v1/label/job/values");
  const auto counted = Ask("GET", "/metrics?name[]=prometheus_http_requests_total").body;
  for (const auto* line :
       {"{code=\"200\",handler=\"/-/healthy\"} 1\n", "{code=\"200\",handler=\"/-/ready\"} 0\n",
        "{code=\"404\",handler=\"/debug/*subpath\"} 1\n", "{code=\"200\",handler=\"/debug/*subpath\"} 0\n",
        "{code=\"200\",handler=\"/api/v1/label/:name/values\"} 1\n", "{code=\"200\",handler=\"/api/v1/query\"} 0\n"}) {
    EXPECT_THAT(counted, HasSubstr("prometheus_http_requests_total" + std::string(line)));
  }
}

}  // namespace
}  // namespace epi::web
