// docker_sd_configs: a target for every TCP port of every container in every network it is in.
#include "discovery/docker_api.h"
#include "discovery/kinds.h"
#include "discovery/refresh.h"

namespace epi::discovery {
namespace {

constexpr char kContainersShape[] = R"([{
  "Id":"","Names":[""],"Image":"","ImageID":"","Labels":{"*":""},
  "Ports":[{"IP":"","PrivatePort":0,"PublicPort":0,"Type":""}],"HostConfig":{"NetworkMode":""},
  "NetworkSettings":{"Networks":{"*":{"NetworkID":"","IPAddress":"","GlobalIPv6Address":""}}}}])";

constexpr char kDockerPrefix[] = "__meta_docker_";
constexpr std::string_view kContainerMode = "container:";

// An endpoint of a container in a network.
struct Endpoint {
  std::string network_id;
  std::string address;  // IPv4, or IPv6 when there is none
};

std::string AddressOf(const Json& network) {
  const std::string& v4 = network["IPAddress"].text();
  return v4.empty() ? network["GlobalIPv6Address"].text() : v4;
}

class DockerRefresher final : public Refresher {
 public:
  DockerRefresher(const config::DockerSdConfig& config, ApiClient api)
      : config_(config), api_(std::move(api)), list_path_("/containers/json" + DockerFilterQuery(config.filters)) {}

  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    auto containers = api_.Get(list_path_, shape_, stop);
    if (!containers) return Fail(containers.error().WithContext("error while listing containers"));
    auto networks = DockerNetworkLabels(api_, kDockerPrefix, stop);
    if (!networks) return Fail(networks.error().WithContext("error while computing network labels"));
    std::map<std::string, const Json*> by_id;
    for (const auto& container : containers->json.items()) by_id[container["Id"].text()] = &container;
    std::vector<TargetGroup> out(1);
    out[0].source = "Docker";
    for (const auto& container : containers->json.items()) {
      if (container["Names"].items().empty()) continue;
      AddTargets(container, EndpointsOf(container, by_id), *networks, out[0]);
    }
    return out;
  }

 private:
  static Labels CommonLabels(const Json& container) {
    LabelsBuilder labels;
    const std::string prefix = kDockerPrefix;
    SetPrefixed(labels, prefix + "container_label_", container["Labels"]);
    labels.Set(prefix + "container_id", container["Id"].text());
    labels.Set(prefix + "container_name", container["Names"].at(0).text());
    labels.Set(prefix + "container_network_mode", container["HostConfig"]["NetworkMode"].text());
    labels.Set(prefix + "container_image", container["Image"].text());
    labels.Set(prefix + "container_image_id", container["ImageID"].text());
    return labels.Build();
  }

  std::vector<Endpoint> EndpointsOf(const Json& container, const std::map<std::string, const Json*>& by_id) const {
    const Json* owner = &container;
    // A container may share the network of another, and that one of a third; as many hops as there are containers at
    // most.
    for (size_t hops = 0; owner->operator[]("NetworkSettings")["Networks"].members().empty() && hops <= by_id.size();
         ++hops) {
      const std::string& mode = (*owner)["HostConfig"]["NetworkMode"].text();
      if (!mode.starts_with(kContainerMode)) break;
      const auto other = by_id.find(mode.substr(kContainerMode.size()));
      if (other == by_id.end()) break;
      owner = other->second;
    }
    std::map<std::string, const Json*> sorted;
    for (const auto& [name, network] : (*owner)["NetworkSettings"]["Networks"].members()) {
      if (!network.IsNull()) sorted[name] = &network;
    }
    std::vector<Endpoint> out;
    for (const auto& [name, network] : sorted) {
      out.push_back({(*network)["NetworkID"].text(), AddressOf(*network)});
      if (config_.match_first_network) break;
    }
    return out;
  }

  void AddTargets(const Json& container, const std::vector<Endpoint>& endpoints,
                  const std::map<std::string, Labels>& networks, TargetGroup& group) const {
    const Labels common = CommonLabels(container);
    for (const auto& endpoint : endpoints) {
      bool added = false;
      for (const auto& port : container["Ports"].items()) {
        if (port["Type"].text() != "tcp") continue;
        LabelsBuilder labels = Start(common, endpoint, networks);
        labels.Set("__meta_docker_port_private", port["PrivatePort"].text());
        if (port["PublicPort"].integer() > 0) {
          labels.Set("__meta_docker_port_public", port["PublicPort"].text());
          labels.Set("__meta_docker_port_public_ip", port["IP"].text());
        }
        labels.Set("__address__", JoinHostPort(endpoint.address, port["PrivatePort"].text()));
        group.targets.push_back(labels.Build());
        added = true;
      }
      if (added) continue;
      LabelsBuilder labels = Start(common, endpoint, networks);
      // Host networking publishes no ports.
      const bool host = container["HostConfig"]["NetworkMode"].text() == "host";
      labels.Set("__address__",
                 host ? config_.host_networking_host : JoinHostPort(endpoint.address, std::to_string(config_.port)));
      group.targets.push_back(labels.Build());
    }
  }

  static LabelsBuilder Start(const Labels& common, const Endpoint& endpoint,
                             const std::map<std::string, Labels>& networks) {
    LabelsBuilder labels(common);
    if (const auto network = networks.find(endpoint.network_id); network != networks.end())
      SetAll(labels, network->second);
    labels.Set("__meta_docker_network_ip", endpoint.address);
    return labels;
  }

  const config::DockerSdConfig config_;
  ApiClient api_;
  const JsonShape shape_{kContainersShape};
  std::string list_path_;
};

}  // namespace

MadeDiscoverer MakeDocker(const config::DockerSdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto api, MakeDockerClient(parts.http, config.host, config.http, "docker_sd"));
  api.SetTimeoutMs(config.refresh_interval);
  return MakeRefreshing(std::make_unique<DockerRefresher>(config, std::move(api)), "docker", config.refresh_interval,
                        parts);
}

}  // namespace epi::discovery
