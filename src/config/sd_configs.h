// Service discovery configurations as plain structs. The kinds that are built come first; those behind them are read,
// validated and printed, and refused when a discovery is to be started. Keys are the member names.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/http_client_config.h"
#include "config/schema.h"
#include "model/labels.h"

namespace epi::config {

inline constexpr int64_t kSecondMs = 1000;
inline constexpr int64_t kMinuteMs = 60 * kSecondMs;

// One item of static_configs. All items of a job make up one discovery.
struct StaticGroup {
  std::vector<std::string> targets;  // addresses, host:port
  StringMap labels;                  // sorted by name
};

struct FileSdConfig {
  std::vector<std::string> files;
  int64_t refresh_interval = 5 * kMinuteMs;  // ms; all intervals here are
};

struct HttpSdConfig {
  HttpClientConfig http;
  int64_t refresh_interval = kMinuteMs;  // the timeout of a request too
  std::string url;
};

struct DnsSdConfig {
  std::vector<std::string> names;
  int64_t refresh_interval = 30 * kSecondMs;
  std::string type = "SRV";  // SRV, A, AAAA, MX or NS in any case
  int64_t port = 0;          // not for SRV
};

struct ConsulSdConfig {
  std::string server = "localhost:8500";
  std::string path_prefix;
  std::string token;
  std::string datacenter;
  // `namespace` is a word of the language.
  std::string name_space;
  std::string partition;
  std::string tag_separator = ",";
  std::string scheme = "http";
  std::string username;
  std::string password;
  bool allow_stale = true;
  int64_t refresh_interval = 30 * kSecondMs;
  std::vector<std::string> services;  // empty: all
  std::vector<std::string> tags;      // a service must have all of them
  StringMap node_meta;
  std::string filter;
  std::string health_filter;
  HttpClientConfig http;
};

struct KubernetesNamespaces {
  bool own_namespace = false;
  std::vector<std::string> names;
};

struct KubernetesSelector {
  std::string role;
  std::string label;
  std::string field;
};

struct KubernetesAttachMetadata {
  bool node = false;
  bool name_space = false;
  bool deployment = false;
  bool job = false;
  bool cronjob = false;
};

struct KubernetesSdConfig {
  std::optional<std::string> api_server;  // empty with an empty kubeconfig_file: the service account of the pod
  std::string role;                       // node, pod, service, endpoints, endpointslice, ingress
  std::string kubeconfig_file;
  HttpClientConfig http;
  KubernetesNamespaces namespaces;
  std::vector<KubernetesSelector> selectors;
  KubernetesAttachMetadata attach_metadata;
};

struct NamedFilter {
  std::string name;
  std::vector<std::string> values;
};

struct DockerSdConfig {
  HttpClientConfig http;
  std::string host;  // unix:///var/run/docker.sock, tcp://…, http://…
  int64_t port = 80;
  std::vector<NamedFilter> filters;
  std::string host_networking_host = "localhost";
  int64_t refresh_interval = kMinuteMs;
  bool match_first_network = true;
};

struct DockerSwarmSdConfig {
  HttpClientConfig http;
  std::string host;
  std::string role;  // services, tasks, nodes
  int64_t port = 80;
  std::vector<NamedFilter> filters;
  int64_t refresh_interval = kMinuteMs;
};

struct NomadSdConfig {
  bool allow_stale = true;
  HttpClientConfig http;
  std::string name_space = "default";
  int64_t refresh_interval = kMinuteMs;
  std::string region = "global";
  std::string server = "http://localhost:4646";
  std::string tag_separator = ",";
};

struct Ec2SdConfig {
  std::string endpoint;
  std::string region;
  std::string access_key;
  std::string secret_key;
  std::string profile;
  std::string role_arn;
  std::string external_id;
  int64_t refresh_interval = kMinuteMs;
  int64_t port = 80;
  std::vector<NamedFilter> filters;
  HttpClientConfig http;
};

}  // namespace epi::config
