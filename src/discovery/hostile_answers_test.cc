// What every kind of discovery does with answers that are not what they should be: the targets that were found stay,
// the reason is told and counted, the next try waits for its time, and a stop ends even an answer without end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "discovery/json.h"
#include "testing/discovery_fixture.h"
#include "testing/dns_server.h"

namespace epi::discovery {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Kind {
  const char* name;
  const char* config;    // with URL in it
  const char* failures;  // the metric that counts them
  // Answers by the beginning of the path: of one target, and of nothing but what targets are made of.
  std::vector<std::pair<std::string, std::string>> good;
};

const std::vector<Kind>& ApiKinds() {
  static const auto* const kKinds = new std::vector<Kind>{
      {"http",
       "http_sd_configs: [{url: 'URL/sd', refresh_interval: 10s}]",
       "prometheus_sd_http_failures_total",
       {{"/sd", R"([{"targets":["a:1"],"labels":{"x":"y"}}])"}}},
      {"nomad",
       "nomad_sd_configs: [{server: 'URL', refresh_interval: 10s}]",
       "prometheus_sd_nomad_failures_total",
       {{"/v1/services", R"([{"Services":[{"ServiceName":"s"}]}])"},
        {"/v1/service/s",
         R"([{"ID":"i","ServiceName":"s","Namespace":"d","NodeID":"n","Datacenter":"c","Tags":["t"],"Address":"a",)"
         R"("Port":1}])"}}},
      {"consul",
       "consul_sd_configs: [{server: 'URL', refresh_interval: 10s}]",
       "prometheus_sd_consul_rpc_failures_total",
       {{"/v1/agent/self", R"({"Config":{"Datacenter":"d"}})"},
        {"/v1/catalog/services", R"({"web":["t"]})"},
        {"/v1/health/service/web",
         R"([{"Node":{"Node":"n","Address":"h","Meta":{"a":"b"},"TaggedAddresses":{"lan":"h"}},"Service":{"ID":"i",)"
         R"("Address":"a","Port":1,"Tags":["t"],"Meta":{"m":"v"},"Namespace":"n","Partition":"p"},)"
         R"("Checks":[{"CheckID":"c","Status":"passing"}]}])"}}},
      {"docker",
       "docker_sd_configs: [{host: 'URL', refresh_interval: 10s}]",
       "prometheus_sd_refresh_failures_total",
       {{"/networks", R"([{"Id":"n","Name":"b","Scope":"l","Internal":false,"Ingress":false,"Labels":{"a":"b"}}])"},
        {"/containers/json",
         R"([{"Id":"c","Names":["/c"],"Image":"i","ImageID":"j","Labels":{"a":"b"},)"
         R"("Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":81,"Type":"tcp"}],"HostConfig":{"NetworkMode":"b"},)"
         R"("NetworkSettings":{"Networks":{"b":{"NetworkID":"n","IPAddress":"1.2.3.4","GlobalIPv6Address":""}}}}])"}}},
      {"swarm tasks",
       "dockerswarm_sd_configs: [{host: 'URL', role: tasks, refresh_interval: 10s}]",
       "prometheus_sd_refresh_failures_total",
       {{"/networks", "[]"},
        {"/services", R"([{"ID":"s","Spec":{"Name":"s","Labels":{"a":"b"},"Mode":{"Replicated":{}}},)"
                      R"("Endpoint":{"Ports":[{"Protocol":"tcp","PublishedPort":80,"PublishMode":"host"}]}}])"},
        {"/nodes", R"([{"ID":"n","Spec":{"Role":"m","Availability":"a","Labels":{"a":"b"}},"Status":{"State":"r",)"
                   R"("Addr":"h"},"Description":{"Hostname":"h","Platform":{"Architecture":"x","OS":"l"}}}])"},
        {"/tasks", R"([{"ID":"t","ServiceID":"s","NodeID":"n","Slot":1,"DesiredState":"r","Spec":{"ContainerSpec":)"
                   R"({"Labels":{"a":"b"}}},"Status":{"State":"r","ContainerStatus":{"ContainerID":"c"},)"
                   R"("PortStatus":{"Ports":[{"Protocol":"tcp","PublishedPort":80,"PublishMode":"host"}]}}}])"}}},
      {"swarm services",
       "dockerswarm_sd_configs: [{host: 'URL', role: services, refresh_interval: 10s}]",
       "prometheus_sd_refresh_failures_total",
       {{"/networks", "[]"},
        {"/services",
         R"([{"ID":"s","Spec":{"Name":"s","TaskTemplate":{"ContainerSpec":{"Hostname":"h","Image":"i"}}},)"
         R"("UpdateStatus":{"State":"u"},"Endpoint":{"VirtualIPs":[{"NetworkID":"n","Addr":"10.0.0.1/8"}]}}])"}}},
      {"kubernetes",
       "kubernetes_sd_configs: [{role: pod, api_server: 'URL'}]",
       "prometheus_sd_kubernetes_failures_total",
       {{"/api/v1/pods",
         R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"p","namespace":"d","uid":"u",)"
         R"("labels":{"a":"b"},"annotations":{"a":"b"},"ownerReferences":[{"kind":"K","name":"o","controller":true}]},)"
         R"("spec":{"nodeName":"n","containers":[{"name":"c","image":"i","ports":[{"name":"h","containerPort":80,)"
         R"("protocol":"TCP"}]}]},"status":{"podIP":"1.2.3.4","hostIP":"5","phase":"Running",)"
         R"("conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"c","containerID":"d"}]}}]})"}}},
  };
  return *kKinds;
}

// One kind against a server that answers well until it is told otherwise.
class HostileServer {
 public:
  explicit HostileServer(const Kind& kind) : kind_(kind) {
    discovery.ServeStreams([this](net::Request& request, net::ResponseWriter& response) { Serve(request, response); });
    std::string config = kind.config;
    config.replace(config.find("URL"), 3, discovery.url());
    discovery.Start(config);
    discovery.AwaitGroups(1);
    found_ = discovery.Targets();
  }
  // From now on `answer` is what paths that begin with `path` get.
  void Turn(const std::string& path, net::FunctionDispatcher::Serving answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    hostile_path_ = path;
    hostile_ = std::move(answer);
  }
  void ExpectFailure() {
    const double before = discovery.Metric(kind_.failures);
    const size_t log_before = discovery.log().size();
    discovery.AwaitInTime(
        [&] { return discovery.Metric(kind_.failures) > before && discovery.log().size() > log_before; });
    EXPECT_EQ(discovery.Targets(), found_);
  }

 private:
  void Serve(net::Request& request, net::ResponseWriter& response) {
    net::FunctionDispatcher::Serving hostile;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (hostile_ && request.path.starts_with(hostile_path_)) hostile = hostile_;
    }
    // A watch of Kubernetes ends at once, and with hostility to come asks for a new list.
    if (!request.QueryValue("watch").empty())
      return DiscoveryFixture::Send({hostile ? 410 : 200, "application/json", ""}, response);
    if (hostile) return hostile(request, response);
    for (const auto& [path, body] : kind_.good) {
      if (request.path == path)
        return DiscoveryFixture::Send(
            {200, "application/json", body, {{"X-Consul-Index", std::to_string(++consul_index_)}}}, response);
    }
    DiscoveryFixture::Send({404, "text/plain", request.path}, response);
  }

  const Kind& kind_;
  std::vector<Labels> found_;
  std::atomic<int> consul_index_ = 0;
  std::mutex mutex_;
  std::string hostile_path_;                  // guarded by mutex_
  net::FunctionDispatcher::Serving hostile_;  // guarded by mutex_

 public:
  DiscoveryFixture discovery;  // last: it ends first, and its server's threads use the rest
};

net::FunctionDispatcher::Serving Always(ApiAnswer answer) {
  return [answer = std::move(answer)](net::Request&, net::ResponseWriter& response) {
    DiscoveryFixture::Send(answer, response);
  };
}

TEST(HostileAnswers, KeepTheTargetsAndAreTold) {
  struct Case {
    const char* name;
    ApiAnswer answer;
    const char* told;  // part of the log line; empty where the kinds differ
  };
  const Case cases[] = {
      {"nested deeply", {200, "application/json", std::string(100'000, '[')}, "nested too deeply"},
      {"another type", {200, "application/json", "\"text\""}, ""},
      {"a number", {200, "application/json", "1"}, ""},
      {"empty", {200, "application/json", ""}, "unexpected end of JSON input"},
      {"cut", {200, "application/json", R"([{"Id":"c","Na)"}, "unexpected end of JSON input"},
      {"trailing", {200, "application/json", "[] []"}, "invalid character '[' after top-level value"},
      {"a page for people",
       {200, "application/json", "<html><body>Login</body></html>"},
       "invalid character '<' looking for beginning of value"},
      {"denied", {401, "text/plain", "who are you"}, "401"},
      {"failing", {500, "text/plain", "boom"}, ""},
      {"in a circle", {302, "text/plain", "", {{"Location", "/v1/around"}}}, "stopped after 10 redirects"},
  };
  for (const Kind& kind : ApiKinds()) {
    for (const Case& c : cases) {
      SCOPED_TRACE(std::string(kind.name) + ": " + c.name);
      HostileServer server(kind);
      // Redirects lead to paths that nobody serves well.
      server.Turn("/", Always(c.answer));
      server.ExpectFailure();
      const std::string log = server.discovery.log();
      const bool says_status = kind.name != std::string("docker") && !std::string(kind.name).starts_with("swarm");
      if (c.answer.status != 401 || says_status) {
        EXPECT_THAT(log, HasSubstr(c.told));
      }
    }
  }
}

// Every value of `document` in turn as another type, handed to `check`.
void ForEachMisfit(json& document, json& value, const std::function<void()>& check) {
  const json kept = value;
  value = kept.is_structured() ? json(7) : json({{"not", "this"}});
  check();
  value = kept;
  if (value.is_structured()) {
    for (auto& item : value) ForEachMisfit(document, item, check);
  }
}

TEST(HostileAnswers, AWrongTypeAnywhereKeepsTheTargets) {
  size_t misfits = 0;
  for (const Kind& kind : ApiKinds()) {
    HostileServer server(kind);
    for (const auto& good : kind.good) {
      const std::string& path = good.first;
      if (path == "/v1/agent/self") continue;  // asked once
      json document = json::parse(good.second);
      ForEachMisfit(document, document, [&] {
        SCOPED_TRACE(std::string(kind.name) + path + " " + document.dump());
        server.Turn(path, Always({200, "application/json", document.dump(), {{"X-Consul-Index", "0"}}}));
        server.ExpectFailure();
        ++misfits;
      });
      server.Turn("", {});
    }
  }
  EXPECT_GT(misfits, 150u);
}

TEST(HostileAnswers, AnEndlessBodyIsCut) {
  const std::string piece(1 << 20, ' ');
  const auto endless = [&piece](net::Request&, net::ResponseWriter& response) {
    response.headers().Add("Content-Type", "application/json");
    while (response.Write(piece)) {
    }
  };
  const Kind& kind = ApiKinds().front();
  HostileServer server(kind);
  server.Turn("/", endless);
  server.ExpectFailure();
  EXPECT_THAT(server.discovery.log(), HasSubstr("body size limit exceeded"));
}

TEST(HostileAnswers, AStopEndsAnAnswerThatDribbles) {
  for (const Kind& kind : ApiKinds()) {
    SCOPED_TRACE(kind.name);
    std::atomic<bool> asked = false;
    std::atomic<bool> gone = false;
    HostileServer server(kind);
    server.Turn("/", [&](net::Request& request, net::ResponseWriter& response) {
      static_cast<void>(response.Write("["));
      static_cast<void>(response.Flush());
      asked = true;
      HoldUntilGone(request);
      gone = request.stop.stop_requested();
    });
    server.discovery.AwaitInTime([&] { return asked.load(); });
    server.discovery.Stop();
    server.discovery.Await([&] { return gone.load(); });
  }
}

TEST(HostileAnswers, ManyValuesInFewBytesAreRefused) {
  std::string many = "[0";
  for (int i = 0; i < 9'000'000; ++i) many += ",0";
  const auto parsed = Json::Parse(many + "]");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message(), "json: too many values");
}

// A watch of Kubernetes' nodes that gets `watch` for an answer, once one node was listed.
class HostileWatch {
 public:
  explicit HostileWatch(net::FunctionDispatcher::Serving watch) {
    discovery.ServeStreams([this, watch = std::move(watch)](net::Request& request, net::ResponseWriter& response) {
      if (request.QueryValue("watch").empty()) {
        ++lists;
        return DiscoveryFixture::Send(
            {200, "application/json",
             R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"n"},"status":{"addresses":)"
             R"([{"type":"InternalIP","address":"1.2.3.4"}]}}]})"},
            response);
      }
      ++watches;
      watch(request, response);
    });
    discovery.Start("kubernetes_sd_configs: [{role: node, api_server: '" + discovery.url() + "'}]");
    discovery.AwaitGroups(1);
  }
  std::atomic<int> lists = 0;
  std::atomic<int> watches = 0;
  DiscoveryFixture discovery;
};

TEST(HostileWatch, ThatEndsAtOnceIsBegunAnewLaterAndLater) {
  HostileWatch server(Always({200, "application/json", ""}));
  int begun = 1;
  for (const int64_t wait_ms : {1'000, 2'000, 4'000, 8'000, 16'000, 30'000, 30'000}) {
    server.discovery.AwaitWaiting();
    EXPECT_EQ(server.watches, begun);
    server.discovery.Advance(wait_ms - 1);
    server.discovery.AwaitWaiting();
    EXPECT_EQ(server.watches, begun);
    server.discovery.Advance(1);
    server.discovery.Await([&] { return server.watches == begun + 1; });
    ++begun;
  }
  EXPECT_EQ(server.lists, 1);
}

TEST(HostileWatch, EventsThatMakeNoSenseLeadToANewList) {
  struct Case {
    const char* events;
    const char* told;
  };
  const std::string deep = std::string(10'000, '[') + "\n";
  const Case cases[] = {
      {"garbage\n", "Unreadable watch event"},
      {"{}\n", "an event without an object"},
      {"[]\n", "cannot unmarshal array into an answer of type object"},
      {R"({"type":"ADDED"})"
       "\n",
       "an event without an object"},
      {R"({"type":"ADDED","object":[]})"
       "\n",
       "cannot unmarshal array into object of type object"},
      {R"({"type":"REMOVED","object":{"metadata":{"name":"n"}}})"
       "\n",
       "got invalid watch event type: REMOVED"},
      {R"({"type":"MODIFIED","object":{"metadata":{"name":"n"},"status":{"addresses":[1]}}})"
       "\n",
       "cannot unmarshal number 1 into object.status.addresses of type object"},
      {R"({"type":"ERROR","object":{"kind":"Status","code":410}})"
       "\n",
       ""},
      {deep.c_str(), "nested too deeply"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.events);
    HostileWatch server(Always({200, "application/json", c.events}));
    server.discovery.AwaitWaiting();
    EXPECT_EQ(server.lists, 1);  // not at once
    server.discovery.AwaitInTime([&] { return server.lists == 2; });
    EXPECT_THAT(server.discovery.log(), HasSubstr(c.told));
    EXPECT_EQ(server.discovery.Targets().size(), 1u);
  }
}

TEST(HostileWatch, AnEventWithoutEndIsCut) {
  const std::string piece(1 << 20, 'x');
  HostileWatch server([&piece](net::Request&, net::ResponseWriter& response) {
    while (response.Write(piece)) {
    }
  });
  server.discovery.AwaitMetric("prometheus_sd_kubernetes_failures_total", 1);
  server.discovery.AwaitWaiting();
  EXPECT_THAT(server.discovery.log(), HasSubstr("an event is too large"));
  EXPECT_EQ(server.discovery.Targets().size(), 1u);
}

TEST(HostileWatch, ARefusalWithoutEndIsCut) {
  const std::string piece(1 << 20, '\n');
  HostileWatch server([&piece](net::Request&, net::ResponseWriter& response) {
    response.SetStatus(403);
    while (response.Write(piece)) {
    }
  });
  server.discovery.AwaitMetric("prometheus_sd_kubernetes_failures_total", 1);
  server.discovery.AwaitWaiting();
  EXPECT_THAT(server.discovery.log(), HasSubstr("403 Forbidden"));
}

TEST(HostileDns, KeepsWhatWasFoundUnlessTheNameIsGone) {
  struct Case {
    const char* name;
    testing::DnsAnswering answer;
    size_t targets;
  };
  const auto record = [](const std::string& bytes) {
    return [bytes](std::string question) {
      question[7] = 1;
      return question + bytes;
    };
  };
  const Case cases[] = {
      {"no such name", testing::AnswerWithCode(3), 0},
      {"a failing server", testing::AnswerWithCode(2), 1},
      {"refused", testing::AnswerWithCode(5), 1},
      // At 33, behind the question: a name that is a pointer to itself.
      {"a name that points to itself",
       record(std::string("\xc0\x21\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02", 16)), 1},
      {"a name that points behind the end", record(std::string("\xff\xff\x00\x01\x00\x01", 6)), 1},
      {"a record that is not there", record(""), 1},
      {"an address of three bytes",
       record(std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x03\x0a\x00\x00", 15)), 1},
      {"a record longer than the answer",
       record(std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\xff\xff\x0a\x00\x00\x02", 16)), 1},
      // And nobody answers over TCP.
      {"cut, as it says itself",
       [](std::string question) {
         question[2] = static_cast<char>(question[2] | 2);
         return question;
       },
       1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::atomic<bool> hostile = false;
    const testing::DnsServer server([&](std::string question) {
      return hostile ? c.answer(std::move(question)) : testing::AnswerWithAddress(std::move(question));
    });
    const testing::TempDir directory;
    DiscoveryFixture discovery;
    discovery.resolver_config = testing::WriteResolverConfig(directory, server.port());
    discovery.Start("dns_sd_configs: [{names: [web.example.com], type: A, port: 9100}]");
    discovery.AwaitGroups(1);
    hostile = true;
    discovery.AwaitInTime([&] { return discovery.Metric("prometheus_sd_dns_lookups_total") >= 2; });
    discovery.AwaitWaiting();
    EXPECT_EQ(discovery.Targets().size(), c.targets);
    EXPECT_EQ(discovery.Metric("prometheus_sd_dns_lookup_failures_total") > 0, c.targets > 0);
  }
}

}  // namespace
}  // namespace epi::discovery
