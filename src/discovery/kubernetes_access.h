// How the Kubernetes API is reached: by URL, by kubeconfig, or as a pod of the cluster.
#pragma once

#include <string>

#include "config/sd_configs.h"
#include "discovery/api_client.h"

namespace epi::discovery {

struct KubernetesAccess {
  ApiClient api;
  std::string own_namespace;  // of the pod this runs in; empty outside a cluster
};

// kInvalid when a kubeconfig cannot be used: `kubeconfig x: …`; kUnavailable outside a cluster without either.
Result<KubernetesAccess> OpenKubernetes(const config::KubernetesSdConfig& config, net::HttpClient& http,
                                        FileSystem& files);

}  // namespace epi::discovery
