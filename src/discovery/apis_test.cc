// Discoveries that ask an API, against a server that plays its documented answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/discovery_fixture.h"
#include "testing/temp_dir.h"

namespace epi::discovery {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::string Fixture(const std::string& name) {
  const std::string directory = epi::testing::ConformanceDir();
  if (directory.empty()) return {};
  return PosixFileSystem().ReadFile(JoinPath(directory, "discovery/fixtures/" + name)).value_or(std::string());
}

// The recorded answers of a Docker engine below one directory.
std::function<ApiAnswer(const std::string&)> Recorded(const std::string& directory) {
  return [directory](const std::string& target) -> ApiAnswer {
    const std::string body = Fixture(directory + target.substr(0, target.find('?')) + ".json");
    if (body.empty()) return {404, "text/plain", "no such thing"};
    return {200, "application/json", body};
  };
}

const Labels* Find(const std::vector<Labels>& targets, std::string_view name, std::string_view value) {
  for (const auto& target : targets) {
    if (target.Get(name) == value) return &target;
  }
  return nullptr;
}

TEST(DockerDiscovery, FindsContainersPortsAndNetworks) {
  if (Fixture("moby/dockerprom/networks.json").empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
  DiscoveryFixture discovery;
  discovery.Serve(Recorded("moby/dockerprom"));
  discovery.Start("docker_sd_configs: [{host: '" + discovery.url() + "', port: 80}]");
  discovery.AwaitUpdates(1);
  const auto targets = discovery.Targets();
  ASSERT_FALSE(targets.empty());
  for (const auto& target : targets) {
    EXPECT_TRUE(target.Has("__address__")) << target.ToString();
    EXPECT_TRUE(target.Has("__meta_docker_container_id"));
    EXPECT_TRUE(target.Has("__meta_docker_container_name"));
  }
  const Labels* exporter = Find(targets, "__meta_docker_container_label_com_docker_compose_service", "node");
  ASSERT_NE(exporter, nullptr);
  EXPECT_EQ(exporter->Get("__meta_docker_network_scope"), "local");
  EXPECT_TRUE(exporter->Has("__meta_docker_network_name"));
}

TEST(DockerDiscovery, KeepsTargetsWhenTheEngineFails) {
  DiscoveryFixture discovery;
  std::atomic<bool> broken = false;
  discovery.Serve([&](const std::string& target) -> ApiAnswer {
    if (broken) return {500, "text/plain", "engine on fire"};
    if (target.starts_with("/networks")) return {200, "application/json", "[]"};
    EXPECT_EQ(target, "/containers/json?filters=%7B%22name%22%3A%7B%22a%22%3Atrue%7D%7D");
    return {
        200, "application/json",
        R"([{"Id":"1","Names":["/a"],"HostConfig":{"NetworkMode":"host"},"NetworkSettings":{"Networks":{"host":{}}}},
                {"Id":"2","Names":["/b"],"HostConfig":{"NetworkMode":"container:3"},"NetworkSettings":{"Networks":{}},
                 "Ports":[{"Type":"tcp","PrivatePort":90},{"Type":"udp","PrivatePort":91}]},
                {"Id":"3","Names":[],"NetworkSettings":{"Networks":{"n":{"GlobalIPv6Address":"fd00::1"}}}}])"};
  });
  discovery.Start("docker_sd_configs: [{host: '" + discovery.url() + "', filters: [{name: name, values: [a]}]}]");
  discovery.AwaitUpdates(1);
  const auto addresses = [&] {
    std::vector<std::string> out;
    for (const auto& target : discovery.Targets()) out.emplace_back(target.Get("__address__"));
    return out;
  };
  EXPECT_THAT(addresses(), UnorderedElementsAre("localhost", "[fd00::1]:90"));
  broken = true;
  discovery.AwaitWaiting();
  discovery.Advance(60'000);
  discovery.AwaitMetric("prometheus_sd_refresh_failures_total", 1);
  EXPECT_THAT(discovery.log(), HasSubstr("discovery=docker config=job err=\"error while listing containers: "
                                         "Error response from daemon: engine on fire\""));
  EXPECT_EQ(addresses().size(), 2u);
}

TEST(ApiDiscovery, FailuresAreToldInTheWordsOfTheApi) {
  struct Case {
    const char* config;
    ApiAnswer answer;
    const char* line;
  };
  const Case cases[] = {
      {"docker_sd_configs: [{host: 'URL'}]",
       {400, "application/json", R"({"message":" no good\n"})"},
       "discovery=docker config=job err=\"error while listing containers: Error response from daemon: no good\""},
      {"docker_sd_configs: [{host: 'URL'}]",
       {400, "application/json", "{}"},
       "Error response from daemon: API returned a 400 (Bad Request) but provided no error-message"},
      {"nomad_sd_configs: [{server: 'URL'}]",
       {403, "text/plain", "Permission denied\n"},
       "discovery=nomad config=job err=\"Unexpected response code: 403 (Permission denied)\""},
      {"consul_sd_configs: [{server: 'URL'}]",
       {403, "text/plain", "Permission denied"},
       "discovery=consul config=job err=\"Unexpected response code: 403 (Permission denied)\""},
      {"http_sd_configs: [{url: 'URL'}]",
       {403, "text/plain", ""},
       "discovery=http config=job err=\"server returned HTTP status 403 Forbidden\""},
  };
  for (const auto& c : cases) {
    DiscoveryFixture discovery;
    discovery.ServeRequests([&](const net::Request&) -> ApiAnswer { return c.answer; });
    std::string config = c.config;
    config.replace(config.find("URL"), 3, discovery.url());
    discovery.Start(config);
    discovery.AwaitWaiting();
    EXPECT_THAT(discovery.log(), HasSubstr(c.line)) << config;
  }
}

TEST(DockerSwarmDiscovery, AServiceWithoutAnAddressFailsTheRefresh) {
  DiscoveryFixture discovery;
  discovery.ServeRequests([](const net::Request& request) -> ApiAnswer {
    if (request.path != "/services") return {200, "application/json", "[]"};
    return {200, "application/json", R"([{"ID":"s","Endpoint":{"VirtualIPs":[{"NetworkID":"n","Addr":""}]}}])"};
  });
  discovery.Start("dockerswarm_sd_configs: [{host: '" + discovery.url() + "', role: services}]");
  discovery.AwaitWaiting();
  EXPECT_THAT(discovery.log(), HasSubstr("err=\"error while parsing address invalid Prefix: invalid CIDR address: "
                                         "invalid Prefix\""));
}

TEST(DockerDiscovery, SaysThatThereIsNoDaemon) {
  const std::pair<const char*, const char*> cases[] = {
      {"docker_sd_configs: [{host: 'tcp://127.0.0.1:1'}]",
       "err=\"error while listing containers: Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker "
       "daemon running?\""},
      {"dockerswarm_sd_configs: [{host: 'unix:///none.sock', role: nodes}]",
       "err=\"error while listing swarm nodes: failed to connect to the docker API at unix:///none.sock; check if the "
       "path is correct and if the daemon is running: dial unix /none.sock: connect: no such file or directory\""},
  };
  for (const auto& [config, line] : cases) {
    DiscoveryFixture discovery;
    discovery.Start(config);
    discovery.AwaitWaiting();
    EXPECT_THAT(discovery.log(), HasSubstr(line));
  }
}

TEST(DockerSwarmDiscovery, EveryRole) {
  if (Fixture("moby/swarmprom/nodes.json").empty()) GTEST_SKIP() << "no conformance data; set EPI_CONFORMANCE";
  struct Case {
    const char* role;
    const char* label;
  };
  for (const Case& test : {Case{"nodes", "__meta_dockerswarm_node_id"}, Case{"tasks", "__meta_dockerswarm_task_id"},
                           Case{"services", "__meta_dockerswarm_service_id"}}) {
    DiscoveryFixture discovery;
    discovery.Serve(Recorded("moby/swarmprom"));
    discovery.Start("dockerswarm_sd_configs: [{host: '" + discovery.url() + "', role: " + test.role + "}]");
    discovery.AwaitUpdates(1);
    const auto targets = discovery.Targets();
    EXPECT_FALSE(targets.empty()) << test.role;
    for (const auto& target : targets) {
      EXPECT_TRUE(target.Has(test.label)) << target.ToString();
      EXPECT_TRUE(target.Has("__address__"));
    }
  }
}

TEST(NomadDiscovery, ListsServicesAndTheirInstances) {
  DiscoveryFixture discovery;
  discovery.Serve([&](const std::string& target) -> ApiAnswer {
    if (target == "/v1/services?namespace=default&region=global&stale=") {
      return {200, "application/json",
              R"([{"Namespace":"default","Services":[{"ServiceName":"hello","Tags":["a"]}]}])"};
    }
    EXPECT_EQ(target, "/v1/service/hello?namespace=default&region=global&stale=");
    return {
        200, "application/json",
        R"([{"ID":"i","ServiceName":"hello","Namespace":"default","NodeID":"n","Datacenter":"dc1","Tags":["a","b"],"Address":"10.1.2.3","Port":30456}])"};
  });
  discovery.Start("nomad_sd_configs: [{server: '" + discovery.url() + "'}]");
  discovery.AwaitUpdates(1);
  EXPECT_THAT(discovery.Targets(), UnorderedElementsAre(Labels{{"__address__", "10.1.2.3:30456"},
                                                               {"__meta_nomad_address", "10.1.2.3"},
                                                               {"__meta_nomad_dc", "dc1"},
                                                               {"__meta_nomad_namespace", "default"},
                                                               {"__meta_nomad_node_id", "n"},
                                                               {"__meta_nomad_service", "hello"},
                                                               {"__meta_nomad_service_address", "10.1.2.3"},
                                                               {"__meta_nomad_service_id", "i"},
                                                               {"__meta_nomad_service_port", "30456"},
                                                               {"__meta_nomad_tags", ",a,b,"}}));
}

TEST(ConsulDiscovery, WatchesCatalogAndServices) {
  DiscoveryFixture discovery;
  std::atomic<bool> gone = false;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    EXPECT_EQ(request.headers.Get("X-Consul-Token"), "secret");
    if (request.path == "/v1/agent/self") return {200, "application/json", R"({"Config":{"Datacenter":"dc9"}})"};
    const std::string_view index = request.QueryValue("index");
    if (request.path == "/v1/catalog/services") {
      if (index.empty())
        return {200, "application/json", R"({"web":["v1","x"],"other":["v2"]})", {{"X-Consul-Index", "1"}}};
      if (index == "1" && gone) return {200, "application/json", "{}", {{"X-Consul-Index", "2"}}};
      if (index == "1") return {200, "application/json", R"({"web":["v1"]})", {{"X-Consul-Index", "1"}}};
      HoldUntilGone(request);
      return {500, "text/plain", ""};
    }
    EXPECT_EQ(request.path, "/v1/health/service/web");
    EXPECT_EQ(request.QueryValue("tag"), "v1");
    if (!index.empty()) {
      HoldUntilGone(request);
      return {500, "text/plain", ""};
    }
    return {200,
            "application/json",
            R"([{"Node":{"Node":"n1","Address":"10.0.0.1","Meta":{"a-b":"1"},"TaggedAddresses":{"lan":"10.0.0.1"}},
                 "Service":{"ID":"web1","Service":"web","Tags":["v1","x"],"Address":"","Port":80,"Meta":{"m":"2"}},
                 "Checks":[{"CheckID":"c","Status":"passing"},{"CheckID":"d","Status":"warning"}]}])",
            {{"X-Consul-Index", "5"}}};
  });
  discovery.Start("consul_sd_configs: [{server: '" + discovery.address() + "', token: secret, tags: [v1]}]");
  discovery.AwaitGroups(1);
  EXPECT_THAT(discovery.Targets(), UnorderedElementsAre(Labels{{"__address__", "10.0.0.1:80"},
                                                               {"__meta_consul_address", "10.0.0.1"},
                                                               {"__meta_consul_dc", "dc9"},
                                                               {"__meta_consul_health", "warning"},
                                                               {"__meta_consul_metadata_a_b", "1"},
                                                               {"__meta_consul_node", "n1"},
                                                               {"__meta_consul_service", "web"},
                                                               {"__meta_consul_service_id", "web1"},
                                                               {"__meta_consul_service_metadata_m", "2"},
                                                               {"__meta_consul_service_port", "80"},
                                                               {"__meta_consul_tagged_address_lan", "10.0.0.1"},
                                                               {"__meta_consul_tags", ",v1,x,"}}));
  gone = true;
  for (int i = 0; i < 200 && !discovery.Groups().empty(); ++i) {
    discovery.Advance(30'000);
    discovery.AwaitAtMost(20);
  }
  EXPECT_TRUE(discovery.Groups().empty());
}

TEST(ConsulDiscovery, OneThreadFollowsManyServices) {
  constexpr int kServices = 300;
  std::atomic<bool> gone = false;
  std::atomic<int> answered = 0;
  DiscoveryFixture discovery;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    ++answered;
    if (request.path == "/v1/catalog/services") {
      std::string services = R"("last":null)";  // without tags, but there
      for (int i = 1; i < kServices && !gone; ++i) services += ",\"s" + std::to_string(i) + "\":[]";
      return {200, "application/json", "{" + services + "}", {{"X-Consul-Index", gone ? "2" : "1"}}};
    }
    return {200,
            "application/json",
            R"([{"Node":{"Address":"h"},"Service":{"ID":")" + std::string(request.path) + R"("}}])",
            {{"X-Consul-Index", "1"}}};
  });
  discovery.Start("consul_sd_configs: [{server: '" + discovery.address() + "', datacenter: d}]");
  discovery.AwaitGroups(kServices);
  EXPECT_EQ(answered, kServices + 1);
  EXPECT_EQ(discovery.UpdatingThreads(), 1u);
  // Not before their interval, and then all of them.
  discovery.Advance(29'999);
  discovery.AwaitWaiting();
  EXPECT_EQ(answered, kServices + 1);
  discovery.Advance(1);
  discovery.Await([&] { return answered == 2 * (kServices + 1); });
  gone = true;
  discovery.AwaitInTime([&] { return discovery.Groups().size() == 1; });
  EXPECT_EQ(discovery.Groups()[0].source, "last");
}

TEST(ConsulDiscovery, HealthIsTheWorstOfTheChecks) {
  const std::pair<const char*, const char*> cases[] = {
      {"null", "passing"},
      {R"([{"CheckID":"a","Status":"critical"},{"CheckID":"b","Status":"warning"}])", "critical"},
      {R"([{"CheckID":"_node_maintenance","Status":"critical"},{"CheckID":"b","Status":"critical"}])", "maintenance"},
      {R"([{"CheckID":"a","Status":"warning"},{"CheckID":"b","Status":"passing"}])", "warning"},
      {R"([{"CheckID":"_node_maintenance"},{"CheckID":"b","Status":"unheard of"}])", ""},
  };
  DiscoveryFixture discovery;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    if (!request.QueryValue("index").empty()) {
      HoldUntilGone(request);
      return {500, "text/plain", ""};
    }
    std::string instances;
    for (const auto& [checks, health] : cases) {
      instances += instances.empty() ? "[" : ",";
      instances +=
          R"({"Node":{"Address":"h"},"Service":{"ID":")" + std::string(health) + R"("},"Checks":)" + checks + "}";
    }
    return {200, "application/json", instances + "]", {{"X-Consul-Index", "1"}}};
  });
  discovery.Start("consul_sd_configs: [{server: '" + discovery.address() + "', datacenter: d, services: [web]}]");
  discovery.AwaitGroups(1);
  const auto targets = discovery.Targets();
  ASSERT_EQ(targets.size(), std::size(cases));
  for (const auto& target : targets)
    EXPECT_EQ(target.Get("__meta_consul_health"), target.Get("__meta_consul_service_id"));
}

constexpr char kPod[] = R"({"metadata":{"name":"p","namespace":"default","uid":"u","resourceVersion":"4",
  "labels":{"app.kubernetes.io/name":"x"},"annotations":{"a":"1"},"managedFields":[{"big":1}],
  "ownerReferences":[{"kind":"ReplicaSet","name":"rs","controller":true}]},
  "spec":{"nodeName":"n","containers":[{"name":"c","image":"i:1","ports":[{"name":"http","containerPort":80,"protocol":"TCP"}]}],
          "initContainers":[{"name":"init","image":"i:2"}]},
  "status":{"podIP":"10.0.0.7","hostIP":"10.0.0.1","phase":"Running","conditions":[{"type":"Ready","status":"True"}],
            "containerStatuses":[{"name":"c","containerID":"docker://1"}]}})";

std::string OneLine(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST(KubernetesDiscovery, ListsAndWatchesPods) {
  DiscoveryFixture discovery;
  std::atomic<int> lists = 0;
  std::atomic<int> watches = 0;
  std::atomic<bool> listed = false;
  std::atomic<bool> forgotten = false;
  discovery.ServeRequests([&](const net::Request& request) -> ApiAnswer {
    EXPECT_EQ(request.path, "/api/v1/namespaces/default/pods");
    EXPECT_EQ(request.QueryValue("labelSelector"), "app=x");
    if (request.QueryValue("watch").empty()) {
      // Two pages the first time; a new list after the version is gone.
      if (lists++ == 0)
        return {200, "application/json", R"({"metadata":{"resourceVersion":"3","continue":"next"},"items":[]})"};
      if (lists == 2)
        return {200, "application/json", R"({"metadata":{"resourceVersion":"3"},"items":[)" + std::string(kPod) + "]}"};
      return {200, "application/json", R"({"metadata":{"resourceVersion":"9"},"items":[]})"};
    }
    const int watch = watches++;
    if (watch == 0) {
      listed.wait(false);  // or the deletion may come before anybody was told of the pod
      EXPECT_EQ(request.QueryValue("resourceVersion"), "3");
      const std::string second =
          R"({"metadata":{"name":"q","namespace":"default","resourceVersion":"5"},"spec":{"containers":[{"name":"d"}]},)"
          R"("status":{"podIP":"10.0.0.8","phase":"Pending"}})";
      return {200, "application/json",
              R"({"type":"ADDED","object":)" + second + "}\n" + R"({"type":"DELETED","object":)" + OneLine(kPod) +
                  "}\n" + R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}})" + "\n"};
    }
    if (watch == 1) {
      EXPECT_EQ(request.QueryValue("resourceVersion"), "7");
      forgotten.wait(false);
      return {410, "application/json", R"({"kind":"Status","code":410})"};
    }
    HoldUntilGone(request);
    return {500, "text/plain", ""};
  });
  discovery.Start("kubernetes_sd_configs: [{role: pod, api_server: '" + discovery.url() +
                  "', namespaces: {names: [default]}, selectors: [{role: pod, label: app=x}]}]");
  discovery.AwaitUpdates(1);
  listed = true;
  listed.notify_all();
  const auto await = [&](const std::function<bool()>& done) {
    for (int i = 0; i < 500 && !done(); ++i) {
      discovery.Advance(200);
      discovery.AwaitAtMost(10);
    }
    EXPECT_TRUE(done());
  };
  await([&] { return discovery.Sources().size() == 2 && discovery.Groups().size() == 1; });
  EXPECT_EQ(discovery.Groups()[0].source, "pod/default/q");
  forgotten = true;
  forgotten.notify_all();
  await([&] { return watches >= 3 && discovery.Groups().empty(); });
  EXPECT_EQ(lists, 3);
  EXPECT_THAT(discovery.Sources(), UnorderedElementsAre("pod/default/p", "pod/default/q"));
  // p by the list and q by the watch; p was deleted, and q was missing in the last list.
  EXPECT_EQ(discovery.Metric("prometheus_sd_kubernetes_events_total", {{"event", "add"}, {"role", "pod"}}), 2);
  EXPECT_EQ(discovery.Metric("prometheus_sd_kubernetes_events_total", {{"event", "delete"}, {"role", "pod"}}), 2);
  EXPECT_EQ(discovery.Metric("prometheus_sd_kubernetes_events_total", {{"event", "update"}, {"role", "pod"}}), 0);
}

TEST(KubernetesDiscovery, ReadsAKubeconfig) {
  const epi::testing::TempDir directory;
  DiscoveryFixture discovery;
  discovery.ServeRequests([](const net::Request& request) -> ApiAnswer {
    EXPECT_EQ(request.headers.Get("Authorization"), "Bearer abc");
    if (!request.QueryValue("watch").empty()) {
      HoldUntilGone(request);
      return {500, "text/plain", ""};
    }
    EXPECT_EQ(request.path, "/api/v1/nodes");
    return {
        200, "application/json",
        R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"n"},"status":{"addresses":[{"type":"InternalIP","address":"1.2.3.4"}]}}]})"};
  });
  const std::string path = JoinPath(directory.path(), "kubeconfig");
  ASSERT_TRUE(PosixFileSystem().WriteFileAtomically(path,
                                                    "current-context: c\ncontexts: [{name: c, context: {cluster: k, "
                                                    "user: u}}]\nclusters: [{name: k, cluster: {server: '" +
                                                        discovery.url() +
                                                        "'}}]\nusers: [{name: u, user: {token: abc}}]\n"));
  discovery.Start("kubernetes_sd_configs: [{role: node, kubeconfig_file: '" + path + "'}]");
  discovery.AwaitGroups(1);
  EXPECT_EQ(discovery.Groups()[0].targets[0].Get("__address__"), "1.2.3.4:0");
}

}  // namespace
}  // namespace epi::discovery
