#include <algorithm>

#include "config/kubernetes_selector.h"
#include "config/sd_schema.h"

namespace epi::config {

EPI_SD_SCHEMA(KubernetesSdConfig, "kubernetes.plain");

template <>
struct Schema<KubernetesNamespaces> {
  static constexpr std::string_view kGoType = "kubernetes.plain";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<KubernetesSelector> {
  static constexpr std::string_view kGoType = "kubernetes.SelectorConfig";
  static constexpr std::string_view kGoListType = "[]kubernetes.SelectorConfig";
  static std::span<const FieldSpec> Fields();
};
template <>
struct Schema<KubernetesAttachMetadata> {
  static constexpr std::string_view kGoType = "kubernetes.AttachMetadataConfig";
  static std::span<const FieldSpec> Fields();
};

namespace {

constexpr std::string_view kKubernetesRoles[] = {"node", "pod", "service", "endpoints", "endpointslice", "ingress"};

Result<void> CheckKubernetesRole(std::string& role) {
  return CheckSdWord(role, kKubernetesRoles, "unknown Kubernetes SD role ");
}

struct RoleSelectors {
  std::string_view role;
  std::vector<std::string_view> selectors;
};

Result<void> CheckKubernetesSelectors(const KubernetesSdConfig& config) {
  static const auto* const kAllowed = new std::vector<RoleSelectors>{
      {"pod", {"pod", "node"}},
      {"service", {"service"}},
      {"endpointslice", {"pod", "service", "endpointslice"}},
      {"endpoints", {"pod", "service", "endpoints"}},
      {"node", {"node"}},
      {"ingress", {"ingress"}},
  };
  std::vector<std::string_view> seen;
  for (const auto& selector : config.selectors) {
    if (std::find(seen.begin(), seen.end(), selector.role) != seen.end()) {
      return InvalidSd("duplicated selector role: " + selector.role);
    }
    seen.push_back(selector.role);
    for (const auto& row : *kAllowed) {
      if (row.role != config.role) continue;
      if (std::find(row.selectors.begin(), row.selectors.end(), selector.role) != row.selectors.end()) continue;
      std::string list;
      for (const auto& name : row.selectors) list += (list.empty() ? "" : ", ") + std::string(name);
      return InvalidSd(config.role + " role supports only " + list + " selectors");
    }
    EPI_TRY(CheckFieldSelector(selector.field));
    EPI_TRY(CheckLabelSelector(selector.label));
  }
  return {};
}

}  // namespace

std::span<const FieldSpec> Schema<KubernetesNamespaces>::Fields() {
  using T = KubernetesNamespaces;
  static constexpr FieldSpec kFields[] = {Key<T, &T::own_namespace>("own_namespace"), Key<T, &T::names>("names")};
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesSelector>::Fields() {
  using T = KubernetesSelector;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::role, CheckedString<CheckKubernetesRole>>("role", Omit::kEmpty),
      Key<T, &T::label>("label", Omit::kEmpty),
      Key<T, &T::field>("field", Omit::kEmpty),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesAttachMetadata>::Fields() {
  using T = KubernetesAttachMetadata;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::node>("node"), Key<T, &T::name_space>("namespace"), Key<T, &T::deployment>("deployment"),
      Key<T, &T::job>("job"),   Key<T, &T::cronjob>("cronjob"),
  };
  return kFields;
}

std::span<const FieldSpec> Schema<KubernetesSdConfig>::Fields() {
  using T = KubernetesSdConfig;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::api_server, Given<UrlCodec>>("api_server", Omit::kEmpty),
      Key<T, &T::role, CheckedString<CheckKubernetesRole>>("role"),
      Key<T, &T::kubeconfig_file>("kubeconfig_file"),
      Inline<T, &T::http>(),
      Key<T, &T::namespaces>("namespaces", Omit::kEmpty),
      Key<T, &T::selectors>("selectors", Omit::kEmpty),
      Key<T, &T::attach_metadata>("attach_metadata", Omit::kEmpty),
  };
  return kFields;
}

Result<void> Schema<KubernetesSdConfig>::Validate(KubernetesSdConfig& config) {
  if (config.role.empty())
    return InvalidSd("role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
  EPI_TRY(ValidateHttpClientConfig(config.http));
  const bool has_server = config.api_server.has_value();
  const bool has_kubeconfig = !config.kubeconfig_file.empty();
  const bool has_http = config.http != HttpClientConfig();
  if (has_server && has_kubeconfig) return InvalidSd("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
  if (has_kubeconfig && has_http) {
    return InvalidSd("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
  }
  if (!has_server && has_http) {
    return InvalidSd("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
  }
  if (has_server && config.namespaces.own_namespace) {
    return InvalidSd("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
  }
  if (has_kubeconfig && config.namespaces.own_namespace) {
    return InvalidSd("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
  }
  return CheckKubernetesSelectors(config);
}

void Schema<KubernetesSdConfig>::SetDirectory(KubernetesSdConfig& config, std::string_view directory) {
  config::SetDirectory(config.http, directory);
  config.kubeconfig_file = JoinDirectory(directory, config.kubeconfig_file);
}

std::span<const SdKind> KubernetesSdKinds() {
  static constexpr SdKind kKinds[] = {MakeSdKind<KubernetesSdConfig>("kubernetes", "kubernetes_sd_configs", true)};
  return kKinds;
}

}  // namespace epi::config
