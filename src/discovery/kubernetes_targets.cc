#include "discovery/kubernetes_targets.h"

#include <algorithm>

#include "model/case_mapping.h"
#include "model/label_names.h"

namespace epi::discovery {
namespace {

// A string, because every use adds to it.
const std::string kPrefix = "__meta_kubernetes_";

constexpr KubeResource kResources[kKubeKinds] = {
    {"/api/v1", "pods", "pod", true,
     R"("spec":{"nodeName":"","containers":[{"name":"","image":"",
          "ports":[{"name":"","containerPort":0,"protocol":""}]}],"initContainers":[{"name":"","image":"",
          "ports":[{"name":"","containerPort":0,"protocol":""}]}]},
        "status":{"podIP":"","hostIP":"","phase":"","conditions":[{"type":"","status":""}],
          "containerStatuses":[{"name":"","containerID":""}],"initContainerStatuses":[{"name":"","containerID":""}]})"},
    {"/api/v1", "services", "service", true,
     R"("spec":{"type":"","externalName":"","clusterIP":"","loadBalancerIP":"","ipFamilyPolicy":"","ipFamilies":[""],
          "ports":[{"name":"","port":0,"protocol":""}]},
        "status":{"loadBalancer":{"ingress":[{"ip":"","hostname":""}]}})"},
    {"/api/v1", "endpoints", "endpoints", true,
     R"("subsets":[{"ports":[{"name":"","port":0,"protocol":""}],
          "addresses":[{"ip":"","hostname":"","nodeName":"","targetRef":{"kind":"","namespace":"","name":""}}],
          "notReadyAddresses":[{"ip":"","hostname":"","nodeName":"",
            "targetRef":{"kind":"","namespace":"","name":""}}]}])"},
    {"/apis/discovery.k8s.io/v1", "endpointslices", "endpointslice", true,
     R"("addressType":"","ports":[{"name":"","port":0,"protocol":"","appProtocol":""}],
        "endpoints":[{"addresses":[""],"hostname":"","nodeName":"","zone":"","deprecatedTopology":{"*":""},
          "conditions":{"ready":false,"serving":false,"terminating":false},
          "targetRef":{"kind":"","namespace":"","name":""}}])"},
    {"/api/v1", "nodes", "node", false,
     R"("spec":{"providerID":""},"status":{"conditions":[{"type":"","status":""}],
          "addresses":[{"type":"","address":""}],"daemonEndpoints":{"kubeletEndpoint":{"Port":0}}})"},
    {"/apis/networking.k8s.io/v1", "ingresses", "ingress", true,
     R"("spec":{"ingressClassName":"","tls":[{"hosts":[""]}],
          "rules":[{"host":"","http":{"paths":[{"path":""}]}}]})"},
    {"/api/v1", "namespaces", "", false, ""},
    {"/apis/apps/v1", "replicasets", "", true, ""},
    {"/apis/batch/v1", "jobs", "", true, ""},
};

const std::string& NameOf(const Json& object) { return object["metadata"]["name"].text(); }
const std::string& NamespaceOf(const Json& object) { return object["metadata"]["namespace"].text(); }
std::string Number(const Json& value) { return std::to_string(value.integer()); }

// Labels and annotations, each with its twin that only says that it is there.
void SetMetadata(LabelsBuilder& labels, const Json& object, const std::string& kind) {
  const auto set = [&](const Json& members, const std::string& what) {
    for (const auto& [name, value] : members.members()) {
      const std::string clean = SanitizeLabelName(name);
      labels.Set(kPrefix + kind + "_" + what + "_" + clean, value.text());
      labels.Set(kPrefix + kind + "_" + what + "present_" + clean, "true");
    }
  };
  set(object["metadata"]["labels"], "label");
  set(object["metadata"]["annotations"], "annotation");
}

void SetObject(LabelsBuilder& labels, const Json& object, const std::string& kind) {
  labels.Set(kPrefix + kind + "_name", NameOf(object));
  SetMetadata(labels, object, kind);
}

const Json* ControllerOf(const Json& object) {
  for (const auto& owner : object["metadata"]["ownerReferences"].items()) {
    if (owner["controller"].boolean()) return &owner;
  }
  return nullptr;
}

// Builds groups of one role.
class Builder {
 public:
  Builder(const config::KubernetesSdConfig& config, const KubeObjects& objects) : config_(config), objects_(objects) {}

  TargetGroup Pod(const Json& pod) const {
    TargetGroup out;
    const std::string& ip = pod["status"]["podIP"].text();
    const std::string& node = pod["spec"]["nodeName"].text();
    if (ip.empty()) return out;  // starting, or evicted
    // Pods on nodes that a selector leaves out are left out too.
    if (config_.attach_metadata.node && objects_.Find(KubeKind::kNode, node) == nullptr) return out;
    LabelsBuilder labels;
    SetPod(labels, pod);
    labels.Set(kPrefix + "namespace", NamespaceOf(pod));
    if (config_.attach_metadata.node) SetNode(labels, node);
    SetNamespace(labels, NamespaceOf(pod));
    out.labels = labels.Build();
    AddContainers(pod, pod["spec"]["containers"], pod["status"]["containerStatuses"], false, out);
    AddContainers(pod, pod["spec"]["initContainers"], pod["status"]["initContainerStatuses"], true, out);
    return out;
  }

  TargetGroup Service(const Json& service) const {
    TargetGroup out;
    LabelsBuilder labels;
    SetService(labels, service);
    SetNamespace(labels, NamespaceOf(service));
    out.labels = labels.Build();
    const std::string& type = service["spec"]["type"].text();
    for (const auto& port : service["spec"]["ports"].items()) {
      LabelsBuilder target;
      const std::string number = Number(port["port"]);
      target.Set("__address__", JoinHostPort(NameOf(service) + "." + NamespaceOf(service) + ".svc", number));
      target.Set(kPrefix + "service_port_name", port["name"].text());
      target.Set(kPrefix + "service_port_number", number);
      target.Set(kPrefix + "service_port_protocol", port["protocol"].text());
      target.Set(kPrefix + "service_type", type);
      if (type == "ExternalName") {
        target.Set(kPrefix + "service_external_name", service["spec"]["externalName"].text());
      } else {
        target.Set(kPrefix + "service_cluster_ip", service["spec"]["clusterIP"].text());
      }
      if (type == "LoadBalancer") target.Set(kPrefix + "service_loadbalancer_ip", LoadBalancerIp(service));
      out.targets.push_back(target.Build());
    }
    return out;
  }

  TargetGroup Node(const Json& node) const {
    TargetGroup out;
    LabelsBuilder labels;
    labels.Set(kPrefix + "node_provider_id", node["spec"]["providerID"].text());
    for (const auto& condition : node["status"]["conditions"].items()) {
      const std::string name = SanitizeLabelName(ToLowerUtf8(condition["type"].text()));
      labels.Set(kPrefix + "node_condition_" + name, ToLowerUtf8(condition["status"].text()));
    }
    SetObject(labels, node, "node");
    out.labels = labels.Build();
    std::map<std::string, std::string> addresses;  // the first of each type
    for (const auto& address : node["status"]["addresses"].items()) {
      addresses.emplace(address["type"].text(), address["address"].text());
    }
    for (const char* type : {"InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"}) {
      const auto found = addresses.find(type);
      if (found == addresses.end()) continue;
      LabelsBuilder target;
      target.Set("__address__",
                 JoinHostPort(found->second, Number(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"])));
      target.Set("instance", NameOf(node));
      for (const auto& [name, address] : addresses)
        target.Set(SanitizeLabelName(kPrefix + "node_address_" + name), address);
      out.targets.push_back(target.Build());
      break;
    }
    return out;
  }

  TargetGroup Ingress(const Json& ingress) const {
    TargetGroup out;
    LabelsBuilder labels;
    labels.Set(kPrefix + "namespace", NamespaceOf(ingress));
    labels.Set(kPrefix + "ingress_class_name", ingress["spec"]["ingressClassName"].text());
    SetObject(labels, ingress, "ingress");
    SetNamespace(labels, NamespaceOf(ingress));
    out.labels = labels.Build();
    for (const auto& rule : ingress["spec"]["rules"].items()) {
      const std::string& host = rule["host"].text();
      std::vector<std::string> paths;
      for (const auto& path : rule["http"]["paths"].items())
        paths.push_back(path["path"].text().empty() ? "/" : path["path"].text());
      if (rule["http"].IsNull()) paths.emplace_back("/");
      for (const auto& path : paths) {
        LabelsBuilder target;
        target.Set("__address__", host);
        target.Set(kPrefix + "ingress_scheme", HasTls(ingress, host) ? "https" : "http");
        target.Set(kPrefix + "ingress_host", host);
        target.Set(kPrefix + "ingress_path", path);
        out.targets.push_back(target.Build());
      }
    }
    return out;
  }

  TargetGroup Endpoints(const Json& endpoints) const {
    TargetGroup out;
    LabelsBuilder labels;
    const std::string& name_space = NamespaceOf(endpoints);
    labels.Set(kPrefix + "namespace", name_space);
    if (const Json* service = objects_.Find(KubeKind::kService, KubeKey(endpoints))) SetService(labels, *service);
    SetObject(labels, endpoints, "endpoints");
    SetNamespace(labels, name_space);
    out.labels = labels.Build();
    SeenPods seen;
    for (const auto& subset : endpoints["subsets"].items()) {
      for (const auto& port : subset["ports"].items()) {
        for (const auto& address : subset["addresses"].items()) AddEndpoint(address, port, "true", seen, out);
        for (const auto& address : subset["notReadyAddresses"].items()) AddEndpoint(address, port, "false", seen, out);
      }
    }
    AddOtherPorts(seen, out);
    return out;
  }

  TargetGroup EndpointSlice(const Json& slice) const {
    TargetGroup out;
    LabelsBuilder labels;
    labels.Set(kPrefix + "namespace", NamespaceOf(slice));
    labels.Set(kPrefix + "endpointslice_address_type", slice["addressType"].text());
    SetObject(labels, slice, "endpointslice");
    const Json* service = nullptr;
    if (const std::string& name = slice["metadata"]["labels"]["kubernetes.io/service-name"].text(); !name.empty()) {
      service = objects_.Find(KubeKind::kService, NamespaceOf(slice) + "/" + name);
      if (service != nullptr) SetService(labels, *service);
    }
    SetNamespace(labels, NamespaceOf(slice));
    out.labels = labels.Build();
    if (service != nullptr && IsSecondaryFamily(*service, slice)) return out;
    SeenPods seen;
    for (const auto& endpoint : slice["endpoints"].items()) {
      for (const auto& port : slice["ports"].items()) {
        for (const auto& address : endpoint["addresses"].items())
          AddSliceEndpoint(address.text(), endpoint, port, seen, out);
      }
    }
    AddOtherPorts(seen, out);
    return out;
  }

 private:
  struct SeenPod {
    const Json* pod = nullptr;
    std::vector<int64_t> ports;  // that targets were made for
  };
  using SeenPods = std::map<std::string, SeenPod>;

  void SetNamespace(LabelsBuilder& labels, const std::string& name) const {
    if (!config_.attach_metadata.name_space) return;
    if (const Json* object = objects_.Find(KubeKind::kNamespace, name)) SetMetadata(labels, *object, "namespace");
  }

  void SetNode(LabelsBuilder& labels, const std::string& name) const {
    if (const Json* node = objects_.Find(KubeKind::kNode, name)) SetObject(labels, *node, "node");
  }

  static void SetService(LabelsBuilder& labels, const Json& service) {
    labels.Set(kPrefix + "namespace", NamespaceOf(service));
    SetObject(labels, service, "service");
  }

  void SetPod(LabelsBuilder& labels, const Json& pod) const {
    const Json& status = pod["status"];
    labels.Set(kPrefix + "pod_ip", status["podIP"].text());
    labels.Set(kPrefix + "pod_phase", status["phase"].text());
    labels.Set(kPrefix + "pod_node_name", pod["spec"]["nodeName"].text());
    labels.Set(kPrefix + "pod_host_ip", status["hostIP"].text());
    labels.Set(kPrefix + "pod_uid", pod["metadata"]["uid"].text());
    std::string ready = "unknown";
    for (const auto& condition : status["conditions"].items()) {
      if (condition["type"].text() == "Ready") {
        ready = ToLowerUtf8(condition["status"].text());
        break;
      }
    }
    labels.Set(kPrefix + "pod_ready", ready);
    SetObject(labels, pod, "pod");
    const Json* controller = ControllerOf(pod);
    if (controller == nullptr) return;
    const std::string& kind = (*controller)["kind"].text();
    const std::string& name = (*controller)["name"].text();
    labels.Set(kPrefix + "pod_controller_kind", kind);
    labels.Set(kPrefix + "pod_controller_name", name);
    const auto set_owner = [&](KubeKind owner_kind, const char* wanted, const char* label) {
      const Json* object = objects_.Find(owner_kind, NamespaceOf(pod) + "/" + name);
      const Json* owner = object == nullptr ? nullptr : ControllerOf(*object);
      if (owner != nullptr && (*owner)["kind"].text() == wanted) labels.Set(kPrefix + label, (*owner)["name"].text());
    };
    if (kind == "ReplicaSet" && config_.attach_metadata.deployment) {
      set_owner(KubeKind::kReplicaSet, "Deployment", "pod_deployment_name");
    } else if (kind == "Job") {
      if (config_.attach_metadata.job) labels.Set(kPrefix + "pod_job_name", name);
      if (config_.attach_metadata.cronjob) set_owner(KubeKind::kJob, "CronJob", "pod_cronjob_name");
    }
  }

  static void AddContainers(const Json& pod, const Json& containers, const Json& statuses, bool init,
                            TargetGroup& group) {
    const std::string& ip = pod["status"]["podIP"].text();
    for (const auto& container : containers.items()) {
      LabelsBuilder common;
      common.Set(kPrefix + "pod_container_name", container["name"].text());
      common.Set(kPrefix + "pod_container_image", container["image"].text());
      common.Set(kPrefix + "pod_container_init", init ? "true" : "false");
      for (const auto& status : statuses.items()) {
        if (status["name"].text() != container["name"].text()) continue;
        common.Set(kPrefix + "pod_container_id", status["containerID"].text());
        break;
      }
      if (container["ports"].items().empty()) {
        common.Set("__address__", ip);  // whoever scrapes it adds a port
        group.targets.push_back(common.Build());
        continue;
      }
      for (const auto& port : container["ports"].items()) {
        LabelsBuilder target = common;
        const std::string number = Number(port["containerPort"]);
        target.Set("__address__", JoinHostPort(ip, number));
        target.Set(kPrefix + "pod_container_port_number", number);
        target.Set(kPrefix + "pod_container_port_name", port["name"].text());
        target.Set(kPrefix + "pod_container_port_protocol", port["protocol"].text());
        group.targets.push_back(target.Build());
      }
    }
  }

  static std::string LoadBalancerIp(const Json& service) {
    std::string out;
    for (const auto& ingress : service["status"]["loadBalancer"]["ingress"].items()) {
      const std::string& ip = ingress["ip"].text();
      if (!ip.empty()) out += (out.empty() ? "" : ",") + ip;
    }
    return out.empty() ? service["spec"]["loadBalancerIP"].text() : out;
  }

  static bool HasTls(const Json& ingress, const std::string& host) {
    for (const auto& tls : ingress["spec"]["tls"].items()) {
      for (const auto& pattern : tls["hosts"].items()) {
        if (MatchesHost(pattern.text(), host)) return true;
      }
    }
    return false;
  }

  // "*.example.com" stands for exactly one more label.
  static bool MatchesHost(std::string_view pattern, std::string_view host) {
    if (pattern == host) return true;
    const size_t dot = host.find('.');
    return pattern.starts_with("*.") && dot != std::string_view::npos && host.substr(dot) == pattern.substr(1);
  }

  // In a dual-stack service only slices of the first family count; the others would double the targets.
  static bool IsSecondaryFamily(const Json& service, const Json& slice) {
    const std::string& policy = service["spec"]["ipFamilyPolicy"].text();
    if (policy != "PreferDualStack" && policy != "RequireDualStack") return false;
    const Json& families = service["spec"]["ipFamilies"];
    return !families.items().empty() && families.at(0).text() != slice["addressType"].text();
  }

  const Json* PodOf(const Json& reference) const {
    if (reference["kind"].text() != "Pod") return nullptr;
    return objects_.Find(KubeKind::kPod, reference["namespace"].text() + "/" + reference["name"].text());
  }

  void AddEndpoint(const Json& address, const Json& port, const char* ready, SeenPods& seen, TargetGroup& group) const {
    LabelsBuilder target;
    const Json& reference = address["targetRef"];
    target.Set("__address__", JoinHostPort(address["ip"].text(), Number(port["port"])));
    target.Set(kPrefix + "endpoint_port_name", port["name"].text());
    target.Set(kPrefix + "endpoint_port_protocol", port["protocol"].text());
    target.Set(kPrefix + "endpoint_ready", ready);
    target.Set(kPrefix + "endpoint_address_target_kind", reference["kind"].text());
    target.Set(kPrefix + "endpoint_address_target_name", reference["name"].text());
    target.Set(kPrefix + "endpoint_node_name", address["nodeName"].text());
    target.Set(kPrefix + "endpoint_hostname", address["hostname"].text());
    if (config_.attach_metadata.node) {
      const bool is_node = address["nodeName"].IsNull() && reference["kind"].text() == "Node";
      SetNode(target, is_node ? reference["name"].text() : address["nodeName"].text());
    }
    AddPodTarget(std::move(target), PodOf(reference), port["port"], port["protocol"].text(), seen, group);
  }

  void AddSliceEndpoint(const std::string& address, const Json& endpoint, const Json& port, SeenPods& seen,
                        TargetGroup& group) const {
    const std::string prefix = kPrefix + "endpointslice_";
    LabelsBuilder target;
    const bool has_port = !port["port"].IsNull();
    target.Set("__address__", has_port ? JoinHostPort(address, Number(port["port"])) : address);
    target.Set(prefix + "port_name", port["name"].text());
    target.Set(prefix + "port_protocol", port["protocol"].text());
    if (has_port) target.Set(prefix + "port", Number(port["port"]));
    target.Set(prefix + "port_app_protocol", port["appProtocol"].text());
    for (const char* condition : {"ready", "serving", "terminating"}) {
      target.Set(prefix + "endpoint_conditions_" + condition, endpoint["conditions"][condition].text());
    }
    const Json& reference = endpoint["targetRef"];
    target.Set(prefix + "endpoint_hostname", endpoint["hostname"].text());
    target.Set(prefix + "address_target_kind", reference["kind"].text());
    target.Set(prefix + "address_target_name", reference["name"].text());
    target.Set(prefix + "endpoint_node_name", endpoint["nodeName"].text());
    target.Set(prefix + "endpoint_zone", endpoint["zone"].text());
    for (const auto& [name, value] : endpoint["deprecatedTopology"].members()) {
      const std::string clean = SanitizeLabelName(name);
      target.Set(prefix + "endpoint_topology_" + clean, value.text());
      target.Set(prefix + "endpoint_topology_present_" + clean, "true");
    }
    if (config_.attach_metadata.node) {
      SetNode(target, reference["kind"].text() == "Node" ? reference["name"].text() : endpoint["nodeName"].text());
    }
    AddPodTarget(std::move(target), PodOf(reference), port["port"], {}, seen, group);
  }

  // Adds the labels of the pod behind an endpoint. `protocol` is the endpoint's; empty: the container port's is shown.
  void AddPodTarget(LabelsBuilder target, const Json* pod, const Json& port, const std::string& protocol,
                    SeenPods& seen, TargetGroup& group) const {
    if (pod == nullptr) {
      group.targets.push_back(target.Build());
      return;
    }
    SeenPod& entry = seen[KubeKey(*pod)];
    entry.pod = pod;
    SetPod(target, *pod);
    if (!port.IsNull()) {
      ForEachContainerPort(*pod, [&](const Json& container, const Json& container_port, bool init) {
        if (container_port["containerPort"].integer() != port.integer()) return;
        SetContainerPort(target, container, container_port, init);
        if (!protocol.empty()) target.Set(kPrefix + "pod_container_port_protocol", protocol);
      });
      entry.ports.push_back(port.integer());
    }
    group.targets.push_back(target.Build());
  }

  template <typename Visit>
  static void ForEachContainerPort(const Json& pod, Visit visit) {
    for (const bool init : {false, true}) {
      for (const auto& container : pod["spec"][init ? "initContainers" : "containers"].items()) {
        for (const auto& port : container["ports"].items()) visit(container, port, init);
      }
    }
  }

  static void SetContainerPort(LabelsBuilder& target, const Json& container, const Json& port, bool init) {
    target.Set(kPrefix + "pod_container_name", container["name"].text());
    target.Set(kPrefix + "pod_container_image", container["image"].text());
    target.Set(kPrefix + "pod_container_port_name", port["name"].text());
    target.Set(kPrefix + "pod_container_port_number", Number(port["containerPort"]));
    target.Set(kPrefix + "pod_container_port_protocol", port["protocol"].text());
    target.Set(kPrefix + "pod_container_init", init ? "true" : "false");
  }

  // Targets for the container ports of backing pods that no endpoint names.
  void AddOtherPorts(const SeenPods& seen, TargetGroup& group) const {
    for (const auto& [key, entry] : seen) {
      const std::string& ip = (*entry.pod)["status"]["podIP"].text();
      if (ip.empty()) continue;
      ForEachContainerPort(
          *entry.pod, [&, &known = entry.ports, pod = entry.pod](const Json& container, const Json& port, bool init) {
            if (std::find(known.begin(), known.end(), port["containerPort"].integer()) != known.end()) return;
            LabelsBuilder target;
            target.Set("__address__", JoinHostPort(ip, Number(port["containerPort"])));
            SetContainerPort(target, container, port, init);
            SetPod(target, *pod);
            group.targets.push_back(target.Build());
          });
    }
  }

  const config::KubernetesSdConfig& config_;
  const KubeObjects& objects_;
};

}  // namespace

const KubeResource& KubeResourceOf(KubeKind kind) { return kResources[static_cast<size_t>(kind)]; }

const Json* KubeObjects::Find(KubeKind kind, const std::string& key) const {
  const auto& objects = by_kind[static_cast<size_t>(kind)];
  const auto found = objects.find(key);
  return found == objects.end() ? nullptr : found->second.get();
}

std::string KubeKey(const Json& object) {
  const std::string& name_space = NamespaceOf(object);
  return name_space.empty() ? NameOf(object) : name_space + "/" + NameOf(object);
}

std::vector<KubeKind> KubeKindsOf(const config::KubernetesSdConfig& config) {
  const auto& attach = config.attach_metadata;
  std::vector<KubeKind> out;
  for (size_t i = 0; i < kKubeKinds; ++i) {
    if (kResources[i].role == config.role) out.push_back(static_cast<KubeKind>(i));
  }
  const bool has_endpoints = config.role == "endpoints" || config.role == "endpointslice";
  if (has_endpoints) out.insert(out.end(), {KubeKind::kService, KubeKind::kPod});
  if (has_endpoints || config.role == "pod") {
    if (attach.node) out.push_back(KubeKind::kNode);
    if (attach.deployment) out.push_back(KubeKind::kReplicaSet);
    if (attach.cronjob) out.push_back(KubeKind::kJob);
  }
  if (attach.name_space && config.role != "node") out.push_back(KubeKind::kNamespace);
  return out;
}

std::string KubeSource(KubeKind kind, const std::string& key) {
  const std::string_view role = KubeResourceOf(kind).role;
  return (role == "service" ? "svc" : std::string(role)) + "/" + key;
}

TargetGroup KubeTargets(const config::KubernetesSdConfig& config, const Json& object, const KubeObjects& objects) {
  using Make = TargetGroup (Builder::*)(const Json&) const;
  struct Row {
    std::string_view role;
    KubeKind kind;
    Make make;
  };
  constexpr Row kRows[] = {
      {"pod", KubeKind::kPod, &Builder::Pod},
      {"service", KubeKind::kService, &Builder::Service},
      {"endpoints", KubeKind::kEndpoints, &Builder::Endpoints},
      {"endpointslice", KubeKind::kEndpointSlice, &Builder::EndpointSlice},
      {"node", KubeKind::kNode, &Builder::Node},
      {"ingress", KubeKind::kIngress, &Builder::Ingress},
  };
  const Builder builder(config, objects);
  TargetGroup out;
  for (const auto& row : kRows) {
    if (row.role != config.role) continue;
    out = (builder.*row.make)(object);
    out.source = KubeSource(row.kind, KubeKey(object));
  }
  return out;
}

}  // namespace epi::discovery
