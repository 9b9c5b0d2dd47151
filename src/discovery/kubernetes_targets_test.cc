#include "discovery/kubernetes_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace epi::discovery {
namespace {

using ::testing::ElementsAre;

void Add(KubeObjects& objects, KubeKind kind, const std::string& json) {
  auto object = std::make_shared<const Json>(Json::Parse(json).value());
  objects.by_kind[static_cast<size_t>(kind)][KubeKey(*object)] = object;
}

config::KubernetesSdConfig Role(const std::string& role) {
  config::KubernetesSdConfig out;
  out.role = role;
  return out;
}

std::vector<std::string> Addresses(const TargetGroup& group) {
  std::vector<std::string> out;
  for (const auto& target : group.targets) out.emplace_back(target.Get("__address__"));
  return out;
}

constexpr char kTargetPod[] =
    R"({"metadata":{"name":"p","namespace":"ns","uid":"u","labels":{"app.x/y":"v"},"annotations":{"n":"1"},
  "ownerReferences":[{"kind":"ReplicaSet","name":"rs","controller":true}]},
  "spec":{"nodeName":"n","containers":[{"name":"c","image":"i:1","ports":[{"name":"http","containerPort":80,"protocol":"TCP"},
  {"name":"m","containerPort":9100,"protocol":"TCP"}]}],"initContainers":[{"name":"init","image":"i:2"}]},
  "status":{"podIP":"10.0.0.7","hostIP":"10.0.0.1","phase":"Running","conditions":[{"type":"Ready","status":"True"}],
  "containerStatuses":[{"name":"c","containerID":"docker://1"}]}})";

TEST(KubeTargets, Pods) {
  KubeObjects objects;
  Add(objects, KubeKind::kNode, R"({"metadata":{"name":"n","labels":{"zone":"a"}}})");
  Add(objects, KubeKind::kReplicaSet,
      R"({"metadata":{"name":"rs","namespace":"ns","ownerReferences":[{"kind":"Deployment","name":"dep","controller":true}]}})");
  Add(objects, KubeKind::kNamespace, R"({"metadata":{"name":"ns","labels":{"team":"t"}}})");
  auto config = Role("pod");
  config.attach_metadata = {.node = true, .name_space = true, .deployment = true};
  const Json pod = Json::Parse(kTargetPod).value();
  const TargetGroup group = KubeTargets(config, pod, objects);
  EXPECT_EQ(group.source, "pod/ns/p");
  EXPECT_EQ(group.labels, (Labels{{"__meta_kubernetes_namespace", "ns"},
                                  {"__meta_kubernetes_namespace_label_team", "t"},
                                  {"__meta_kubernetes_namespace_labelpresent_team", "true"},
                                  {"__meta_kubernetes_node_label_zone", "a"},
                                  {"__meta_kubernetes_node_labelpresent_zone", "true"},
                                  {"__meta_kubernetes_node_name", "n"},
                                  {"__meta_kubernetes_pod_annotation_n", "1"},
                                  {"__meta_kubernetes_pod_annotationpresent_n", "true"},
                                  {"__meta_kubernetes_pod_controller_kind", "ReplicaSet"},
                                  {"__meta_kubernetes_pod_controller_name", "rs"},
                                  {"__meta_kubernetes_pod_deployment_name", "dep"},
                                  {"__meta_kubernetes_pod_host_ip", "10.0.0.1"},
                                  {"__meta_kubernetes_pod_ip", "10.0.0.7"},
                                  {"__meta_kubernetes_pod_label_app_x_y", "v"},
                                  {"__meta_kubernetes_pod_labelpresent_app_x_y", "true"},
                                  {"__meta_kubernetes_pod_name", "p"},
                                  {"__meta_kubernetes_pod_node_name", "n"},
                                  {"__meta_kubernetes_pod_phase", "Running"},
                                  {"__meta_kubernetes_pod_ready", "true"},
                                  {"__meta_kubernetes_pod_uid", "u"}}));
  EXPECT_THAT(Addresses(group), ElementsAre("10.0.0.7:80", "10.0.0.7:9100", "10.0.0.7"));
  EXPECT_EQ(group.targets[0].Get("__meta_kubernetes_pod_container_id"), "docker://1");
  EXPECT_EQ(group.targets[2].Get("__meta_kubernetes_pod_container_init"), "true");
  EXPECT_TRUE(KubeTargets(config, pod, {}).targets.empty());  // its node is not selected
}

TEST(KubeTargets, Services) {
  const Json service =
      Json::Parse(R"({"metadata":{"name":"s","namespace":"ns"},"spec":{"type":"LoadBalancer","clusterIP":"10.1.0.1",
    "loadBalancerIP":"1.1.1.1","ports":[{"name":"h","port":80,"protocol":"TCP"}]},
    "status":{"loadBalancer":{"ingress":[{"ip":"2.2.2.2"}]}}})")
          .value();
  const TargetGroup group = KubeTargets(Role("service"), service, {});
  EXPECT_EQ(group.source, "svc/ns/s");
  EXPECT_THAT(group.targets, ElementsAre(Labels{{"__address__", "s.ns.svc:80"},
                                                {"__meta_kubernetes_service_cluster_ip", "10.1.0.1"},
                                                {"__meta_kubernetes_service_loadbalancer_ip", "2.2.2.2"},
                                                {"__meta_kubernetes_service_port_name", "h"},
                                                {"__meta_kubernetes_service_port_number", "80"},
                                                {"__meta_kubernetes_service_port_protocol", "TCP"},
                                                {"__meta_kubernetes_service_type", "LoadBalancer"}}));
}

TEST(KubeTargets, Nodes) {
  const Json node =
      Json::Parse(
          R"({"metadata":{"name":"n"},"spec":{"providerID":"aws:1"},"status":{"conditions":[{"type":"Ready","status":"True"}],
    "addresses":[{"type":"Hostname","address":"h"},{"type":"InternalIP","address":"10.0.0.1"}],
    "daemonEndpoints":{"kubeletEndpoint":{"Port":10250}}}})")
          .value();
  const TargetGroup group = KubeTargets(Role("node"), node, {});
  EXPECT_EQ(group.source, "node/n");
  EXPECT_EQ(group.labels.Get("__meta_kubernetes_node_condition_ready"), "true");
  EXPECT_THAT(group.targets, ElementsAre(Labels{{"__address__", "10.0.0.1:10250"},
                                                {"instance", "n"},
                                                {"__meta_kubernetes_node_address_Hostname", "h"},
                                                {"__meta_kubernetes_node_address_InternalIP", "10.0.0.1"}}));
}

TEST(KubeTargets, EndpointsFindTheirPodsAndOtherPorts) {
  KubeObjects objects;
  Add(objects, KubeKind::kPod, kTargetPod);
  Add(objects, KubeKind::kService, R"({"metadata":{"name":"s","namespace":"ns","labels":{"l":"1"}}})");
  const Json endpoints =
      Json::Parse(
          R"({"metadata":{"name":"s","namespace":"ns"},"subsets":[{"ports":[{"name":"http","port":80,"protocol":"TCP"}],
    "addresses":[{"ip":"10.0.0.7","nodeName":"n","targetRef":{"kind":"Pod","namespace":"ns","name":"p"}}],
    "notReadyAddresses":[{"ip":"10.0.0.9","hostname":"x"}]}]})")
          .value();
  const TargetGroup group = KubeTargets(Role("endpoints"), endpoints, objects);
  EXPECT_EQ(group.labels.Get("__meta_kubernetes_service_label_l"), "1");
  EXPECT_EQ(group.labels.Get("__meta_kubernetes_endpoints_name"), "s");
  EXPECT_THAT(Addresses(group), ElementsAre("10.0.0.7:80", "10.0.0.9:80", "10.0.0.7:9100"));
  EXPECT_EQ(group.targets[0].Get("__meta_kubernetes_pod_container_port_name"), "http");
  EXPECT_EQ(group.targets[0].Get("__meta_kubernetes_endpoint_address_target_name"), "p");
  EXPECT_EQ(group.targets[1].Get("__meta_kubernetes_endpoint_ready"), "false");
  EXPECT_FALSE(group.targets[2].Has("__meta_kubernetes_endpoint_ready"));
}

TEST(KubeTargets, EndpointSlicesOfTheSecondFamilyGiveNone) {
  KubeObjects objects;
  Add(objects, KubeKind::kService,
      R"({"metadata":{"name":"s","namespace":"ns"},"spec":{"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}})");
  const auto slice = [](const std::string& type) {
    return Json::
        Parse(R"({"metadata":{"name":"e","namespace":"ns","labels":{"kubernetes.io/service-name":"s"}},"addressType":")" +
              type +
              R"(","ports":[{"name":"h","port":80,"protocol":"TCP"}],"endpoints":[{"addresses":["10.0.0.2"],"conditions":{"ready":true},"zone":"z"}]})")
            .value();
  };
  const TargetGroup group = KubeTargets(Role("endpointslice"), slice("IPv4"), objects);
  EXPECT_THAT(group.targets, ElementsAre(Labels{{"__address__", "10.0.0.2:80"},
                                                {"__meta_kubernetes_endpointslice_endpoint_conditions_ready", "true"},
                                                {"__meta_kubernetes_endpointslice_endpoint_zone", "z"},
                                                {"__meta_kubernetes_endpointslice_port", "80"},
                                                {"__meta_kubernetes_endpointslice_port_name", "h"},
                                                {"__meta_kubernetes_endpointslice_port_protocol", "TCP"}}));
  EXPECT_TRUE(KubeTargets(Role("endpointslice"), slice("IPv6"), objects).targets.empty());
}

TEST(KubeTargets, Ingresses) {
  const Json ingress =
      Json::Parse(
          R"({"metadata":{"name":"i","namespace":"ns"},"spec":{"ingressClassName":"c","tls":[{"hosts":["*.example.com"]}],
    "rules":[{"host":"a.example.com","http":{"paths":[{"path":"/x"},{"path":""}]}},{"host":"b.a.example.com"}]}})")
          .value();
  const TargetGroup group = KubeTargets(Role("ingress"), ingress, {});
  ASSERT_EQ(group.targets.size(), 3u);
  EXPECT_EQ(group.targets[0].Get("__meta_kubernetes_ingress_scheme"), "https");
  EXPECT_EQ(group.targets[1].Get("__meta_kubernetes_ingress_path"), "/");
  EXPECT_EQ(group.targets[2].Get("__meta_kubernetes_ingress_scheme"), "http");
}

}  // namespace
}  // namespace epi::discovery
