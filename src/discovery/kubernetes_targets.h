// From Kubernetes objects to target groups, without any network.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "config/sd_configs.h"
#include "discovery/json.h"
#include "discovery/target_group.h"

namespace epi::discovery {

enum class KubeKind : unsigned char {
  kPod,
  kService,
  kEndpoints,
  kEndpointSlice,
  kNode,
  kIngress,
  kNamespace,
  kReplicaSet,
  kJob,
};
inline constexpr size_t kKubeKinds = 9;

// Where the API keeps a kind: "/api/v1", "pods".
struct KubeResource {
  std::string_view group;
  std::string_view plural;
  std::string_view role;  // of selectors; empty for kinds that are no role
  bool namespaced;
  // Of what targets are made of beside the metadata: members of a JsonShape.
  std::string_view members;
};
const KubeResource& KubeResourceOf(KubeKind kind);

using KubeObject = std::shared_ptr<const Json>;

// Objects as last seen, by kind and "namespace/name" (or "name" for what is in no namespace).
struct KubeObjects {
  std::array<std::map<std::string, KubeObject>, kKubeKinds> by_kind;
  const Json* Find(KubeKind kind, const std::string& key) const;
};

// "namespace/name".
std::string KubeKey(const Json& object);

// What a role looks at: its own kind first.
std::vector<KubeKind> KubeKindsOf(const config::KubernetesSdConfig& config);

// "pod/default/x", "svc/…", "node/…": the group's source for an object of the role's kind.
std::string KubeSource(KubeKind kind, const std::string& key);
// The group of one object of the role's kind; without targets when it gives none.
TargetGroup KubeTargets(const config::KubernetesSdConfig& config, const Json& object, const KubeObjects& objects);

}  // namespace epi::discovery
