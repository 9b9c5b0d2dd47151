// dockerswarm_sd_configs: services, tasks or nodes of a Docker swarm.
#include "discovery/docker_api.h"
#include "discovery/kinds.h"
#include "discovery/refresh.h"

namespace epi::discovery {
namespace {

// A string, because every use adds to it.
const std::string kSwarmPrefix = "__meta_dockerswarm_";

bool IsTcp(const Json& port) { return port["Protocol"].text() == "tcp"; }

// The ports of a service, which its tasks share.
struct ServiceInfo {
  Labels labels;
  std::vector<Json> ports;
};

constexpr char kSwarmServicesShape[] = R"([{
  "ID":"","UpdateStatus":{"State":""},
  "Spec":{"Name":"","Labels":{"*":""},"Mode":{"Global":{},"Replicated":{}},
          "TaskTemplate":{"ContainerSpec":{"Hostname":"","Image":""}}},
  "Endpoint":{"VirtualIPs":[{"NetworkID":"","Addr":""}],
              "Ports":[{"Name":"","Protocol":"","PublishedPort":0,"PublishMode":""}]}}])";
constexpr char kSwarmTasksShape[] = R"([{
  "ID":"","ServiceID":"","NodeID":"","Slot":0,"DesiredState":"","Spec":{"ContainerSpec":{"Labels":{"*":""}}},
  "Status":{"State":"","ContainerStatus":{"ContainerID":""},
            "PortStatus":{"Ports":[{"Protocol":"","PublishedPort":0,"PublishMode":""}]}},
  "NetworksAttachments":[{"Network":{"ID":""},"Addresses":[""]}]}])";
constexpr char kSwarmNodesShape[] = R"([{
  "ID":"","Spec":{"Role":"","Availability":"","Labels":{"*":""}},"Status":{"State":"","Addr":""},
  "Description":{"Hostname":"","Platform":{"Architecture":"","OS":""},"Engine":{"EngineVersion":""}},
  "ManagerStatus":{"Leader":false,"Reachability":"","Addr":""}}])";

std::string ServiceMode(const Json& service) {
  const Json& mode = service["Spec"]["Mode"];
  if (!mode["Global"].IsNull()) return "global";
  return mode["Replicated"].IsNull() ? "" : "replicated";
}

Labels ServiceLabels(const Json& service) {
  LabelsBuilder labels;
  SetPrefixed(labels, kSwarmPrefix + "service_label_", service["Spec"]["Labels"]);
  labels.Set(kSwarmPrefix + "service_id", service["ID"].text());
  labels.Set(kSwarmPrefix + "service_name", service["Spec"]["Name"].text());
  labels.Set(kSwarmPrefix + "service_mode", ServiceMode(service));
  return labels.Build();
}

Labels NodeLabels(const Json& node) {
  LabelsBuilder labels;
  SetPrefixed(labels, kSwarmPrefix + "node_label_", node["Spec"]["Labels"]);
  labels.Set(kSwarmPrefix + "node_id", node["ID"].text());
  labels.Set(kSwarmPrefix + "node_role", node["Spec"]["Role"].text());
  labels.Set(kSwarmPrefix + "node_address", node["Status"]["Addr"].text());
  labels.Set(kSwarmPrefix + "node_availability", node["Spec"]["Availability"].text());
  labels.Set(kSwarmPrefix + "node_hostname", node["Description"]["Hostname"].text());
  labels.Set(kSwarmPrefix + "node_platform_architecture", node["Description"]["Platform"]["Architecture"].text());
  labels.Set(kSwarmPrefix + "node_platform_os", node["Description"]["Platform"]["OS"].text());
  labels.Set(kSwarmPrefix + "node_status", node["Status"]["State"].text());
  return labels.Build();
}

class SwarmRefresher final : public Refresher {
 public:
  SwarmRefresher(const config::DockerSwarmSdConfig& config, ApiClient api)
      : config_(config), api_(std::move(api)), filters_(DockerFilterQuery(config.filters)) {}

  Result<std::vector<TargetGroup>> Refresh(std::stop_token stop) override {
    std::vector<TargetGroup> out(1);
    out[0].source = "DockerSwarm";
    if (config_.role == "services") {
      EPI_TRY(AddServices(out[0], stop));
    } else if (config_.role == "tasks") {
      EPI_TRY(AddTasks(out[0], stop));
    } else {
      EPI_TRY(AddNodes(out[0], stop));
    }
    return out;
  }

 private:
  using NetworkLabels = std::map<std::string, Labels>;

  Result<NetworkLabels> Networks(std::stop_token stop) const {
    auto networks = DockerNetworkLabels(api_, kSwarmPrefix, stop);
    if (!networks) return Fail(networks.error().WithContext("error while computing swarm network labels"));
    return networks;
  }

  Result<Json> List(const std::string& path, const char* shape, const char* complaint, std::stop_token stop) const {
    auto answer = api_.Get(path, JsonShape(shape), stop);
    if (!answer) return Fail(answer.error().WithContext(complaint));
    return std::move(answer->json);
  }

  void Add(TargetGroup& group, LabelsBuilder labels, std::string_view host, const std::string& port) const {
    labels.Set("__address__", JoinHostPort(host, port));
    group.targets.push_back(labels.Build());
  }

  static void SetNetwork(LabelsBuilder& labels, const NetworkLabels& networks, const std::string& id) {
    if (const auto network = networks.find(id); network != networks.end()) SetAll(labels, network->second);
  }

  Result<void> AddServices(TargetGroup& group, std::stop_token stop) const {
    EPI_ASSIGN(const Json services,
               List("/services" + filters_, kSwarmServicesShape, "error while listing swarm services", stop));
    EPI_ASSIGN(const NetworkLabels networks, Networks(stop));
    for (const auto& service : services.items()) {
      LabelsBuilder common(ServiceLabels(service));
      const Json& container = service["Spec"]["TaskTemplate"]["ContainerSpec"];
      common.Set(kSwarmPrefix + "service_task_container_hostname", container["Hostname"].text());
      common.Set(kSwarmPrefix + "service_task_container_image", container["Image"].text());
      common.Set(kSwarmPrefix + "service_updating_status", service["UpdateStatus"]["State"].text());
      for (const auto& virtual_ip : service["Endpoint"]["VirtualIPs"].items()) {
        EPI_ASSIGN(const std::string address, AddressOfCidr(virtual_ip["Addr"].text()));
        LabelsBuilder in_network = common;
        SetNetwork(in_network, networks, virtual_ip["NetworkID"].text());
        bool added = false;
        for (const auto& port : service["Endpoint"]["Ports"].items()) {
          if (!IsTcp(port)) continue;
          LabelsBuilder labels = in_network;
          labels.Set(kSwarmPrefix + "service_endpoint_port_name", port["Name"].text());
          labels.Set(kSwarmPrefix + "service_endpoint_port_publish_mode", port["PublishMode"].text());
          Add(group, std::move(labels), address, std::to_string(port["PublishedPort"].integer()));
          added = true;
        }
        if (!added) Add(group, std::move(in_network), address, std::to_string(config_.port));
      }
    }
    return {};
  }

  Result<std::map<std::string, ServiceInfo>> Services(std::stop_token stop) const {
    EPI_ASSIGN(const Json services,
               List("/services", kSwarmServicesShape, "error while computing services labels and ports", stop));
    std::map<std::string, ServiceInfo> out;
    for (const auto& service : services.items()) {
      out[service["ID"].text()] = {ServiceLabels(service), service["Endpoint"]["Ports"].items()};
    }
    return out;
  }

  Result<std::map<std::string, Labels>> Nodes(std::stop_token stop) const {
    EPI_ASSIGN(const Json nodes,
               List("/nodes", kSwarmNodesShape, "error while computing nodes labels and ports", stop));
    std::map<std::string, Labels> out;
    for (const auto& node : nodes.items()) out[node["ID"].text()] = NodeLabels(node);
    return out;
  }

  Result<void> AddTasks(TargetGroup& group, std::stop_token stop) const {
    EPI_ASSIGN(const Json tasks,
               List("/tasks" + filters_, kSwarmTasksShape, "error while listing swarm services", stop));
    EPI_ASSIGN(auto services, Services(stop));
    EPI_ASSIGN(auto nodes, Nodes(stop));
    EPI_ASSIGN(const NetworkLabels networks, Networks(stop));
    for (const auto& task : tasks.items()) {
      const ServiceInfo& service = services[task["ServiceID"].text()];
      LabelsBuilder common;
      SetPrefixed(common, kSwarmPrefix + "container_label_", task["Spec"]["ContainerSpec"]["Labels"]);
      common.Set(kSwarmPrefix + "task_id", task["ID"].text());
      common.Set(kSwarmPrefix + "task_desired_state", task["DesiredState"].text());
      common.Set(kSwarmPrefix + "task_state", task["Status"]["State"].text());
      common.Set(kSwarmPrefix + "task_slot", std::to_string(task["Slot"].integer()));
      common.Set(kSwarmPrefix + "task_container_id", task["Status"]["ContainerStatus"]["ContainerID"].text());
      SetAll(common, service.labels);
      SetAll(common, nodes[task["NodeID"].text()]);
      AddTaskPorts(task, common, group);
      EPI_TRY(AddTaskNetworks(task, service, common, networks, group));
    }
    return {};
  }

  // Ports published on the node itself.
  void AddTaskPorts(const Json& task, const LabelsBuilder& common, TargetGroup& group) const {
    for (const auto& port : task["Status"]["PortStatus"]["Ports"].items()) {
      if (!IsTcp(port)) continue;
      LabelsBuilder labels = common;
      labels.Set(kSwarmPrefix + "task_port_publish_mode", port["PublishMode"].text());
      Add(group, std::move(labels), common.Get(kSwarmPrefix + "node_address"),
          std::to_string(port["PublishedPort"].integer()));
    }
  }

  Result<void> AddTaskNetworks(const Json& task, const ServiceInfo& service, const LabelsBuilder& common,
                               const NetworkLabels& networks, TargetGroup& group) const {
    for (const auto& attachment : task["NetworksAttachments"].items()) {
      LabelsBuilder in_network = common;
      SetNetwork(in_network, networks, attachment["Network"]["ID"].text());
      for (const auto& cidr : attachment["Addresses"].items()) {
        EPI_ASSIGN(const std::string address, AddressOfCidr(cidr.text()));
        bool added = false;
        for (const auto& port : service.ports) {
          if (!IsTcp(port)) continue;
          LabelsBuilder labels = in_network;
          labels.Set(kSwarmPrefix + "task_port_publish_mode", port["PublishMode"].text());
          Add(group, std::move(labels), address, std::to_string(port["PublishedPort"].integer()));
          added = true;
        }
        if (!added) Add(group, in_network, address, std::to_string(config_.port));
      }
    }
    return {};
  }

  Result<void> AddNodes(TargetGroup& group, std::stop_token stop) const {
    EPI_ASSIGN(const Json nodes, List("/nodes" + filters_, kSwarmNodesShape, "error while listing swarm nodes", stop));
    for (const auto& node : nodes.items()) {
      LabelsBuilder labels(NodeLabels(node));
      labels.Set(kSwarmPrefix + "node_engine_version", node["Description"]["Engine"]["EngineVersion"].text());
      const Json& manager = node["ManagerStatus"];
      if (!manager.IsNull()) {
        labels.Set(kSwarmPrefix + "node_manager_leader", manager["Leader"].boolean() ? "true" : "false");
        labels.Set(kSwarmPrefix + "node_manager_reachability", manager["Reachability"].text());
        labels.Set(kSwarmPrefix + "node_manager_address", manager["Addr"].text());
      }
      Add(group, std::move(labels), node["Status"]["Addr"].text(), std::to_string(config_.port));
    }
    return {};
  }

  const config::DockerSwarmSdConfig config_;
  ApiClient api_;
  std::string filters_;
};

}  // namespace

MadeDiscoverer MakeDockerSwarm(const config::DockerSwarmSdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto api, MakeDockerClient(parts.http, config.host, config.http, "dockerswarm_sd"));
  api.SetTimeoutMs(config.refresh_interval);
  return MakeRefreshing(std::make_unique<SwarmRefresher>(config, std::move(api)), "dockerswarm",
                        config.refresh_interval, parts);
}

}  // namespace epi::discovery
